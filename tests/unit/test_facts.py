"""What the curves of a scenario mean, in words: each fact on a curve that has it."""

import pytest

from tests import supposed
from tests.supposed import Made, Outcome, stops
from twinbench.analyse.results import (
    Bound,
    Capacity,
    Crossover,
    Curve,
    Estimate,
    Law,
    Objective,
    Results,
    Usl,
)
from twinbench.report.facts import USL, facts

RATE = Estimate(estimate=782, low=770, high=795)
USERS = Bound(by="users", limit=1, rps=20)
THREADS = Bound(by="threads", limit=40, rps=790.6)
CPU = Bound(by="cpu", limit=1.25, rps=800)


def of(curve: dict[str, object], *more: Outcome) -> dict[str, str]:
    """The facts of a scenario whose first target has a curve like this; further loads: `more`."""
    outcomes = dict(zip((1, 64, 128), (Outcome(), Outcome(), *more), strict=False))
    results = supposed.results(Made("wait", outcomes))
    return dict(facts(_with(results, **curve), "wait"))


def _with(results: Results, **curve: object) -> Results:
    first, *others = results.curves
    changed = Curve.model_validate(first.model_dump() | curve)
    return results.model_copy(update={"curves": [changed, *others]})


@pytest.mark.parametrize(
    ("at_edge", "value", "more", "end"),
    [
        (True, 64, [], "the highest load tried"),
        (False, 64, [Outcome()], "and no more with more users"),
        (False, 64, [stops("sync")], "beyond which it stops answering"),
        (True, 64, [supposed.VOID], "beyond which nothing is known"),
    ],
)
def test_capacity_says_what_is_known_of_higher_loads(
    at_edge: bool, value: int, more: list[Outcome], end: str
) -> None:
    capacity = Capacity(value=value, throughput_rps=RATE, at_edge=at_edge)
    assert of({"capacity": capacity}, *more) == {
        "Capacity": f"sync 782 requests/s (770 to 795) at 64 users, {end}"
    }


@pytest.mark.parametrize(
    ("value", "until", "said"),
    [
        (64, "missed", "sync up to 64 users"),
        (64, "range", "sync up to 64 users, the highest tried"),
        (64, "collapsed", "sync up to 64 users, beyond which it stops answering"),
        (64, "not known", "sync up to 64 users, beyond which nothing is known"),
        (None, "missed", "sync at no load tried"),
        (None, "not known", "sync not known"),
    ],
)
def test_the_slo_is_met_up_to_a_load(value: int | None, until: str, said: str) -> None:
    objective = {"slo_ms": 200, "value": value, "until": until}
    assert of({"objective": Objective.model_validate(objective)}) == {"p99 within 200 ms": said}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (8, "sync up to 8 users, missed at 128 users, not known between"),
        (None, "sync missed at 128 users, not known below"),
    ],
)
def test_where_the_slo_is_missed_is_said_beyond_what_is_not_known(
    value: int | None, said: str
) -> None:
    objective = Objective(slo_ms=200, value=value, until="not known", missed=128)
    assert of({"objective": objective}) == {"p99 within 200 ms": said}


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (
            [USERS, THREADS],
            "sync bounded by 40 threads / 50 ms = 791 requests/s, measured 782 (1 % less)",
        ),
        (
            [USERS, CPU],
            "sync bounded by 1 core / 1.25 ms of CPU = 800 requests/s, measured 782 (2 % less)",
        ),
        (
            [Bound(by="users", limit=1, rps=12.2)],
            "sync bounded by 64 users / 50 ms = 781 requests/s, measured 782 (as predicted)",
        ),
    ],
)
def test_the_law_names_what_is_the_least_at_the_capacity(bounds: list[Bound], said: str) -> None:
    law = Law(at=1, service_ms=50, bounds=bounds, predicted_rps=[20, 790])
    capacity = Capacity(value=64, throughput_rps=RATE, at_edge=True)
    assert of({"law": law, "capacity": capacity})["What bounds it"] == said


@pytest.mark.parametrize(
    ("threads", "said"),
    [
        (None, "something else is the limit"),
        (40, "all 40 threads are in use, some of them for longer than an answer takes"),
    ],
)
def test_what_is_far_below_the_least_bound_is_said_to_lack_threads_if_it_does(
    threads: int | None, said: str
) -> None:
    bounds = [Bound(by="users", limit=1, rps=200), Bound(by="cpu", limit=0.5, rps=2000)]
    law = Law(at=1, service_ms=5, bounds=bounds, predicted_rps=[20, 2000], threads_full=threads)
    capacity = Capacity(value=64, throughput_rps=RATE, at_edge=True)
    found = of({"law": law, "capacity": capacity})["What bounds it"]
    assert found.endswith(f"measured 782 (61 % less: {said})")


def test_a_fitted_law_is_given_with_its_quality_and_its_range() -> None:
    usl = Usl(rate_rps=20, contention=0.019, coherency=0.0003, r2=0.987, low=1, high=64)
    law = Law(at=1, service_ms=50, bounds=[USERS], predicted_rps=[20, 780], usl=usl)
    said = "sync contention 1.9 %, coherency 0.03 %, R² 0.99, fitted to 1 to 64 users"
    assert of({"law": law}) == {"Scaling (USL)": f"{said}. {USL}"}


@pytest.mark.parametrize(
    ("measured", "end"),
    [(700, "(12 % less)"), (400, "(50 % less: something else is the limit)"), (820, "(2 % more)")],
)
def test_a_bound_that_is_far_away_is_not_called_the_limit(measured: float, end: str) -> None:
    law = Law(at=1, service_ms=50, bounds=[USERS, CPU], predicted_rps=[20, 800])
    rate = Estimate(estimate=measured)
    capacity = Capacity(value=64, throughput_rps=rate, at_edge=False)
    assert of({"law": law, "capacity": capacity})["What bounds it"].endswith(end)


def test_what_does_not_scale_and_what_costs_nothing_are_whole_percents() -> None:
    usl = Usl(rate_rps=20, contention=0.998, coherency=1e-16, r2=0.9, low=1, high=64)
    law = Law(at=1, service_ms=50, bounds=[USERS], predicted_rps=[20, 780], usl=usl)
    assert "contention 100 %, coherency 0 %" in of({"law": law})["Scaling (USL)"]


def test_targets_with_the_same_highest_load_stand_together() -> None:
    objective = Objective(slo_ms=200, value=64, until="range")
    results = supposed.results(Made("wait", {1: Outcome(), 64: Outcome()}))
    for curve in results.curves:
        curve.objective = objective
    assert facts(results, "wait") == [
        ("p99 within 200 ms", "sync and async up to 64 users, the highest tried")
    ]


CROSSOVER = Crossover(
    scenario="wait",
    load_kind="closed",
    metric="throughput",
    baseline="sync",
    candidate="async",
    found="crossover",
    at=41.3,
    low=33,
    high=52,
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "async overtakes sync at about 41 users (33 to 52)"),
        ({"found": "reverse"}, "sync overtakes async at about 41 users (33 to 52)"),
        (
            {"at": None, "low": 32, "high": 64},
            "async overtakes sync at 32 to 64 users, where one of the two stops answering",
        ),
        (
            {"found": "none", "at": None, "ahead": "sync"},
            "none, sync is ahead wherever a difference is shown",
        ),
        (
            {"found": "not known", "at": None},
            "none seen: nowhere is sync or async shown to be ahead",
        ),
    ],
)
def test_a_crossover_is_said_where_it_is_and_where_there_is_none(
    changes: dict[str, object], said: str
) -> None:
    crossover = CROSSOVER.model_copy(update=changes)
    others = [crossover.model_copy(update={"metric": "p99"})]
    results = supposed.results(Made("wait", {1: Outcome()}), crossovers=[crossover, *others])
    assert facts(results, "wait") == [("Crossover", said)]


def test_who_stops_answering_at_a_crossover_is_named() -> None:
    found = CROSSOVER.model_copy(update={"at": None, "low": 32, "high": 64})
    falls = Made("wait", {32: Outcome(0.8), 64: stops("sync")})
    assert facts(supposed.results(falls, crossovers=[found]), "wait") == [
        ("Crossover", "async overtakes sync at 32 to 64 users, where sync stops answering")
    ]


def test_one_target_twice_does_not_overtake_itself() -> None:
    twice = Made("wait", {1: Outcome(same=True)})
    assert facts(supposed.results(twice, crossovers=[CROSSOVER]), "wait") == []


def test_requests_per_cpu_second_are_those_of_the_highest_load_that_all_have() -> None:
    results = supposed.results(Made("wait", {1: Outcome(), 64: Outcome(), 128: Outcome()}))
    for curve, rate in zip(results.curves, (800.0, 1200.0), strict=True):
        for point in curve.points[:2]:
            point.per_cpu_s = Estimate(estimate=rate + point.value)
    for compared in results.compared("wait", "closed", "per_cpu_s"):
        compared.ratio = Estimate(estimate=1.46, low=1.4, high=1.5)
    assert facts(results, "wait") == [
        (
            "Requests per CPU second",
            "at 64 users sync 864, async 1,264; async / sync 1.46× (1.40 to 1.50)",
        )
    ]


def test_of_what_is_not_known_nothing_is_said() -> None:
    assert of({}) == {}
