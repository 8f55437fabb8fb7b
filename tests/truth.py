"""Reads the sentences of an answer back, and holds every figure against the results.

It shares no code with what writes them: names, loads, counts, ratios, intervals and cells are
looked up in comparisons and cells. Of a sentence that it cannot read it says so.
"""

import math
import re
from collections.abc import Iterable

from tests.truth_falls import check_falls
from tests.truth_words import (
    NAME,
    NAMES,
    NUMBER,
    UNIT,
    WHERE,
    loads_in,
    names_in,
)
from twinbench.analyse.results import Comparison, Results
from twinbench.plan import LoadKind
from twinbench.report.answer import Said

HEADS = {
    "IO (waiting, databases)": "io",
    "CPU (computing, and the framework alone)": "cpu",
    "Mixed": "mixed",
}
AT_RATES = "At equal rates"
AHEAD = re.compile(
    rf"(?P<who>{NAME})(?: \(or (?P<others>{NAME}(?:, {NAME})*)\))?"
    r"(?: answers more(?: requests)? a second| has the lower (?:p99|median|p99 or median))?"
    r" in (?:(?P<count>\d+) of (?P<among>\d+)(?: scenarios)?(?: \((?P<list>.+)\))?|(?P<one>.+)):"
    rf" (?P<by>[^()]+?×(?: as many| the other's)?)(?: in (?P<named>{NAME}))?"
    r" \((?:95 %: )?(?P<low>[\d.]+) to (?P<high>[\d.]+)"
    rf"(?:; (?P<at>{NAME}) at (?P<load>{NUMBER}) {UNIT})?\)"
)
# The brief form: each scenario with its own ratio, the first with its interval.
OWN = rf"({NAME}) ({WHERE}) \((?:(up|down) to )?([\d.]+)×(?:, 95 %: ([\d.]+) to ([\d.]+))?\)"
EACH = re.compile(
    rf"(?P<who>{NAME})(?: \(or (?P<others>{NAME}(?:, {NAME})*)\))?"
    r"(?: answers more a second| has the lower (?:p99|median|p99 or median))?"
    rf" in (?P<list>{OWN}(?:(?:, | and ){OWN})*)(?: and (?P<more>\d+) more)?"
)
LEVEL = re.compile(
    rf"no difference is shown in (?:(?P<count>\d+) of (?P<among>\d+)(?: scenarios)?"
    rf"(?: \((?P<list>{NAMES}(?: more)?)\))?|(?P<one>{NAMES}))"
    r"(?:, where one of (?P<hidden>\d+) % or more would probably have been"
    r"|, where even one of (?P<factor>[\d.]+)× might have been missed)?"
)
SILENT = re.compile(rf"nothing can be said of (?P<list>{NAMES}(?: more)?) \((?P<why>.+)\)")
DIFFER = re.compile(rf"mind that (?P<one>{NAME}) and (?P<other>{NAME}) are meant to differ")


def check(said: Said, results: Results) -> None:
    """Raises AssertionError where `said` is not so. Of sentences on pairs and on collapses; others
    (that nothing can be said, A/A, a target alone) are for their own tests."""
    known = {cell.id: cell for cell in results.cells}
    assert all(known[number].status != "void" for number in said.cells), said.text
    head, _, rest = said.text.removesuffix(".").partition(": ")
    if " answering in " in said.text:
        check_falls(said, results)
    elif head in HEADS or head.startswith(AT_RATES) or re.fullmatch(rf"{NAME} and {NAME}", head):
        group = list(_group(head, results))
        for clause in re.split(r"; (?![^()]*\))", rest):
            _check_clause(clause, group)
        told = {
            (c.scenario, c.load, target)
            for c in group
            if c.decision != "not comparable"
            for target in (c.baseline, c.candidate)
        }
        valid = [cell for cell in results.cells if cell.status == "valid"]
        shown = {c.id for c in valid if (c.scenario, c.load, c.target) in told}
        assert set(said.cells) == shown, said.text


def _group(head: str, results: Results) -> Iterable[Comparison]:
    """The decisive comparisons that a sentence with this head is about."""
    kind: LoadKind = "open" if head.startswith(AT_RATES) else "closed"
    pair = re.search(rf"(?:^|, )({NAME}) and ({NAME})$", head)
    for c in results.comparisons:
        metric = "throughput" if kind == "closed" else results.decisive(c.scenario, "open")
        if c.same or (c.load.kind, c.metric) != (kind, metric):
            continue
        work = results.plan.scenario(c.scenario).kind
        if head in HEADS and work != HEADS[head]:
            continue
        if pair and not (c.baseline.startswith(pair[1]) and c.candidate.startswith(pair[2])):
            continue
        yield c


def _check_clause(clause: str, group: list[Comparison]) -> None:
    told = {c.scenario for c in group if c.decision != "not comparable"}
    even = told - {c.scenario for c in group if c.decision in ("faster", "slower")}
    if found := AHEAD.fullmatch(clause):
        _check_ahead(found, group, told)
    elif found := EACH.fullmatch(clause):
        _check_each(found, group)
    elif found := LEVEL.fullmatch(clause):
        _check_named(found, names_in(found["list"] or found["one"] or ""), even, told)
        hidden = max(c.smallest_difference or 0 for c in group if c.scenario in even)
        if found["hidden"]:
            assert int(found["hidden"]) - 1 < 100 * hidden <= int(found["hidden"]) + 0.01, clause
        elif found["factor"]:
            assert 0 <= 1 + hidden - float(found["factor"]) < (1 if hidden >= 9 else 0.1), clause
    elif found := SILENT.fullmatch(clause):
        silent = {c.scenario for c in group} - told
        assert set(names_in(found["list"])) <= silent, clause
        assert any(found["why"] in c.reasons for c in group if c.scenario in silent), clause
    else:
        found = DIFFER.fullmatch(clause)
        assert found, f"cannot be read: {clause}"
        pair = (found["other"], found["one"])
        assert any(c.differs and (c.baseline, c.candidate) == pair for c in group), clause


def _check_ahead(found: re.Match[str], group: list[Comparison], told: set[str]) -> None:
    who = {found["who"], *(found["others"] or "").split(", ")} - {""}
    ahead = [c for c in group if _ahead(c) in who]
    assert {_ahead(c) for c in ahead} == who, found[0]
    given = found["list"] or found["one"] or ""
    stretches = re.findall(rf"({NAMES}) ({WHERE})(?=, |$)", given)
    listed = [name for names, _ in stretches for name in names_in(names)]
    _check_named(found, listed, {c.scenario for c in ahead}, told)
    for names, where in stretches:
        for name in names_in(names):
            loads = [c.load.value for c in ahead if c.scenario == name]
            tried = sorted(c.load.value for c in group if c.scenario == name)
            assert loads_in(where, tried) == loads, f"{name} {where}: {loads} of {tried}"
    best = max(ahead, key=_distance)
    if found["named"]:
        assert found["named"] in {c.scenario for c in ahead if _distance(c) == _distance(best)}
    if found["at"]:
        at = (found["at"], int(found["load"].replace(",", "")))
        named = next(c for c in ahead if (c.scenario, c.load.value) == at)
        assert _distance(named) == _distance(best), found[0]
        best = named
    number = re.search(r"[\d.]+(?=×)", found["by"])
    assert number
    figures = [found["low"], number[0], found["high"]]
    assert figures == [f"{figure:.2f}" for figure in _figures(best)], found[0]
    assert ("up to" in found["by"] or "down to" in found["by"]) == (len(ahead) > 1), found[0]


def _check_each(found: re.Match[str], group: list[Comparison]) -> None:
    """Of each scenario its loads and its largest ratio; the strongest first, with its interval."""
    who = {found["who"], *(found["others"] or "").split(", ")} - {""}
    ahead = [c for c in group if _ahead(c) in who]
    assert {_ahead(c) for c in ahead} == who, found[0]
    items = re.findall(OWN, found["list"])
    listed = {name for name, *_ in items}
    assert len(listed) == len(items), found[0]
    assert len(items) + int(found["more"] or 0) == len({c.scenario for c in ahead}), found[0]
    distances = []
    for n, (name, where, several, *figures) in enumerate(items):
        own = [c for c in ahead if c.scenario == name]
        tried = sorted(c.load.value for c in group if c.scenario == name)
        assert loads_in(where, tried) == [c.load.value for c in own], f"{name} {where}"
        best = max(own, key=_distance)
        low, ratio, high = (f"{figure:.2f}" for figure in _figures(best))
        assert figures == [ratio, *(("", "") if n else (low, high))], f"{name} in {found[0]}"
        sooner = "up" if best.metric == "throughput" else "down"
        assert several == (sooner if len(own) > 1 else ""), f"{name} in {found[0]}"
        distances.append(_distance(best))
    rest = [_distance(c) for c in ahead if c.scenario not in listed]
    assert [*distances, max(rest, default=0)] == sorted([*distances, max(rest, default=0)])[::-1]


def _distance(c: Comparison) -> float:
    assert c.ratio
    return abs(math.log(c.ratio.estimate))


def _figures(c: Comparison) -> list[float]:
    """Lower bound, ratio and upper bound as seen from whoever is ahead."""
    assert c.ratio
    assert c.ratio.low
    assert c.ratio.high
    figures = [c.ratio.low, c.ratio.estimate, c.ratio.high]
    if _ahead(c) == c.baseline:
        return [1 / figure for figure in reversed(figures)]
    return figures


def _check_named(found: re.Match[str], listed: list[str], named: set[str], told: set[str]) -> None:
    """Counts, and names as far as they are given; without a count, all of them."""
    if found["one"]:
        assert set(listed) == named, found[0]
        return
    assert (int(found["count"]), int(found["among"])) == (len(named), len(told)), found[0]
    assert set(listed) <= named, found[0]
    assert bool(listed) == bool(found["list"]), found[0]


def _ahead(c: Comparison) -> str:
    return {"faster": c.candidate, "slower": c.baseline}.get(c.decision, "")
