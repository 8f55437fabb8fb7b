"""Summaries of runs: key figures, and which differences between two runs count."""

from pathlib import Path

import pytest

from tests.support import factories
from tests.support.outcomes import Outcome, Outcomes, collapse, results_of, with_scenarios
from twinbench.analyse.results import Results
from twinbench.analyse.summary import Summary, changes, summarize
from twinbench.models import MAX_FIGURE
from twinbench.plan import Load

BOTH = Outcomes(
    "read", {8: Outcome(), 64: collapse("sync")}, {50: Outcome(1.5), 100: collapse("async")}
)


def changed(before: Results, after: Results) -> list[str]:
    """Return what changed for the first scenario of two runs."""
    one, other = summarize(before, ""), summarize(after, "")
    return [
        *changes(one.conditions, other.conditions),
        *changes(one.scenarios[0].conditions, other.scenarios[0].conditions),
    ]


def with_plan(results: Results, **keys: object) -> Results:
    return results.model_copy(update={"plan": results.plan.model_copy(update=keys)})


def test_key_figures_are_capacity_and_p99_without_collapses() -> None:
    found = summarize(results_of(BOTH), "read is fast")
    assert (found.measured, found.valid, found.collapsed) == (40, 30, 10)
    figures = {(f.target, f.metric, f.load): f for f in found.scenarios[0].figures}
    rates = (("sync", 50), ("sync", 100), ("async", 50))
    assert figures.keys() == {
        *((target, "throughput", Load("closed", 8)) for target in ("sync", "async")),
        *((target, "p99", Load("open", rate)) for target, rate in rates),
    }
    p99 = figures["async", "p99", Load("open", 50)]
    assert p99.value == pytest.approx(30)
    assert p99.blocks == 5
    assert Summary.model_validate_json(found.model_dump_json()) == found


def test_an_endless_interval_is_bounded() -> None:
    wide = results_of(Outcomes("read", {8: Outcome(step=99)}), blocks=2)
    assert all(f.high and f.high <= MAX_FIGURE for f in summarize(wide, "").scenarios[0].figures)


def test_equal_titles_are_told_apart_by_their_notes() -> None:
    results = results_of(Outcomes("one", {8: Outcome()}), Outcomes("other", {8: Outcome()}))
    results = with_scenarios(
        results, one={"title": "Read", "note": "sized"}, other={"title": "Read"}
    )
    assert [each.title for each in summarize(results, "").scenarios] == ["Read, sized", "Read"]


def test_what_decides_a_figure_is_a_change() -> None:
    before = results_of(BOTH)
    machine = factories.machine(system="Linux 7")
    versions = {"python": "3.11", "fastapi": "1"}
    after = before.model_copy(update={"machine": machine, "versions": versions})
    after = with_scenarios(with_plan(after, measure_s=9.0), read={"closed": [8]})
    assert changed(before, after) == [
        "machine.system Linux → Linux 7",
        "versions.fastapi 0 → 1",
        f"plan.measure_s {before.plan.measure_s} → 9.0",
        "closed [8, 64] → [8]",
    ]
    first, second = before.plan.targets
    longer = first.model_copy(update={"env": {"A": "1" * 99}})
    assert changed(before, with_plan(before, targets=[longer, second])) == [
        "targets.sync.env.A changed"
    ]
    assert changed(before, with_plan(before, targets=[first])) == ["targets.async given → –"]


def test_an_slo_is_no_change() -> None:
    before = results_of(BOTH)
    assert changed(before, with_plan(before, slo_ms=9.0)) == []


def test_folders_of_compared_versions_are_no_change() -> None:
    """Each run makes them anew, in its scratch folder."""

    def run(scratch: str) -> Results:
        places = ({"cwd": Path(scratch, "head")}, {"import_from": Path(scratch, "head")})
        results = results_of(BOTH)
        targets = [
            target.model_copy(update={"env": {"PYTHONPATH": f"{scratch}/head"}, **place})
            for target, place in zip(results.plan.targets, places, strict=True)
        ]
        return with_plan(results, targets=targets)

    folders = [f"/tmp/twinbench-{pid}-1760000000-ab12cd" for pid in (41, 4242)]  # noqa: S108
    assert changed(*map(run, folders)) == []
    assert "targets.sync.cwd ./head → other/head" in changed(run(folders[0]), run("other"))
