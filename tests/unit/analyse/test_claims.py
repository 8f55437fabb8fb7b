"""Verdicts on claims, from results with known decisions; and claims.toml itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from tests.support import factories
from twinbench.analyse.claims import (
    FIGURES,
    Claim,
    ComparisonCondition,
    Expected,
    claims,
    read_claims,
)
from twinbench.analyse.results import (
    CellResult,
    CellStatus,
    ClaimResult,
    Comparison,
    Decision,
    Metric,
    Results,
)
from twinbench.paths import PLANS, ROOT
from twinbench.plan import Load, Plan, loads_of, read_plan

FULL = read_plan(PLANS / "full.toml")
CLAIMS = read_claims()
WORDS: dict[str, object] = {"id": "made-up", "text": "A text.", "source": "A source"}
NONE: Decision = "no difference shown"
Interval = tuple[float, float]
Condition = dict[str, object]


def at(users: int) -> Load:
    return Load("closed", users)


def compared(
    decision: Decision,
    interval: Interval | None = None,
    users: int = 128,
    *,
    metric: Metric = "throughput",
    not_collapsed: str | None = None,
    scenario: str = "wait",
) -> Comparison:
    """Return async / sync at one load, by default with an interval that fits the decision."""
    intervals = {"faster": (1.5, 2.0), "slower": (0.5, 0.6)}
    fitting = None if not_collapsed else intervals.get(decision, (0.9, 1.1))
    found = factories.comparison(at(users), interval or fitting, decision, scenario=scenario)
    return found.model_copy(update={"metric": metric, "not_collapsed": not_collapsed})


def results(
    *comparisons: Comparison, cells: Sequence[CellResult] = (), plan: Plan = FULL
) -> Results:
    """Return results with these comparisons, and a cell of each target for each of them."""
    behind = [
        factories.cell_result(target, 1, scenario=found.scenario, load=found.load)
        for found in comparisons
        for target in (found.baseline, found.candidate)
    ]
    numbered = [
        each.model_copy(update={"id": n}) for n, each in enumerate([*behind, *cells], start=1)
    ]
    return factories.results(plan, comparisons=list(comparisons), cells=numbered)


def expecting(expect: Expected, users: Sequence[int] = (128,), **changes: object) -> Condition:
    condition: Condition = {"scenario": "wait", "closed": list(users), "metric": "throughput"}
    return condition | {"expect": expect} | changes


def claim(*comparisons: Condition, figures: Sequence[Condition] = ()) -> Claim:
    return Claim.model_validate(WORDS | {"comparisons": comparisons, "figures": figures})


def verdict(of: Claim, found: Results) -> ClaimResult:
    [judged] = claims(found, [of])
    return judged


@pytest.mark.parametrize(
    ("expect", "low_load", "high_load", "expected"),
    [
        ("faster", "faster", "faster", "supported"),
        ("faster", "faster", NONE, "not shown"),
        ("faster", "faster", "not comparable", "not shown"),
        ("faster", "slower", "faster", "refuted"),
        ("slower", "slower", "slower", "supported"),
        ("not faster", "slower", "slower", "supported"),
        ("not faster", "slower", "faster", "refuted"),
        ("not faster", "slower", "not comparable", "not shown"),
        ("alike", NONE, "slower", "refuted"),
    ],
)
def test_decisions_judge_a_comparison(
    expect: Expected, low_load: Decision, high_load: Decision, expected: str
) -> None:
    found = results(compared(low_load, users=64), compared(high_load))
    assert verdict(claim(expecting(expect, (64, 128))), found).verdict == expected


@pytest.mark.parametrize(
    ("expect", "metric", "interval", "expected"),
    [
        # Beyond the margin as a whole, but without a decision after Holm.
        ("faster", "throughput", (1.05, 1.1), "not shown"),
        ("not faster", "throughput", (1.05, 1.1), "not shown"),
        ("alike", "throughput", (1.05, 1.1), "not shown"),
        # Within the margin, on one side or on both.
        ("not faster", "throughput", (0.80, 1.02), "supported"),
        ("not faster", "throughput", (0.99, 1.04), "not shown"),
        ("not faster", "p99", (0.99, 1.30), "supported"),
        ("not faster", "p99", (0.96, 1.01), "not shown"),
        ("alike", "throughput", (0.98, 1.02), "supported"),
        ("alike", "throughput", (0.96, 1.02), "not shown"),
        ("alike", "p99", (0.98, 1.02), "supported"),
        ("alike", "p99", (0.98, 1.04), "not shown"),
    ],
)
def test_interval_without_decision_refutes_nothing(
    expect: Expected, metric: Metric, interval: Interval, expected: str
) -> None:
    found = results(compared(NONE, interval, metric=metric))
    assert verdict(claim(expecting(expect, metric=metric)), found).verdict == expected


@pytest.mark.parametrize(
    ("expect", "metric", "not_collapsed", "bounds", "expected"),
    [
        ("faster", "throughput", "async", {}, "supported"),
        ("faster", "throughput", "sync", {}, "refuted"),
        ("slower", "p99", "sync", {}, "supported"),
        ("not faster", "p99", "async", {}, "refuted"),
        ("not faster", "p99", "sync", {}, "supported"),
        ("not faster", "throughput", "sync", {}, "supported"),
        ("alike", "throughput", "sync", {}, "refuted"),
        ("faster", "per_cpu_s", "async", {}, "not shown"),
        # By more than any factor.
        ("faster", "throughput", "async", {"at_least": 41}, "supported"),
        ("faster", "throughput", "async", {"at_most": 3}, "refuted"),
    ],
)
def test_target_that_does_not_collapse_is_faster(
    expect: Expected, metric: Metric, not_collapsed: str, bounds: Condition, expected: str
) -> None:
    found = results(compared("not comparable", metric=metric, not_collapsed=not_collapsed))
    of = claim(expecting(expect, metric=metric) | bounds)
    assert verdict(of, found).verdict == expected


@pytest.mark.parametrize(
    ("decision", "intervals", "expected"),
    [
        ("faster", [(2.1, 2.9), (2.5, 2.6)], "supported"),
        ("faster", [(1.1, 1.9), (3.1, 4.0)], "refuted"),
        ("faster", [(1.1, 1.9), (2.5, 2.6)], "not shown"),
        ("faster", [(1.9, 2.5), (1.1, 1.9)], "not shown"),
        (NONE, [(0.5, 1.9), (0.5, 1.9)], "not shown"),
        ("slower", [(0.5, 0.6), (0.5, 0.6)], "refuted"),
    ],
)
def test_bounds_are_broken_at_all_loads_or_not(
    decision: Decision, intervals: Sequence[Interval], expected: str
) -> None:
    found = results(*(compared(decision, i, n) for i, n in zip(intervals, (64, 128), strict=True)))
    bounded = expecting("faster", (64, 128), at_least=2, at_most=3)
    assert verdict(claim(bounded), found).verdict == expected


def level(figure: str = "loop_lag_p99_ms", **bounds: float) -> Condition:
    condition: Condition = {"scenario": "wait", "closed": [128], "target": "sync"}
    return condition | {"figure": figure} | bounds


def blocks(
    figure: str, values: Sequence[float | None], status: CellStatus = "valid"
) -> list[CellResult]:
    """Return cells of sync with these values, and one of async."""
    sync = factories.cell_result("sync", 1, load=at(128), scenario="wait", status=status)
    made = [
        sync.model_copy(update={"block": n, figure: value}) for n, value in enumerate(values, 1)
    ]
    return [*made, sync.model_copy(update={"target": "async"})]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([6.0, 7.0, 5.0, 9.0, 90.0], "supported"),
        ([1.0, 2.0, 4.9, 3.0, 4.0], "refuted"),
        ([6.0, 7.0, 4.9, 9.0, 90.0], "not shown"),
        ([6.0, 7.0, 8.0, 9.0], "not shown"),  # four may be chance
        ([6.0, 7.0, 8.0, 9.0, 9.0, None], "not shown"),
    ],
)
def test_all_blocks_judge_a_figure(values: Sequence[float | None], expected: str) -> None:
    found = results(cells=blocks("loop_lag_p99_ms", values))
    judged = verdict(claim(figures=[level(at_least=5)]), found)
    assert (judged.verdict, judged.cells) == (expected, list(range(1, len(values) + 1)))


@pytest.mark.parametrize(
    ("status", "figure", "expected"),
    [
        ("valid", "threads_used_max", "supported"),
        ("collapsed", "threads_used_max", "supported"),
        ("invalid", "threads_used_max", "not shown"),
        ("valid", "throughput_rps", "supported"),
        ("collapsed", "throughput_rps", "not shown"),
        ("valid", "collapsed", "refuted"),
        ("collapsed", "collapsed", "supported"),
    ],
)
def test_telemetry_of_a_collapsed_server_counts(
    status: CellStatus, figure: str, expected: str
) -> None:
    found = results(cells=blocks("threads_used_max", [40] * 5, status))
    assert verdict(claim(figures=[level(figure, at_least=1)]), found).verdict == expected


@pytest.mark.parametrize(
    ("wait", "fetch", "expected", "named"),
    [
        ("faster", "faster", "supported", {"wait", "fetch"}),
        ("faster", NONE, "not shown", {"fetch"}),
        (NONE, "slower", "refuted", {"fetch"}),
    ],
)
def test_all_conditions_support_and_one_refutes(
    wait: Decision, fetch: Decision, expected: str, named: set[str]
) -> None:
    of = claim(expecting("faster"), expecting("faster", scenario="fetch"))
    judged = verdict(of, results(compared(wait), compared(fetch, scenario="fetch")))
    assert (judged.verdict, judged.cells) == (expected, [1, 2, 3, 4])
    assert {name for name in ("wait", "fetch") if f"{name}: " in judged.evidence} == named


def test_loads_not_measured_are_not_shown() -> None:
    of = claim(expecting("faster", (64, 128)), figures=[level(at_least=5)])
    assert verdict(of, results(compared("faster"))).verdict == "not shown"
    assert verdict(of, results(compared("slower"))).verdict == "refuted"
    assert claims(results(compared("faster", users=32)), [of]) == []
    assert claims(results(), [of]) == []


def changed(named: str, **update: object) -> Plan:
    """Return the full plan with changes to the scenario or target of that name."""
    table = FULL.model_dump(exclude_none=True)
    for item in (*table["scenarios"], *table["targets"]):
        if item["name"] == named:
            item.update(update)
    return Plan.model_validate(table)


@pytest.mark.parametrize(
    ("plan", "judged"),
    [
        (FULL, True),
        (changed("wait", about="Other words.", targets=["sync", "async", "sync_sized"]), True),
        (changed("sync", telemetry=False), True),
        (changed("sync", env={}), True),
        (changed("wait", name="wait_for_me"), False),
        (changed("wait", requests=[{"path": "/workload/wait?ms=500"}]), False),
        (changed("wait", targets=["async", "sync"]), False),
        (changed("sync", app="my.app:app"), False),
        (changed("async", env={"BLOG_POOL_SIZE": "1"}), False),
    ],
)
def test_only_scenarios_of_the_full_plan_are_evaluated(plan: Plan, judged: bool) -> None:
    found = results(compared("faster"), plan=plan)
    assert len(claims(found, [claim(expecting("faster"))])) == judged


def test_other_folders_and_target_names_are_evaluated() -> None:
    """The files that a scenario sends lie in another folder in every checkout."""
    text = FULL.model_dump_json(exclude_none=True).replace("scenarios/picture", "elsewhere/picture")
    plan = Plan.model_validate_json(text.replace('"async_sized"', '"loop"'))
    assert plan.scenario("blog_mix").requests != FULL.scenario("blog_mix").requests
    found = compared("faster", scenario="blog_mix").model_copy(
        update={"baseline": "sync_sized", "candidate": "loop"}
    )
    judged = verdict(claim(expecting("faster", scenario="blog_mix")), results(found, plan=plan))
    assert (judged.verdict, judged.cells) == ("supported", [1, 2])


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        ({"comparisons": [expecting("alike", at_least=2)]}, "takes neither at_least nor at_most"),
        ({"comparisons": [expecting("faster", at_least=2, at_most=1)]}, "at_least is above"),
        ({"comparisons": [expecting("faster", open=[9])]}, "give either closed"),
        ({"comparisons": [expecting("faster", users=())]}, "give either closed"),
        ({"figures": [level()]}, "give at_least or at_most"),
        ({}, "give comparisons or figures"),
    ],
)
def test_claim_with_a_mistake_is_refused(conditions: Condition, error: str) -> None:
    with pytest.raises(ValidationError, match=error):
        Claim.model_validate(WORDS | conditions)


def test_ids_of_claims_differ() -> None:
    assert len({published.id for published in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("published", CLAIMS, ids=lambda each: str(each.id))
def test_plan_of_a_claim_measures_what_it_needs(published: Claim) -> None:
    plan = read_plan(PLANS / f"{published.plan}.toml")
    for condition in published.conditions:
        scenario = plan.scenario(condition.scenario)
        assert set(condition.loads) <= set(loads_of(scenario))
        assert len(plan.targets_of(scenario)) >= 2


@pytest.mark.parametrize(
    "published", [each for each in CLAIMS if each.plan == "full"], ids=lambda each: str(each.id)
)
def test_full_plan_compares_sync_and_async(published: Claim) -> None:
    for condition in published.conditions:
        targets = FULL.targets_of(FULL.scenario(condition.scenario))[:2]
        apps = [FULL.target(name).app for name in targets]
        assert apps == ["apps.sync_app.main:app", "apps.async_app.main:app"]


@pytest.mark.parametrize(
    ("plan", "condition"),
    [(of.plan, each) for of in CLAIMS for each in of.comparisons if each.metric == "p99"],
)
def test_p99_of_a_claim_has_enough_samples(plan: str, condition: ComparisonCondition) -> None:
    """2,000 timed requests, on average; of closed loads their number is not known ahead."""
    measured = read_plan(PLANS / f"{plan}.toml")
    scenario = measured.scenario(condition.scenario)
    weights = [(request.weight, not request.background) for request in scenario.requests]
    share = sum(w for w, timed in weights if timed) / sum(w for w, _ in weights)
    assert not condition.closed
    assert min(condition.open) * share * measured.measure_s_of(scenario.name) >= 2000


def test_claim_is_judged_by_its_plan_only() -> None:
    """`list_posts` of the plan `drivers` compares two drivers, that of `full` the two apps."""
    drivers = read_plan(PLANS / "drivers.toml")
    condition = expecting("faster", (8,), scenario="list_posts")
    of = Claim.model_validate(WORDS | {"plan": "drivers", "comparisons": [condition]})
    in_full = compared("faster", users=8, scenario="list_posts").model_copy(
        update={"baseline": "sync_sized", "candidate": "async_sized"}
    )
    in_drivers = in_full.model_copy(update={"baseline": "async", "candidate": "async_asyncpg"})
    assert claims(results(in_full), [of]) == []
    assert verdict(of, results(in_drivers, plan=drivers)).verdict == "supported"
    assert claims(results(in_drivers, plan=drivers), [claim(condition)]) == []


def test_page_names_all_values_and_has_an_example(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "claims.md").read_text()
    for word in (*get_args(Expected), *FIGURES):
        assert f"`{word}`" in page
    path = tmp_path / "claims.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    for example in read_claims(path):
        assert example.conditions == next(p for p in CLAIMS if p.id == example.id).conditions
