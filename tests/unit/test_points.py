"""One load of a curve: what is pooled over its blocks, and what is spread."""

import numpy as np
import pytest

from tests.support import runs
from twinbench.analyse.cells import Cell, analyse_cell
from twinbench.analyse.curves import curves
from twinbench.analyse.points import percentiles, point
from twinbench.analyse.results import PERCENTS, Estimate
from twinbench.plan import Load, cells

PLAN = runs.plan()

# So many samples, and the lowest and highest percentile that is known of them.
REACHES: list[tuple[int, tuple[float, float]]] = [
    (399, (10, 90)),
    (400, (5, 95)),
    (2000, (1, 99)),
    (20_000, (1, 99.9)),
    (200_000, (1, 99.99)),
]


def measured(rps: int, load: int = 8, block: int = 1, **changes: object) -> Cell:
    wanted = (block, "sync", Load("closed", load))
    cell = next(c for c in cells(PLAN) if (c.block, c.target, c.load) == wanted)
    record, requests = runs.steady(cell, rps)
    return analyse_cell(record.model_copy(update=changes), requests, PLAN)


def known(spectrum: list[float | None]) -> dict[float, float]:
    return {p: ms for p, ms in zip(PERCENTS, spectrum, strict=True) if ms is not None}


def test_a_spectrum_reaches_as_far_as_twenty_samples_lie_beyond() -> None:
    # The numbers from 0 to n - 1: the p-th percentile is p % of n - 1.
    for count, reach in REACHES:
        found = known(percentiles([np.arange(count)]))
        assert (min(found), max(found)) == reach
        assert found == pytest.approx({p: p * (count - 1) / 100 for p in found})


def test_there_is_no_spectrum_of_too_little() -> None:
    assert known(percentiles([])) == {}
    assert known(percentiles([np.arange(39)])) == {}
    assert known(percentiles([np.arange(40)])) == {50: 19.5}


def test_a_spectrum_is_of_all_blocks_together() -> None:
    # Three quarters of all requests took 1 ms: neither block's median, nor their mean.
    assert known(percentiles([np.full(150, 1.0), np.full(50, 9.0)])) == {
        **dict.fromkeys((10, 25, 50), 1.0),
        75: pytest.approx(3.0),
        90: 9.0,
    }


def test_a_spectrum_leaves_the_records_alone() -> None:
    values = np.array([3.0, 1.0, 2.0] * 20)
    percentiles([values])
    assert values[:3].tolist() == [3.0, 1.0, 2.0]


def test_a_point_is_of_valid_blocks_only() -> None:
    found = point(
        Load("closed", 8),
        [measured(1000), measured(4000, generator_cpu_s=0.9), measured(2000, outcome="collapsed")],
    )
    assert (found.status, found.blocks, found.collapsed) == ("collapsed", 1, 1)
    assert found.throughput_rps
    assert found.throughput_rps.estimate == pytest.approx(1000)
    assert known(found.response_ms)[50] == pytest.approx(8.0)
    assert known(found.service_ms) == known(found.response_ms)
    assert found.max_ms == pytest.approx(8.0)


def test_what_a_cpu_second_gives_is_spread_over_blocks() -> None:
    # 1000 and 4000 answers of 0.2 s of CPU: 5000 and 20000 a CPU second, 10000 in the middle.
    found = point(Load("closed", 8), [measured(1000), measured(4000, block=2)])
    assert found.per_cpu_s
    assert found.per_cpu_s.estimate == pytest.approx(10_000)
    assert found.per_cpu_s.low is not None
    assert found.server_cpu_ms == pytest.approx((0.2 + 0.05) / 2)


def test_a_point_without_a_valid_block_says_nothing() -> None:
    found = point(Load("closed", 8), [])
    assert (found.status, found.throughput_rps, found.max_ms) == ("invalid", None, None)
    assert known(found.response_ms) == {}


def test_a_clock_too_coarse_for_a_latency_gives_no_interval() -> None:
    cell = measured(1000)
    cell.result.latency_ms.p50, cell.responses_ms = 0.0, np.zeros(1000)
    assert point(Load("closed", 8), [cell, cell]).p50_ms == Estimate(estimate=0.0)


def test_each_cell_comes_to_its_own_point() -> None:
    found = curves(PLAN, [measured(1000, 1), measured(2000, 8), measured(3000, 8, block=2)])
    assert [(c.target, c.scenario) for c in found] == [("sync", "noop"), ("async", "noop")]
    assert [[p.blocks for p in c.points] for c in found] == [[1, 2], [0, 0]]
    assert [[p.value for p in c.points] for c in found] == [[1, 8], [1, 8]]
