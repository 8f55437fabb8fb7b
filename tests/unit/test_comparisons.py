"""From the results of cells to comparisons: what is paired, what is a family, what is told."""

import math

import numpy as np
import pytest

from tests.support import runs
from tests.support.factories import cell_result
from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.decisions import smallest_difference
from twinbench.analyse.results import CellResult, CellStatus, Comparison, Metric
from twinbench.plan import Load, Plan

NOOP = {"name": "noop", "requests": [{"path": "/"}]}
# Ratios that are beyond the margin by themselves, and not among two (p = 0.0427).
BARELY = [math.exp(log) for log in (0.2, 0.3, 0.4)]


def plan_of(*scenarios: dict[str, object]) -> Plan:
    return runs.plan(scenarios=[NOOP | scenario for scenario in scenarios])


def pair(ratios: list[float], load: Load, scenario: str = "noop") -> list[CellResult]:
    """Throughputs with these ratios, in blocks that have little in common."""
    cells = []
    for block, ratio in enumerate(ratios, start=1):
        cells.append(cell_result("sync", block, 1000 * block, load=load, scenario=scenario))
        cells.append(
            cell_result("async", block, 1000 * block * ratio, load=load, scenario=scenario)
        )
    return cells


def of(found: list[Comparison], metric: Metric) -> list[Comparison]:
    return [comparison for comparison in found if comparison.metric == metric]


def test_each_metric_is_compared_by_its_own_figures() -> None:
    cells = [cell_result("sync", block) for block in (1, 2, 3)]
    cells += [
        cell_result("async", block, 1500, per_cpu_s=1000, p50_ms=20, p99_ms=5)
        for block in (1, 2, 3)
    ]
    found = comparisons(plan_of({"closed": [8]}), cells)
    assert [(c.metric, c.decision) for c in found] == [
        *(("throughput", "faster"), ("per_cpu_s", "slower")),
        *(("p50", "slower"), ("p99", "faster")),
    ]
    ratios = [c.ratio.estimate for c in found if c.ratio]
    assert ratios == pytest.approx([1.5, 0.5, 2, 0.25])


def test_cells_are_paired_by_block_and_not_by_order() -> None:
    """Without block 1 of one and block 4 of the other, in any order: 2 and 3 are left."""
    ratios = [1.5] * 4
    cells = [
        one.model_copy(update={"status": "invalid"})
        if (one.target, one.block) in (("sync", 1), ("async", 4))
        else one
        for one in reversed(pair(ratios, Load("closed", 8)))
    ]
    found = comparisons(plan_of({"closed": [8]}), cells)[0]
    assert found.ratio
    assert found.ratio.low == pytest.approx(1.5)
    assert found.ratio.high == pytest.approx(1.5)
    assert (found.blocks, found.decision) == (2, "faster")


def test_the_loads_of_one_kind_of_one_scenario_are_a_family() -> None:
    """Two closed loads are judged together; an open one, another scenario and other metrics are
    questions of their own."""
    plan = plan_of({"closed": [1, 8], "open": [100]}, {"name": "other", "closed": [8]})
    loads = [Load("closed", 1), Load("closed", 8), Load("open", 100)]
    cells = [made for load in loads for made in pair(BARELY, load)]
    cells += pair(BARELY, Load("closed", 8), "other")
    found = of(comparisons(plan, cells), "throughput")
    assert [(c.scenario, c.load, c.decision) for c in found] == [
        ("noop", Load("closed", 1), "no difference shown"),
        ("noop", Load("closed", 8), "no difference shown"),
        ("noop", Load("open", 100), "faster"),
        ("other", Load("closed", 8), "faster"),
    ]
    assert found[0].reasons == ["beyond the margin by itself, not among 2 loads"]
    expected = [0.0854, 0.0854, 0.0427, 0.0427]
    assert [c.adjusted_p for c in found] == pytest.approx(expected, abs=1e-4)


def test_every_candidate_is_a_question_of_its_own() -> None:
    targets = [{"name": name, "app": f"{name}:app"} for name in ("sync", "async", "third")]
    plan = runs.plan(targets=targets, scenarios=[NOOP | {"closed": [8]}])
    cells = pair(BARELY, Load("closed", 8))
    cells += [c.model_copy(update={"target": "third"}) for c in cells if c.target == "async"]
    found = of(comparisons(plan, cells), "throughput")
    assert [(c.candidate, c.decision) for c in found] == [("async", "faster"), ("third", "faster")]


def test_what_cannot_be_compared_is_no_member_of_the_family() -> None:
    cells = pair(BARELY, Load("closed", 1))
    cells += [c.model_copy(update={"status": "invalid"}) for c in pair(BARELY, Load("closed", 8))]
    one, invalid = of(comparisons(plan_of({"closed": [1, 8]}), cells), "throughput")
    assert one.decision == "faster"
    assert (
        invalid.decision,
        invalid.adjusted_p,
        invalid.smallest_difference,
        invalid.bootstrap,
    ) == (*("not comparable", None, None, None),)


def test_one_block_decides_nothing_and_promises_nothing() -> None:
    found = comparisons(plan_of({"closed": [8]}), pair([1.5], Load("closed", 8)))[0]
    assert (found.decision, found.blocks) == ("not comparable", 1)
    assert (found.adjusted_p, found.smallest_difference, found.bootstrap) == (None, None, None)
    assert found.reasons == ["one block alone has no interval"]


def test_the_smallest_difference_is_that_of_the_spread_the_blocks_and_the_family() -> None:
    cells = [made for users in (1, 8) for made in pair(BARELY, Load("closed", users))]
    found = comparisons(plan_of({"closed": [1, 8]}), cells)[0]
    expected = smallest_difference(0.1 / math.sqrt(3), blocks=3, among=2)
    assert found.smallest_difference == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"env": {"A": "1"}}, False),
        ({"workers": 2}, False),
        ({"expected_differences": "x"}, False),
    ],
)
def test_one_target_twice_is_told_from_two(changes: dict[str, object], same: bool) -> None:
    targets = [{"name": "sync", "app": "a:app"}, {"name": "async", "app": "a:app"} | changes]
    plan = runs.plan(targets=targets, scenarios=[NOOP | {"closed": [8]}])
    assert {comparison.same for comparison in comparisons(plan, [])} == {same}


@pytest.mark.parametrize(
    ("metric", "changes", "why"),
    [
        ("per_cpu_s", {"per_cpu_s": None}, "at a CPU time that is known"),
        ("throughput", {"throughput_rps": 0}, "both answered inside the window"),
        ("p99", {"p99_ms": None}, "too few samples for a p99 in any block"),
    ],
)
def test_what_is_lacking_is_said(metric: Metric, changes: dict[str, float], why: str) -> None:
    cells = [cell_result("sync", 1, **changes), cell_result("async", 1)]  # type: ignore[arg-type]
    [found] = of(comparisons(plan_of({"closed": [8]}), cells), metric)
    assert (found.decision, found.ratio) == ("not comparable", None)
    assert why in found.reasons[0]


def test_only_throughput_is_cross_checked_and_equal_runs_alike() -> None:
    cells = [
        one.model_copy(update={"slices": [80, 120] * 5}) for one in pair(BARELY, Load("closed", 8))
    ]
    found, again = (comparisons(plan_of({"closed": [8]}), cells) for _ in range(2))
    assert found == again
    assert [c.metric for c in found if c.bootstrap] == ["throughput"]
    assert found[0].bootstrap
    assert found[0].bootstrap.estimate == pytest.approx(BARELY[1], rel=0.02)


def test_a_decision_stands_though_the_cross_check_has_doubts() -> None:
    """Ratios hardly differ from block to block; the slices of each window do, wildly."""
    wild = [0] * 9 + [1000]
    cells = [
        cell_result(target, block, rps + block, slices=wild)
        for block in (1, 2, 3)
        for target, rps in (("sync", 1000), ("async", 1100))
    ]
    found = comparisons(plan_of({"closed": [8]}), cells)[0]
    assert found.decision == "faster"
    assert len(found.reasons) == 1
    assert "does not exclude that the two are equal" in found.reasons[0]


@pytest.mark.parametrize(("planted", "decision"), [(1.2, "faster"), (1, "no difference shown")])
def test_what_was_planted_comes_out_of_a_few_dozen_runs(planted: float, decision: str) -> None:
    """Five blocks whose level wanders by 30 %, for both alike; each cell's own noise is 2 %. By
    levels alone nothing could be shown."""
    rng = np.random.default_rng(1)
    plan = plan_of({"closed": [8]})
    for _ in range(40):
        levels = 1000 * np.exp(rng.normal(0, 0.3, 5))
        own = np.exp(rng.normal(0, 0.02, (2, 5))) * [[1], [planted]]
        cells = [
            cell_result(target, block, float(levels[block] * own[n, block]))
            for n, target in enumerate(("sync", "async"))
            for block in range(5)
        ]
        assert comparisons(plan, cells)[0].decision == decision


def with_status(found: list[CellResult], status: CellStatus, *which: tuple[str, int]) -> None:
    for one in found:
        if (one.target, one.block) in which:
            one.status = status


def test_blocks_beside_a_collapsed_one_are_compared() -> None:
    cells = pair([1.5] * 5, Load("closed", 8))
    with_status(cells, "collapsed", ("sync", 2))
    for found in comparisons(plan_of({"closed": [8]}), cells):
        assert found.collapses == ["sync collapsed in 1 of 5 blocks"]
        assert (found.blocks, found.survivor) == (4, None)
    found = comparisons(plan_of({"closed": [8]}), cells)[0]
    assert (found.decision, found.reasons) == ("faster", [])
    assert found.ratio
    assert found.ratio.estimate == pytest.approx(1.5)


@pytest.mark.parametrize("other", ["valid", "collapsed"])
def test_where_half_of_the_blocks_collapsed_nothing_is_compared(other: CellStatus) -> None:
    cells = pair([1.5] * 6, Load("closed", 8))
    with_status(cells, "collapsed", *[("sync", block) for block in (1, 2, 3)])
    with_status(cells, other, ("async", 1))
    found = comparisons(plan_of({"closed": [8]}), cells)[0]
    assert (found.decision, found.ratio, found.blocks) == ("not comparable", None, 0)
    assert found.survivor == (None if other == "collapsed" else "async")
    assert found.reasons == found.collapses
    assert found.collapses[0] == "sync collapsed in 3 of 6 blocks"


def test_one_block_beside_a_collapsed_one_is_not_compared() -> None:
    cells = pair([1.5] * 3, Load("closed", 8))
    with_status(cells, "collapsed", ("sync", 1))
    with_status(cells, "invalid", ("async", 2))
    found = comparisons(plan_of({"closed": [8]}), cells)[0]
    assert (found.decision, found.ratio, found.blocks) == ("not comparable", None, 0)
    assert found.reasons == ["sync collapsed in 1 of 3 blocks", "one block alone has no interval"]
