"""Claims judged by made-up results with known verdicts; and claims.toml itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest

from tests.support import factories
from tests.support.factories import cell_result
from twinbench.analyse.claims import FIGURES, Claim, ClaimsError, Expected, judge, read_claims
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
    survivor: str | None = None,
    scenario: str = "wait",
) -> Comparison:
    """async / sync at one load; left out: an interval to which the decision fits."""
    low, high = interval or {"faster": (1.5, 2.0), "slower": (0.5, 0.6)}.get(decision, (0.9, 1.1))
    found = factories.comparison(
        at(users), 1.0, decision, scenario=scenario, metric=metric, survivor=survivor
    )
    ratio = Estimate(estimate=(low * high) ** 0.5, low=low, high=high)
    return found.model_copy(update={"ratio": None if survivor else ratio})


def results(
    *comparisons: Comparison, cells: Sequence[CellResult] = (), plan: Plan = FULL
) -> Results:
    """Of a run with those comparisons, and a cell of each target for each of them."""
    behind = [
        cell_result(target, 1, scenario=found.scenario, load=found.load)
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
    [judged] = judge([of], found)
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
def test_an_interval_refutes_nothing(expect: Expected, interval: Interval) -> None:
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
    ("expect", "metric", "survivor", "expected"),
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
def test_who_does_not_collapse_is_faster(
    expect: Expected, metric: Metric, survivor: str, expected: str
) -> None:
    found = results(compared("not comparable", metric=metric, survivor=survivor))
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
def test_bounds_are_broken_at_all_loads_or_not_at_all(
    decision: Decision, intervals: Sequence[Interval], expected: str
) -> None:
    found = results(*(compared(decision, i, n) for i, n in zip(intervals, (64, 128), strict=True)))
    bounded = expecting("faster", (64, 128), at_least=2, at_most=3)
    assert verdict(claim(bounded), found).verdict == expected


@pytest.mark.parametrize(
    ("bound", "expected"), [({"at_least": 41}, "supported"), ({"at_most": 3}, "refuted")]
)
def test_a_collapse_is_beyond_any_factor(bound: Condition, expected: str) -> None:
    found = results(compared("not comparable", survivor="async"))
    assert verdict(claim(expecting("faster") | bound), found).verdict == expected


def level(figure: str = "loop_lag_p99_ms", **bounds: float) -> Condition:
    condition: Condition = {"scenario": "wait", "closed": [128], "target": "sync"}
    return condition | {"figure": figure} | bounds


def blocks(
    figure: str, values: Sequence[float | None], status: CellStatus = "valid"
) -> list[CellResult]:
    """Cells of sync with those values, and one of async, which nobody asks for."""
    sync = cell_result("sync", 1, load=at(128), scenario="wait", status=status)
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
    assert {name for name in ("wait", "fetch") if f"{name}: " in judged.because} == named


def test_what_was_not_measured_is_not_shown() -> None:
    of = claim(expecting("faster", (64, 128)), figures=[level(at_least=5)])
    assert verdict(of, results(compared("faster"))).verdict == "not shown"
    assert verdict(of, results(compared("slower"))).verdict == "refuted"
    assert judge([of], results(compared("faster", users=32))) == []
    assert judge([of], results()) == []


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
    assert len(judge([claim(expecting("faster"))], found)) == judged


def test_other_folders_and_other_names_of_targets_are_evaluated() -> None:
    """The files that a scenario sends lie in another folder in every checkout."""
    text = FULL.model_dump_json(exclude_none=True).replace("scenarios/picture", "elsewhere/picture")
    plan = Plan.model_validate_json(text.replace('"async_sized"', '"loop"'))
    assert plan.scenario("blog_mix").requests != FULL.scenario("blog_mix").requests
    found = compared("faster", scenario="blog_mix").model_copy(
        update={"baseline": "sync_sized", "candidate": "loop"}
    )
    judged = verdict(claim(expecting("faster", scenario="blog_mix")), results(found, plan=plan))
    assert (judged.verdict, judged.cells) == ("supported", [1, 2])


GOOD = """[[claims]]
id = "one"
text = "A text."
source = "A source"
comparisons = [{ scenario = "wait", closed = [1], metric = "p99", expect = "faster", at_least = 2 }]
figures = [{ scenario = "wait", open = [9], target = "sync", figure = "collapsed", at_most = 0 }]
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("at_least", "atleast", "claims[0].comparisons[0].atleast: unknown key"),
        ("text =", "txt =", "claims[0].txt: unknown key"),
        ('metric = "p99", ', "", "claims[0].comparisons[0].metric: Field required"),
        ('"p99"', '"speed"', "claims[0].comparisons[0].metric: Input should be"),
        ('"faster"', '"alike"', "claims[0].comparisons[0]: 'alike' takes neither"),
        ("at_least = 2", "at_least = true", "claims[0].comparisons[0].at_least: "),
        ("at_least = 2", "at_least = 2, at_most = 1", "claims[0].comparisons[0]: at_least is"),
        ("closed = [1], ", "", "claims[0].comparisons[0]: give either closed"),
        ("open = [9]", "open = [0]", "claims[0].figures[0].open[0]: "),
        (", at_most = 0", "", "claims[0].figures[0]: give at_least or at_most"),
        ("figures", "[[claims]]\nid = 'two'\ntext = 'A'\nsource = 'B' #", "claims[1]: give comp"),
        ("[[claims]]", f"{GOOD}\n[[claims]]", "claims: two claims have the id 'one'"),
        ("[[claims]]", "[[claims", "cannot be read: "),
    ],
)
def test_a_claims_file_with_a_mistake_is_refused(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(GOOD)
    assert [each.id for each in read_claims(path)] == ["one"]
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ClaimsError) as raised:
        read_claims(path)
    assert str(raised.value).startswith(f"{path}: {expected}")


def test_a_missing_claims_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClaimsError, match=r"nowhere\.toml: cannot be read"):
        read_claims(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("published", CLAIMS, ids=lambda each: str(each.id))
def test_the_full_plan_measures_what_a_claim_needs(published: Claim) -> None:
    for condition in published.conditions:
        scenario = FULL.scenario(condition.scenario)
        assert set(condition.loads) <= set(loads_of(scenario))
        assert [FULL.target(name).app for name in FULL.targets_of(scenario)[:2]] == [
            *("apps.sync_app.main:app", "apps.async_app.main:app"),
        ]


@pytest.mark.parametrize("published", CLAIMS, ids=lambda each: str(each.id))
def test_a_p99_that_a_claim_needs_has_enough_samples(published: Claim) -> None:
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


def test_the_page_names_all_words_and_its_example_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "claims.md").read_text()
    for word in (*get_args(Expected), *FIGURES):
        assert f"`{word}`" in page
    path = tmp_path / "claims.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    for example in read_claims(path):
        assert example.conditions == next(p for p in CLAIMS if p.id == example.id).conditions
