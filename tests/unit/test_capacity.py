"""How much a target can do, from points with known figures."""

import pytest

from tests.support import runs
from tests.support.factories import collapsed_point, point
from twinbench.analyse.capacity import capacity, objective
from twinbench.analyse.curves import curves
from twinbench.analyse.results import PERCENTS, Objective, Point

SLO_MS = 200.0


def with_p99(value: int, ms: float, **bounds: float) -> Point:
    return point(value, 100, p99_ms={"estimate": ms, **bounds})


def with_percentiles(value: int, max_ms: float, **ms: float) -> Point:
    """A point without a p99; `p50=1.0`, `p95=2.0` and so on are known."""
    spectrum = [ms.get(f"p{p:g}") for p in PERCENTS]
    return point(value, 100, max_ms=max_ms, response_ms=spectrum)


def of(*points: Point) -> tuple[int | None, str]:
    found = objective(points, SLO_MS)
    assert found.slo_ms == SLO_MS
    return found.value, found.until


def test_the_capacity_is_the_highest_throughput_and_its_load() -> None:
    found = capacity([point(1, 100), point(8, 500), point(64, 490)])
    assert found
    assert (found.value, found.throughput_rps.estimate, found.at_edge) == (8, 500, False)
    assert found.throughput_rps.low == pytest.approx(500 / 1.1)


def test_of_two_equal_capacities_the_lower_load_is_enough() -> None:
    found = capacity([point(1, 100), point(8, 500), point(64, 500)])
    assert found
    assert (found.value, found.at_edge) == (8, False)


def test_at_the_edge_more_may_be_possible() -> None:
    found = capacity([point(1, 100), point(8, 500)])
    assert found
    assert found.at_edge
    # A invalid load shows no limit either; one at which the server fell does.
    beyond_void = capacity([point(1, 100), point(8, 500), point(64)])
    beyond_fall = capacity([point(1, 100), point(8, 500), collapsed_point(64)])
    assert beyond_void
    assert beyond_fall
    assert (beyond_void.at_edge, beyond_fall.at_edge) == (True, False)


def test_what_a_server_does_that_also_fell_cannot_be_relied_upon() -> None:
    found = capacity([point(1, 100), point(8, 500), collapsed_point(64, 900)])
    assert found
    assert found.value == 8
    assert capacity([collapsed_point(1, 900), point(8)]) is None
    assert capacity([]) is None


def test_the_slo_holds_up_to_the_load_before_the_first_that_misses_it() -> None:
    assert of(with_p99(1, 5), with_p99(8, 200.0), with_p99(64, 200.1)) == (8, "missed")
    # A higher load that meets it again does not count: users come one after the other.
    assert of(with_p99(1, 5), with_p99(8, 300), with_p99(64, 5)) == (1, "missed")
    assert of(with_p99(1, 201)) == (None, "missed")
    assert of(with_p99(1, 5), with_p99(8, 6)) == (8, "range")
    assert of(with_p99(1, 5), collapsed_point(8, 100)) == (1, "collapsed")
    assert of(with_p99(1, 5), point(8), with_p99(64, 5)) == (1, "not known")
    assert of(point(1)) == (None, "not known")


def test_the_lowest_load_known_to_miss_is_named_beyond_one_that_is_not_known() -> None:
    points = [with_p99(1, 5), point(8), with_p99(64, 300), with_p99(128, 400)]
    found = objective(points, SLO_MS)
    assert (found.value, found.until, found.missed) == (1, "not known", 64)
    assert objective(points[:2], SLO_MS).missed is None
    assert objective([with_p99(1, 5), with_p99(8, 300)], SLO_MS).missed == 8


def test_the_estimate_decides_with_an_interval_or_without() -> None:
    assert of(with_p99(1, 199, low=50, high=800)) == (1, "range")
    assert of(with_p99(1, 199)) == (1, "range")


def test_without_a_p99_only_what_is_certain_is_said() -> None:
    assert of(with_percentiles(1, max_ms=200.0)) == (1, "range")
    assert of(with_percentiles(1, max_ms=201.0)) == (None, "not known")
    assert of(with_percentiles(1, max_ms=900.0, p50=201.0)) == (None, "missed")
    assert of(with_percentiles(1, max_ms=900.0, p50=5.0, p95=201.0)) == (None, "missed")
    assert of(with_percentiles(1, max_ms=900.0, p50=5.0, p95=199.0)) == (None, "not known")


def test_arrivals_have_an_objective_but_no_capacity_and_no_prediction() -> None:
    scenario = {"name": "noop", "requests": [{"path": "/"}]}
    plan = runs.plan(scenarios=[scenario | {"closed": [1], "open": [100]}], slo_ms=123.0)
    closed, opened = (curve for curve in curves(plan, []) if curve.target == "sync")
    unknown = Objective(slo_ms=123.0, value=None, until="not known")
    assert (closed.load_kind, closed.objective) == ("closed", unknown)
    assert (opened.load_kind, opened.objective) == ("open", unknown)
    assert (opened.capacity, opened.prediction) == (None, None)
