"""Comparisons: which cells are paired, and which decisions are a family."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import factories, runs
from tests.support.factories import EIGHT_USERS, cell_result
from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.results import CellResult, CellStatus, Comparison, Metric
from twinbench.analyse.statistics import smallest_difference
from twinbench.plan import Cell, Load, Plan
from twinbench.versions.result import BASE, BASE_AGAIN, HEAD

# Ratios that are beyond the margin as a single load, but not as one of two (p = 0.0427).
BARELY = [math.exp(log) for log in (0.2, 0.3, 0.4)]
ALL_VALID: Mapping[str, CellStatus] = {}


def plan_of(*scenarios: dict[str, object]) -> Plan:
    return factories.plan(scenarios=[factories.scenario(**each) for each in scenarios])


PLAN = plan_of({"closed": [8]})


def pair(
    ratios: list[float],
    load: Load = EIGHT_USERS,
    scenario: str = "noop",
    statuses: Mapping[str, CellStatus] = ALL_VALID,
) -> list[CellResult]:
    """Return cells with these ratios of throughput, in blocks that have little in common.

    `statuses` are by target and block, as "sync1".
    """
    return [
        cell_result(
            target,
            block,
            1000 * block * factor,
            load=load,
            scenario=scenario,
            status=statuses.get(f"{target}{block}", "valid"),
        )
        for block, ratio in enumerate(ratios, start=1)
        for target, factor in (("sync", 1.0), ("async", ratio))
    ]


def of(found: list[Comparison], metric: Metric) -> list[Comparison]:
    return [comparison for comparison in found if comparison.metric == metric]


def interval(comparison: Comparison) -> tuple[float | None, float | None]:
    assert comparison.ratio
    return comparison.ratio.low, comparison.ratio.high


def test_known_figures_give_known_ratios(tmp_path: Path) -> None:
    """Blocks differ by a lot, the targets by 1.5 in each of them."""

    def make(cell: Cell) -> runs.Made:
        return runs.steady(cell, (1000 + 400 * cell.block) * (3 if cell.target == "async" else 2))

    results = runs.analysed(tmp_path, make)
    for comparison in results.compared("noop", "closed", "throughput"):
        assert interval(comparison) == pytest.approx((1.5, 1.5))
        assert (comparison.decision, comparison.blocks) == ("faster", 3)
    for comparison in results.compared("noop", "closed", "p50"):
        assert interval(comparison) == pytest.approx((1 / 1.5, 1 / 1.5), rel=1e-3)
        assert comparison.decision == "faster"


def test_each_metric_is_compared_by_its_own_figures() -> None:
    cells = [cell_result("sync", block) for block in (1, 2, 3)]
    cells += [
        cell_result("async", block, 1500, per_cpu_s=1000, p50_ms=20, p99_ms=5)
        for block in (1, 2, 3)
    ]
    found = comparisons(PLAN, cells)
    assert [(c.metric, c.decision) for c in found] == [
        *(("throughput", "faster"), ("per_cpu_s", "slower")),
        *(("p50", "slower"), ("p99", "faster")),
    ]
    assert [c.ratio.estimate for c in found if c.ratio] == pytest.approx([1.5, 0.5, 2, 0.25])


def test_cells_are_paired_by_block_not_by_order() -> None:
    cells = pair([1.5] * 4, statuses={"sync1": "invalid", "async4": "invalid"})[::-1]
    found = comparisons(PLAN, cells)[0]
    assert interval(found) == pytest.approx((1.5, 1.5))
    assert (found.blocks, found.decision) == (2, "faster")


def test_family_is_the_loads_of_one_kind_of_a_scenario() -> None:
    """Open loads, other scenarios and other metrics are other families."""
    plan = plan_of({"closed": [1, 8], "open": [100]}, {"name": "other", "closed": [8]})
    loads = [Load("closed", 1), EIGHT_USERS, Load("open", 100)]
    cells = [made for load in loads for made in pair(BARELY, load)]
    found = of(comparisons(plan, cells + pair(BARELY, EIGHT_USERS, "other")), "throughput")
    assert [(c.scenario, c.load, c.decision) for c in found] == [
        ("noop", Load("closed", 1), "no difference shown"),
        ("noop", EIGHT_USERS, "no difference shown"),
        ("noop", Load("open", 100), "faster"),
        ("other", EIGHT_USERS, "faster"),
    ]
    expected = [0.0854, 0.0854, 0.0427, 0.0427]
    assert [c.adjusted_p for c in found] == pytest.approx(expected, abs=1e-4)
    difference = smallest_difference(0.1 / math.sqrt(3), blocks=3, among=2)
    assert found[0].smallest_difference == pytest.approx(difference)


def test_each_candidate_is_a_family() -> None:
    targets = [{"name": name, "app": f"{name}:app"} for name in ("sync", "async", "third")]
    plan = factories.plan(targets=targets, scenarios=[factories.scenario(closed=[8])])
    cells = pair(BARELY)
    cells += [c.model_copy(update={"target": "third"}) for c in cells if c.target == "async"]
    found = of(comparisons(plan, cells), "throughput")
    assert [(c.candidate, c.decision) for c in found] == [("async", "faster"), ("third", "faster")]


def test_loads_without_a_ratio_are_not_in_the_family() -> None:
    plan, cells = plan_of({"closed": [1, 8]}), pair(BARELY, Load("closed", 1))
    one, missing = of(comparisons(plan, cells), "throughput")
    assert one.decision == "faster"
    assert (missing.decision, missing.ratio, missing.adjusted_p) == ("not comparable", None, None)


def test_single_block_has_a_ratio_without_a_decision() -> None:
    found = comparisons(PLAN, pair([1.5]))[0]
    assert found.ratio
    assert (found.decision, found.blocks) == ("not comparable", 1)
    assert (found.adjusted_p, found.smallest_difference) == (None, None)
    assert found.reasons == ["a single block has no interval"]


def test_base_again_is_base_in_a_copy_of_its_folder() -> None:
    folders = {BASE: "/base", HEAD: "/head", BASE_AGAIN: "/again"}
    targets = [{"name": n, "app": "a:app", "import_from": of} for n, of in folders.items()]
    found = comparisons(factories.versions_plan(targets=targets), [])
    assert {each.candidate: each.aa_check for each in found} == {HEAD: False, BASE_AGAIN: True}


@pytest.mark.parametrize(
    ("changes", "aa_check"),
    [
        ({}, True),
        ({"title": "again", "note": "as above"}, True),
        ({"env": {"A": "1"}}, False),
        ({"workers": 2}, False),
        ({"expected_differences": "x"}, False),
    ],
)
def test_aa_check_is_one_target_under_two_names(changes: dict[str, object], aa_check: bool) -> None:
    targets = [{"name": "sync", "app": "a:app"}, {"name": "async", "app": "a:app"} | changes]
    plan = factories.plan(targets=targets, scenarios=[factories.scenario(closed=[8])])
    found = comparisons(plan, [])
    assert {comparison.aa_check for comparison in found} == {aa_check}
    assert found[0].expected_differences == changes.get("expected_differences")


@pytest.mark.parametrize("key", ["cwd", "import_from"])
def test_base_again_in_a_copy_is_an_aa_check(key: str) -> None:
    names = (BASE, HEAD, BASE_AGAIN)
    targets = [{"name": name, "app": "a:app", key: f"/versions/{name}"} for name in names]
    plan = factories.plan(targets=targets, scenarios=[factories.scenario(closed=[8])])
    found = {(each.candidate, each.aa_check) for each in comparisons(plan, [])}
    assert found == {(HEAD, False), (BASE_AGAIN, True)}


def test_expected_differences_are_of_targets_and_scenario() -> None:
    scenario = factories.scenario(closed=[8], expected_differences={"SQL": "a join"})
    for differing, text in ((None, "SQL: a join"), ("x", "x; SQL: a join")):
        other = {"name": "b", "app": "a:app", "expected_differences": differing}
        targets = [{"name": "a", "app": "a:app"}, other]
        plan = factories.plan(targets=targets, scenarios=[scenario])
        assert {each.expected_differences for each in comparisons(plan, [])} == {text}


@pytest.mark.parametrize(
    ("metric", "changes", "reason"),
    [
        ("per_cpu_s", {"per_cpu_s": None}, "with a known CPU time"),
        ("throughput", {"throughput_rps": 0}, "both responded inside the window"),
        ("p99", {"p99_ms": None}, "too few samples for a p99 in any block"),
        ("p50", {"status": "invalid"}, "no valid measurements of sync"),
    ],
)
def test_reason_says_why_there_is_no_ratio(
    metric: Metric, changes: dict[str, float], reason: str
) -> None:
    cells = [cell_result("sync", 1, **changes), cell_result("async", 1)]  # type: ignore[arg-type]
    [found] = of(comparisons(PLAN, cells), metric)
    assert (found.decision, found.ratio) == ("not comparable", None)
    assert reason in found.reasons[0]


def test_blocks_beside_a_collapse_are_compared() -> None:
    found = comparisons(PLAN, pair([1.5] * 5, statuses={"sync2": "collapsed"}))[0]
    assert found.collapses == ["sync collapsed in 1 of 5 blocks"]
    assert (found.blocks, found.not_collapsed, found.reasons) == (4, None, [])
    assert found.decision == "faster"


@pytest.mark.parametrize(
    ("blocks", "statuses", "not_collapsed", "reasons"),
    [
        (2, {"sync1": "collapsed"}, "async", ["sync collapsed in 1 of 2 blocks"]),
        (
            *(2, {"sync1": "collapsed", "async1": "collapsed"}, None),
            ["sync collapsed in 1 of 2 blocks", "async collapsed in 1 of 2 blocks"],
        ),
        (
            *(3, {"sync1": "collapsed", "async2": "invalid"}, None),
            ["sync collapsed in 1 of 3 blocks", "a single block has no interval"],
        ),
    ],
)
def test_no_ratio_beside_collapses(
    blocks: int, statuses: dict[str, CellStatus], not_collapsed: str | None, reasons: list[str]
) -> None:
    """In half of the blocks, or with a single block left."""
    found = comparisons(PLAN, pair([1.5] * blocks, statuses=statuses))[0]
    assert (found.decision, found.ratio, found.blocks) == ("not comparable", None, 0)
    assert (found.not_collapsed, found.reasons) == (not_collapsed, reasons)


@pytest.mark.parametrize(
    ("collapses", "invalid", "not_collapsed"),
    [(5, 0, "async"), (3, 0, "async"), (2, 0, None), (5, 2, "async"), (5, 4, None), (0, 4, None)],
)
def test_not_collapsed_responds_in_most_blocks(
    collapses: int, invalid: int, not_collapsed: str | None
) -> None:
    """`sync` collapses in the first blocks, `async` is invalid in the first ones."""
    statuses: dict[str, CellStatus] = {
        **{f"sync{block}": "collapsed" for block in range(1, collapses + 1)},
        **{f"async{block}": "invalid" for block in range(1, invalid + 1)},
    }
    found = comparisons(PLAN, pair([1.5] * 5, statuses=statuses))
    assert {comparison.not_collapsed for comparison in found} == {not_collapsed}


@pytest.mark.parametrize(("sync_ms", "decision"), [(1.9, "not comparable"), (2.1, "faster")])
def test_response_times_below_twice_the_floor(sync_ms: float, decision: str) -> None:
    """One of the two above it is enough: that it is slower is certain then."""
    cells = [cell_result("sync", block, p50_ms=sync_ms) for block in (1, 2, 3)]
    cells += [cell_result("async", block, p50_ms=0.5) for block in (1, 2, 3)]
    floor = factories.self_check(latency_p50_ms=1.0).floor
    [found] = of(comparisons(PLAN, cells, floor), "p50")
    assert found.decision == decision
    assert (found.ratio is None) == (decision == "not comparable")
