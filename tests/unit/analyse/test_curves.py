"""Points, capacity, SLO and prediction of a curve."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support import factories, runs
from tests.support.factories import EIGHT_USERS, cell_result, point
from twinbench.analyse import curves as analysis
from twinbench.analyse.curves import capacity, curves, objective, prediction
from twinbench.analyse.results import PERCENTS, CellResult, Estimate, Objective, Point
from twinbench.analyse.run import analyse_cell
from twinbench.analyse.window import AnalysedCell
from twinbench.plan import Cell, Load

PLAN = factories.plan()
SLO_MS = 200.0
SERVICE_MS = 50.0


# Points.


def analysed(rps: int, load: int = 8, block: int = 1, **changes: object) -> AnalysedCell:
    cell = Cell(1, block, "noop", "sync", Load("closed", load))
    return analyse_cell(*runs.steady(cell, rps, **changes), PLAN)


def known(percentiles: list[float | None]) -> dict[float, float]:
    return {p: ms for p, ms in zip(PERCENTS, percentiles, strict=True) if ms is not None}


def with_responses(*blocks: np.ndarray) -> Point:
    """Return the point of blocks with these response times."""
    cell = analysed(1000)
    return analysis.point(EIGHT_USERS, [replace(cell, response_ms=values) for values in blocks])


@pytest.mark.parametrize(
    ("count", "reach"), [(400, (5, 95)), (20_000, (1, 99.9)), (200_000, (1, 99.99))]
)
def test_percentiles_reach_to_twenty_samples(count: int, reach: tuple[float, float]) -> None:
    # The numbers from 0 to n - 1: the p-th percentile is p % of n - 1.
    found = known(with_responses(np.arange(float(count))).response_ms)
    assert (min(found), max(found)) == reach
    assert found == pytest.approx({p: p * (count - 1) / 100 for p in found})


def test_percentiles_are_of_all_blocks_together() -> None:
    # Three quarters of all requests took 1 ms: neither block's median, nor their mean.
    found = with_responses(np.full(150, 1.0), np.full(50, 9.0))
    assert known(found.response_ms) == {
        **dict.fromkeys((10, 25, 50), 1.0),
        75: pytest.approx(3.0),
        90: 9.0,
    }


def test_point_is_of_valid_blocks_only() -> None:
    blocks = [analysed(1000), analysed(4000, generator_cpu_s=0.9)]
    found = analysis.point(EIGHT_USERS, [*blocks, analysed(2000, outcome="collapsed")])
    assert (found.status, found.blocks, found.collapsed) == ("collapsed", 1, 1)
    assert found.throughput_rps
    assert found.throughput_rps.estimate == pytest.approx(1000)
    assert known(found.response_ms)[50] == pytest.approx(8.0)
    assert known(found.service_ms) == known(found.response_ms)
    assert found.max_ms == pytest.approx(8.0)


def test_figures_are_geometric_means_over_blocks() -> None:
    # 1000 and 4000 responses of 0.2 s of CPU: 5000 and 20000 per CPU second.
    found = analysis.point(EIGHT_USERS, [analysed(1000), analysed(4000, block=2)])
    assert found.per_cpu_s
    assert found.per_cpu_s.estimate == pytest.approx(10_000)
    assert found.per_cpu_s.low is not None
    assert found.server_cpu_ms == pytest.approx((0.2 + 0.05) / 2)


@pytest.mark.parametrize("rps", [(800, 800, 800), (4000, 800)])
def test_p99_is_pooled_where_a_block_has_too_few_samples(rps: tuple[int, ...]) -> None:
    # Of 800, 8 samples lie beyond it, of all blocks together 24 and more.
    found = analysis.point(EIGHT_USERS, [analysed(each) for each in rps])
    assert found.p50_ms
    assert found.p50_ms.low is not None
    assert found.p99_ms
    assert found.p99_ms.estimate == pytest.approx(8e3 / 800, rel=1e-3)
    assert found.p99_ms.low is None


def test_latency_of_zero_has_no_interval() -> None:
    """A clock may be too coarse."""
    cell = analysed(1000)
    latency = cell.result.latency_ms.model_copy(update={"p50": 0.0})
    result = cell.result.model_copy(update={"latency_ms": latency})
    cell = replace(cell, result=result, response_ms=np.zeros(1000))
    assert analysis.point(EIGHT_USERS, [cell, cell]).p50_ms == Estimate(estimate=0.0)


def test_no_response_inside_the_window_is_no_throughput() -> None:
    """A few arrivals per second, each with its response a second later."""
    cell, requests = Cell(1, 1, "noop", "sync", Load("open", 5)), runs.arrivals(5, 1500)
    requests = requests.filter(requests["intended_ns"] >= runs.WINDOW_NS[0])
    found = analysis.point(cell.load, [analyse_cell(runs.record(cell), requests, PLAN)])
    assert (found.status, found.throughput_rps) == ("valid", None)


def test_curves_follow_the_plan() -> None:
    scenario = factories.scenario(closed=[1, 8], open=[100])
    plan = factories.plan(scenarios=[scenario], slo_ms=123.0)
    found = curves(plan, [analysed(1000, 1), analysed(2000, 8), analysed(3000, 8, block=2)])
    assert [(c.target, c.load_kind, [(p.value, p.blocks) for p in c.points]) for c in found] == [
        ("sync", "closed", [(1, 1), (8, 2)]),
        ("async", "closed", [(1, 0), (8, 0)]),
        ("sync", "open", [(100, 0)]),
        ("async", "open", [(100, 0)]),
    ]
    assert found[0].capacity
    assert found[2].objective == Objective(slo_ms=123.0, value=None, until="not known")
    assert (found[2].capacity, found[2].prediction) == (None, None)


# Capacity.


@pytest.mark.parametrize(
    ("points", "load", "at_edge"),
    [
        ([point(1, 100), point(8, 500), point(64, 490)], 8, False),
        ([point(1, 100), point(8, 500), point(64, 500)], 8, False),
        ([point(1, 100), point(8, 500)], 8, True),
        # Neither does an invalid load show a limit; one with a collapse does.
        ([point(1, 100), point(8, 500), point(64)], 8, True),
        ([point(1, 100), point(8, 500), point(64, status="collapsed")], 8, False),
        ([point(1, 100), point(8, 500), point(64, 900, status="collapsed")], 8, False),
    ],
)
def test_capacity_is_the_highest_valid_throughput(
    points: list[Point], load: int, at_edge: bool
) -> None:
    found = capacity(points)
    assert found
    assert (found.value, found.throughput_rps.estimate, found.at_edge) == (load, 500, at_edge)


def test_capacity_needs_a_valid_point() -> None:
    assert capacity([point(1, 900, status="collapsed"), point(8)]) is None
    assert capacity([]) is None


# The SLO.


def with_p99(value: int, ms: float) -> Point:
    return point(value, 100, p99_ms={"estimate": ms, "low": ms / 4, "high": ms * 4})


def without_p99(value: int, max_ms: float, **ms: float) -> Point:
    """Return a point with other percentiles, as `p50=1.0`."""
    response_ms = [ms.get(f"p{p:g}") for p in PERCENTS]
    return point(value, 100, max_ms=max_ms, response_ms=response_ms)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([with_p99(1, 5), with_p99(8, 200.0), with_p99(64, 200.1)], (8, "missed")),
        # A higher load that meets it again does not count: load grows step by step.
        ([with_p99(1, 5), with_p99(8, 300), with_p99(64, 5)], (1, "missed")),
        ([with_p99(1, 201)], (None, "missed")),
        ([with_p99(1, 5), with_p99(8, 6)], (8, "range")),
        ([with_p99(1, 5), point(8, 100, status="collapsed")], (1, "collapsed")),
        ([with_p99(1, 5), point(8), with_p99(64, 5)], (1, "not known")),
        ([point(1)], (None, "not known")),
        ([without_p99(1, max_ms=200.0)], (1, "range")),
        ([without_p99(1, max_ms=201.0)], (None, "not known")),
        ([without_p99(1, max_ms=900.0, p50=201.0)], (None, "missed")),
        ([without_p99(1, max_ms=900.0, p50=5.0, p95=201.0)], (None, "missed")),
        ([without_p99(1, max_ms=900.0, p50=5.0, p95=199.0)], (None, "not known")),
    ],
)
def test_slo_holds_up_to_the_first_load_without(
    points: list[Point], expected: tuple[int | None, str]
) -> None:
    found = objective(points, SLO_MS)
    assert (found.value, found.until) == expected


# Predictions: 40 threads, each held for 50 ms, are 800 requests/s.


def measured(users: int, threads: tuple[int, int], connections: tuple[int, int]) -> CellResult:
    """Return a cell with threads and connections in use, and requests that wait for one.

    Without waiting a request takes SERVICE_MS.
    """
    mean_ms = SERVICE_MS * max(1, users / 40)
    gauges = dict(zip(("threads_used_max", "threads_waiting_max"), threads, strict=True))
    gauges |= dict(
        zip(("connections_used_max", "connections_waiting_max"), connections, strict=True)
    )
    found = cell_result("sync", 1, load=Load("closed", users), mean_ms=mean_ms)
    return found.model_copy(update=gauges)


@pytest.mark.parametrize(
    ("rps", "threads", "connections", "expected"),
    [
        (780, (40, 60), (0, 0), ("threads", 40, 800)),
        (290, (40, 60), (15, 30), ("connections", 15, 300)),
        (780, (40, 0), (0, 0), None),  # no request waited
        (500, (40, 60), (0, 0), None),  # something else is the limit
        (900, (40, 60), (0, 0), None),  # a request does not hold one all the time
    ],
)
def test_prediction_is_the_lower_limit_that_was_reached(
    rps: float,
    threads: tuple[int, int],
    connections: tuple[int, int],
    expected: tuple[str, int, int] | None,
) -> None:
    of = [measured(1, (1, 0), (0, 0)), measured(128, threads, connections)]
    found = prediction([point(1, 20), point(128, rps)], of)
    assert (found and (found.by, found.limit, round(found.rps))) == expected


def test_prediction_takes_limits_from_collapsed_cells() -> None:
    """Their service times are not those of single requests."""
    collapsed = measured(128, (40, 60), (0, 0)).model_copy(update={"status": "collapsed"})
    found = prediction([point(1, 20), point(64, 780)], [measured(1, (1, 0), (0, 0)), collapsed])
    assert found
    assert (found.limit, found.held_ms) == (40, SERVICE_MS)
