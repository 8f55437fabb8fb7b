"""Verdicts on claims, from results with known decisions; and claims.toml itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from tests.support import factories
from twinbench.analyse.claims import FIGURES, Claim, Expected, claims, read_claims
from twinbench.analyse.results import (
    CellResult,
    CellStatus,
    ClaimResult,
    Comparison,
    Decision,
    Estimate,
    Metric,
    Results,
)
from twinbench.paths import PLANS, ROOT
from twinbench.plan import Load, Plan, loads_of, read_plan

FULL = read_plan(PLANS / "full.toml")
CLAIMS = read_claims()
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
    """Async / sync at one load; left out: an interval to which the decision fits."""
    low, high = interval or {"faster": (1.5, 2.0), "slower": (0.5, 0.6)}.get(decision, (0.9, 1.1))
    found = factories.comparison(
        at(users), 1.0, decision, scenario=scenario, metric=metric, not_collapsed=not_collapsed
    )
    ratio = Estimate(estimate=(low * high) ** 0.5, low=low, high=high)
    return found.model_copy(update={"ratio": None if not_collapsed else ratio})


def results(
    *comparisons: Comparison, cells: Sequence[CellResult] = (), plan: Plan = FULL
) -> Results:
    """Of a run with those comparisons, and a cell of each target for each of them."""
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
    words = {"id": "made-up", "text": "A text.", "source": "A source"}
    return Claim.model_validate(
        words | {"comparisons": list(comparisons), "figures": list(figures)}
    )


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
        ("slower", NONE, "faster", "refuted"),
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


@pytest.mark.parametrize("expect", ["faster", "slower", "not faster", "alike"])
@pytest.mark.parametrize("interval", [(0.9, 0.95), (1.05, 1.1)])
def test_interval_without_decision_refutes_nothing(expect: Expected, interval: Interval) -> None:
    """It lies beyond the margin as a whole, but there is no decision after Holm."""
    judged = verdict(claim(expecting(expect)), results(compared(NONE, interval)))
    assert judged.verdict != "refuted"


@pytest.mark.parametrize(
    ("expect", "metric", "interval", "expected"),
    [
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
def test_no_gain_needs_an_interval_within_the_margin(
    expect: Expected, metric: Metric, interval: Interval, expected: str
) -> None:
    found = results(compared(NONE, interval, metric=metric))
    assert verdict(claim(expecting(expect, metric=metric)), found).verdict == expected


@pytest.mark.parametrize(
    ("expect", "metric", "not_collapsed", "expected"),
    [
        ("faster", "throughput", "async", "supported"),
        ("faster", "throughput", "sync", "refuted"),
        ("slower", "p99", "sync", "supported"),
        ("not faster", "p99", "async", "refuted"),
        ("not faster", "p99", "sync", "supported"),
        ("not faster", "throughput", "sync", "supported"),
        ("alike", "throughput", "sync", "refuted"),
        ("faster", "per_cpu_s", "async", "not shown"),
    ],
)
def test_target_that_does_not_collapse_is_faster(
    expect: Expected, metric: Metric, not_collapsed: str, expected: str
) -> None:
    found = results(compared("not comparable", metric=metric, not_collapsed=not_collapsed))
    assert verdict(claim(expecting(expect, metric=metric)), found).verdict == expected


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


@pytest.mark.parametrize(
    ("bound", "expected"), [({"at_least": 41}, "supported"), ({"at_most": 3}, "refuted")]
)
def test_collapse_is_beyond_any_factor(bound: Condition, expected: str) -> None:
    found = results(compared("not comparable", not_collapsed="async"))
    assert verdict(claim(expecting("faster") | bound), found).verdict == expected


def level(figure: str = "loop_lag_p99_ms", **bounds: float) -> Condition:
    condition: Condition = {"scenario": "wait", "closed": [128], "target": "sync"}
    return condition | {"figure": figure} | bounds


def blocks(
    figure: str, values: Sequence[float | None], status: CellStatus = "valid"
) -> list[CellResult]:
    """Cells of sync with those values, and one of async, which nobody asks for."""
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
        ([6.0, 7.0, 8.0, 9.0], "not shown"),  # all of four is what chance does
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
    """The full plan with something else in the scenario or target of that name."""
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
    ("condition", "error"),
    [
        (expecting("faster", atleast=2), "Extra inputs are not permitted"),
        (expecting("alike", at_least=2), "takes neither at_least nor at_most"),
        (expecting("faster", at_least=True), "valid number"),
        (expecting("faster", at_least=2, at_most=1), "at_least is above at_most"),
        (expecting("faster", open=[9]), "give either closed"),
        (expecting("faster", users=()), "give either closed"),
        (expecting("faster", users=[0]), "greater than or equal to 1"),
    ],
)
def test_claim_with_a_mistake_is_refused(condition: Condition, error: str) -> None:
    with pytest.raises(ValidationError, match=error):
        claim(condition)


def test_claim_needs_a_condition_and_a_figure_a_bound() -> None:
    with pytest.raises(ValidationError, match="give comparisons or figures"):
        claim()
    with pytest.raises(ValidationError, match="give at_least or at_most"):
        claim(figures=[level()])


def test_ids_of_claims_differ() -> None:
    assert len({published.id for published in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("published", CLAIMS, ids=lambda each: str(each.id))
def test_full_plan_measures_what_a_claim_needs(published: Claim) -> None:
    for condition in published.conditions:
        scenario = FULL.scenario(condition.scenario)
        assert set(condition.loads) <= set(loads_of(scenario))
        assert [FULL.target(name).app for name in FULL.targets_of(scenario)[:2]] == [
            *("apps.sync_app.main:app", "apps.async_app.main:app"),
        ]


@pytest.mark.parametrize("published", CLAIMS, ids=lambda each: str(each.id))
def test_p99_of_a_claim_has_enough_samples(published: Claim) -> None:
    """2,000 timed requests, on average; of closed loads their number is not known ahead."""
    for condition in published.comparisons:
        if condition.metric != "p99":
            continue
        scenario = FULL.scenario(condition.scenario)
        weights = [(request.weight, not request.background) for request in scenario.requests]
        share = sum(w for w, timed in weights if timed) / sum(w for w, _ in weights)
        assert not condition.closed
        for rate in condition.open:
            assert rate * share * FULL.measure_s_of(scenario.name) >= 2000


def test_page_names_all_values_and_has_an_example(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "claims.md").read_text()
    for word in (*get_args(Expected), *FIGURES):
        assert f"`{word}`" in page
    path = tmp_path / "claims.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    for example in read_claims(path):
        assert example.conditions == next(p for p in CLAIMS if p.id == example.id).conditions
