"""Reads back who stops answering, and who does not."""

import re

from tests.truth_words import NAME, NAMES, WHERE, loads_in, names_in
from twinbench.analyse.results import Results
from twinbench.plan import Load, LoadKind, loads_of
from twinbench.report.answer import Said

FALL = re.compile(
    rf"(?P<who>{NAMES}) stops? answering in (?P<list>.+?)"
    rf"(?:, where (?P<rest>{NAMES}) go(?:es)? on)?(?P<spared>; in .+?)?\.(?= |$)"
)
SPARED = re.compile(
    rf"in (?P<scenario>{NAME}), with the requests of (?P<of>{NAME}), (?P<target>{NAME}), the same"
    rf" app as (?P<fallen>{NAME}) with other settings \((?P<set>.+)\), does not stop"
)
FELL = re.compile(
    rf"(?P<name>{NAME}) (?P<where>{WHERE})(?: \((?P<times>\d+) of (?P<of>\d+) cells\))?"
)


def check_falls(said: Said, results: Results) -> None:
    sentences = list(FALL.finditer(said.text))
    assert " ".join(found[0] for found in sentences) == said.text, f"cannot be read: {said.text}"
    counted = 0
    for sentence in sentences:
        who, rest = names_in(sentence["who"]), names_in(sentence["rest"] or "")
        items = list(FELL.finditer(sentence["list"]))
        assert items, said.text
        for item in items:
            kind: LoadKind = "open" if re.search("requests/s|rate", item["where"]) else "closed"
            of_plan = loads_of(results.plan.scenario(item["name"]))
            tried = [load.value for load in of_plan if load.kind == kind]
            loads = [Load(kind, value) for value in loads_in(item["where"], tried)]
            there = [c for c in results.cells if c.scenario == item["name"] and c.load in loads]
            own = [c for c in there if c.target in who and c.status != "void"]
            fallen = [c for c in own if c.status == "collapsed"]
            counts = [str(len(fallen)), str(len(own))]
            assert [item["times"], item["of"]] in (counts, [None, None]), item[0]
            assert {(c.target, c.load) for c in fallen} == {
                (name, load) for name in who for load in loads
            }, item[0]
            assert not any(c.status == "collapsed" for c in there if c.target in rest), item[0]
            assert {c.target for c in there if c.status == "valid"} >= set(rest), item[0]
            counted += len(fallen)
        for clause in filter(None, (sentence["spared"] or "").split("; ")):
            _check_spared(clause, who, said, results)
    everywhere = sum(cell.status == "collapsed" for cell in results.cells)
    assert counted == everywhere or " more" in said.text, said.text


def _check_spared(clause: str, who: list[str], said: Said, results: Results) -> None:
    found = SPARED.fullmatch(clause)
    assert found, f"cannot be read: {clause}"
    assert found["fallen"] in who, clause
    plan = results.plan
    assert plan.scenario(found["scenario"]).requests == plan.scenario(found["of"]).requests, clause
    fallen, target = plan.target(found["fallen"]), plan.target(found["target"])
    assert fallen.app == target.app, clause
    for setting in found["set"].split(", "):
        name, _, value = setting.partition("=")
        assert target.env[name] == value != fallen.env.get(name), clause
    own = [c for c in results.cells if (c.scenario, c.target) == (found["scenario"], target.name)]
    assert not any(cell.status == "collapsed" for cell in own), clause
    fell = {
        cell.load
        for cell in results.cells
        if (cell.scenario, cell.target, cell.status) == (found["of"], fallen.name, "collapsed")
    }
    shown = [cell for cell in own if cell.load in fell and cell.status == "valid"]
    assert fell >= {cell.load for cell in shown} > set(), clause
    assert {cell.id for cell in shown} <= set(said.cells), clause
