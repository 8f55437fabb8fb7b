"""Intervals and decisions on the noise of a shared machine: errors and power.

Shares of thousands of simulated runs, from a fixed seed; docs/decisions/0012-statistics.md.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest

from tests.support.noise import Logs, alternating_log_ratios, log_ratios
from twinbench.analyse.statistics import (
    ALPHA,
    MARGIN,
    geometric_mean,
    halved_by,
    holm,
    p_beyond_margin,
    smallest_difference,
)

REPEATS = 10_000  # the standard error of a share of 5 % is 0.2 %, of 80 % 0.4 %
LOADS = 6  # of a scenario in the plan `bench`
TRUTH = 1.2

Simulate = Callable[[int, int, int], Logs]

on_blocks = pytest.mark.parametrize("blocks", [3, 5, 6, 8, 10])
on_schedules = pytest.mark.parametrize(
    "simulate", [log_ratios, alternating_log_ratios], ids=["sequential", "alternating"]
)


def families_decided(logs: Logs) -> float:
    """Return the share of families in which a difference is shown at any load."""
    return float((holm(p_beyond_margin(logs)) < ALPHA).any(axis=1).mean())


@on_schedules
@on_blocks
def test_interval_holds_the_truth_in_95_percent(blocks: int, simulate: Simulate) -> None:
    ratios = TRUTH * np.exp(simulate(2000, blocks, 1)[:, 0])  # standard error 0.5 %
    held = 0
    for found in map(geometric_mean, ratios.tolist()):
        assert found
        assert found.low
        assert found.high
        held += found.low <= TRUTH <= found.high
    assert 0.93 < held / len(ratios) < 0.97


@on_schedules
@on_blocks
@pytest.mark.parametrize("loads", [2, LOADS])
def test_aa_check_rarely_shows_a_difference(blocks: int, loads: int, simulate: Simulate) -> None:
    assert families_decided(simulate(REPEATS, blocks, loads)) <= ALPHA


@on_schedules
@on_blocks
@pytest.mark.parametrize("way", [1, -1])
def test_difference_at_the_margin_is_rarely_shown(
    blocks: int, way: int, simulate: Simulate
) -> None:
    """A single load is shown in 2.5 % of cases, and more where few blocks reach both margins."""
    logs = simulate(REPEATS, blocks, LOADS) + way * math.log1p(MARGIN)
    single = p_beyond_margin(logs) < ALPHA
    assert 0.022 < single.mean() < 0.035
    assert single.any(axis=1).mean() > 2 * ALPHA  # so there is something to adjust for
    assert 0.02 < families_decided(logs) <= ALPHA


@on_schedules
@on_blocks
@pytest.mark.parametrize("way", [1, -1])
def test_smallest_difference_is_found_in_80_percent(
    blocks: int, way: int, simulate: Simulate
) -> None:
    logs = simulate(REPEATS, blocks, 1)
    planted = math.log1p(smallest_difference(error_of(logs), blocks, 1))
    logs += way * planted
    found = (p_beyond_margin(logs) < ALPHA) & (np.sign(logs.mean(axis=-1)) == way)
    assert found.mean() == pytest.approx(0.8, abs=0.015)


@on_schedules
@on_blocks
def test_smallest_difference_is_found_among_loads(blocks: int, simulate: Simulate) -> None:
    """With Holm at least as often as with Bonferroni, more often where all loads differ."""
    logs = simulate(REPEATS, blocks, LOADS)
    planted = math.log1p(smallest_difference(error_of(logs), blocks, LOADS))
    one, each = logs.copy(), logs + planted
    one[:, 0] += planted
    found_one = (holm(p_beyond_margin(one))[:, 0] < ALPHA).mean()
    found_each = (holm(p_beyond_margin(each)) < ALPHA).mean()
    assert 0.785 < found_one < 0.85
    assert found_each > found_one


@on_schedules
@pytest.mark.parametrize("blocks", [3, 5, 8])
def test_advised_blocks_show_half_of_the_difference(blocks: int, simulate: Simulate) -> None:
    sd = float(simulate(REPEATS, blocks, 1).std())
    times = halved_by(sd, blocks, 1)
    assert times
    half = smallest_difference(sd / math.sqrt(blocks), blocks, 1) / 2
    advised, planted = round(times * blocks), math.log1p(half)
    shown = [
        float((p_beyond_margin(simulate(REPEATS, of, 1) + planted) < ALPHA).mean())
        for of in (advised, blocks)
    ]
    assert shown[0] > 0.785  # 80 %, less three standard errors
    assert shown[1] < 0.6


def error_of(logs: Logs) -> float:
    """Return the true standard error of a mean over blocks."""
    return float(logs.std()) / math.sqrt(logs.shape[-1])


@pytest.mark.parametrize(
    ("blocks", "loads", "found"),
    [(5, 1, 0.71), (5, 6, 0.23), (10, 1, 0.99), (10, 6, 0.82), (20, 6, 1.0)],
)
def test_power_for_a_difference_of_20_percent(blocks: int, loads: int, found: float) -> None:
    """Figures of the decision page; the difference is at one load."""
    logs = log_ratios(REPEATS, blocks, loads)
    logs[:, 0] += math.log(1.2)
    assert (holm(p_beyond_margin(logs))[:, 0] < ALPHA).mean() == pytest.approx(found, abs=0.015)


@pytest.mark.parametrize(
    ("among", "of_5", "of_10"), [(1, 0.24, 0.15), (LOADS, 0.39, 0.20), (168, 1.10, 0.31)]
)
def test_cost_of_adjusting(among: int, of_5: float, of_10: float) -> None:
    """Figures of the decision page: adjusted for nothing, for a row, for a run of `bench`."""
    for blocks, expected in ((5, of_5), (10, of_10)):
        logs = log_ratios(REPEATS, blocks, LOADS)
        assert logs.std() == pytest.approx(0.11, abs=0.003)
        assert smallest_difference(error_of(logs), blocks, among) == pytest.approx(
            expected, abs=0.01
        )
