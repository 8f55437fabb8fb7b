"""Intervals and decisions on the noise of a shared machine: how often they are wrong, and what
they find. Shares of thousands of made-up runs, from a fixed seed."""

import math

import numpy as np
import pytest

from tests.noise import Logs, log_ratios, log_throughputs
from twinbench.analyse.decisions import holm, p_beyond, smallest_difference
from twinbench.analyse.intervals import ALPHA, geometric
from twinbench.analyse.margins import MARGIN

REPEATS = 10_000  # the standard error of a share of 5 % is 0.2 %, of 80 % 0.4 %
LOADS = 6  # of a scenario in the plan `bench`
TRUTH = 1.2

on_blocks = pytest.mark.parametrize("blocks", [3, 5, 10])


def families_decided(logs: Logs) -> float:
    """Share of families in which a difference is shown at any load."""
    return float((holm(p_beyond(logs)) < ALPHA).any(axis=1).mean())


def test_what_is_measured_close_together_moves_together() -> None:
    """So that the noise is what pairing is for: it takes away half of the spread and more."""
    one, other = log_throughputs(REPEATS, 5, LOADS)
    assert one.std() == pytest.approx(0.166, abs=0.003)
    assert (other - one).std() == pytest.approx(0.11, abs=0.003)
    assert (other - one).std() < 0.5 * math.hypot(one.std(), other.std())


@on_blocks
def test_an_interval_holds_the_truth_in_95_cases_of_100(blocks: int) -> None:
    ratios = TRUTH * np.exp(log_ratios(4000, blocks)[:, 0])  # standard error 0.3 %
    held = 0
    for found in map(geometric, ratios.tolist()):
        assert found
        assert found.low
        assert found.high
        held += found.low <= TRUTH <= found.high
    assert 0.93 < held / len(ratios) < 0.97


@on_blocks
def test_between_a_target_and_itself_a_difference_is_hardly_ever_shown(blocks: int) -> None:
    assert families_decided(log_ratios(REPEATS, blocks, LOADS)) <= ALPHA


@on_blocks
@pytest.mark.parametrize("way", [1, -1])
def test_a_difference_just_at_the_margin_is_hardly_ever_shown(blocks: int, way: int) -> None:
    """The worst that can be without being a difference. At one load by itself it is shown in
    2.5 % of cases, and a little more often where few blocks reach beyond the other margin too."""
    logs = log_ratios(REPEATS, blocks, LOADS) + way * math.log1p(MARGIN)
    alone = p_beyond(logs) < ALPHA
    assert 0.022 < alone.mean() < 0.035
    assert alone.any(axis=1).mean() > 2 * ALPHA  # so there is something to adjust for
    assert 0.02 < families_decided(logs) <= ALPHA


@on_blocks
@pytest.mark.parametrize("way", [1, -1])
def test_the_smallest_difference_is_found_in_four_cases_of_five(blocks: int, way: int) -> None:
    logs = log_ratios(REPEATS, blocks)
    planted = math.log1p(smallest_difference(error_of(logs), blocks, 1))
    logs += way * planted
    found = (p_beyond(logs) < ALPHA) & (np.sign(logs.mean(axis=-1)) == way)
    assert found.mean() == pytest.approx(0.8, abs=0.015)


@on_blocks
def test_among_several_loads_it_is_found_at_least_as_often(blocks: int) -> None:
    """Bonferroni makes the promise, Holm keeps it: for one difference among loads that have
    none, and more often for each where all of them have one."""
    logs = log_ratios(REPEATS, blocks, LOADS)
    planted = math.log1p(smallest_difference(error_of(logs), blocks, LOADS))
    one, each = logs.copy(), logs + planted
    one[:, 0] += planted
    found_one = (holm(p_beyond(one))[:, 0] < ALPHA).mean()
    found_each = (holm(p_beyond(each)) < ALPHA).mean()
    assert 0.785 < found_one < 0.85
    assert found_each > found_one


def error_of(logs: Logs) -> float:
    """The true standard error of a mean over blocks, as good as known from so many."""
    return float(logs.std()) / math.sqrt(logs.shape[-1])


@pytest.mark.parametrize(
    ("blocks", "loads", "found"),
    [(5, 1, 0.71), (5, 6, 0.23), (10, 1, 0.99), (10, 6, 0.82), (20, 6, 1.0)],
)
def test_what_is_found_of_a_difference_of_20_percent(blocks: int, loads: int, found: float) -> None:
    """The figures of docs/decisions/0012-statistics.md; the difference is at one load."""
    logs = log_ratios(REPEATS, blocks, loads)
    logs[:, 0] += math.log(1.2)
    assert (holm(p_beyond(logs))[:, 0] < ALPHA).mean() == pytest.approx(found, abs=0.015)


@pytest.mark.parametrize(
    ("among", "of_5", "of_10"), [(1, 0.24, 0.15), (LOADS, 0.39, 0.20), (168, 1.10, 0.31)]
)
def test_what_adjusting_costs(among: int, of_5: float, of_10: float) -> None:
    """The same: the smallest difference, adjusted for nothing, for a row, for a run of `bench`."""
    for blocks, expected in ((5, of_5), (10, of_10)):
        error = error_of(log_ratios(REPEATS, blocks, LOADS))
        assert smallest_difference(error, blocks, among) == pytest.approx(expected, abs=0.01)
