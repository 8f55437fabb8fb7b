"""Blocks that a precision takes: by hand, and on the noise of a shared machine.

Shares of thousands of simulated runs, from a fixed seed; docs/decisions/0020-precision.md.
"""

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tests.support.noise import Logs, alternating_log_ratios
from twinbench.analyse import precision
from twinbench.analyse.precision import MIN_BLOCKS, blocks_to_add
from twinbench.analyse.statistics import ALPHA, MARGIN, holm, p_beyond_margin

CAP = 40  # time for more blocks is not left
# The noise is one: sd of a log ratio 0.09. These take from fewer blocks than `MIN_BLOCKS` to more
# than `CAP`.
PRECISIONS = [0.10, 0.05, 0.035, 0.02]
LOADS = 6  # of a scenario in the plan `bench`

on_precisions = pytest.mark.parametrize("wanted", PRECISIONS)


def logs_of(sd: float, blocks: int) -> Logs:
    """Return log ratios with exactly this standard deviation."""
    logs = np.resize([1.0, -1.0], blocks)
    return np.asarray(logs * sd / logs.std(ddof=1))


# Student's t for 9, 11 and 12 degrees of freedom, from a printed table: half widths of 1.05 at sds
# of 0.0682 with 10 blocks, 0.0768 with 12, 0.0807 with 13.
@pytest.mark.parametrize(("sd", "more"), [(0.068, 0), (0.0684, 1), (0.078, 3), (0.12, 5), (9, 5)])
def test_blocks_are_those_that_the_spread_needs(sd: float, more: int) -> None:
    assert blocks_to_add(logs_of(sd, 10), 0.05) == more


@pytest.mark.parametrize(("blocks", "more"), [(2, MIN_BLOCKS - 2), (5, MIN_BLOCKS - 5)])
def test_few_blocks_are_filled_up_however_narrow(blocks: int, more: int) -> None:
    assert blocks_to_add(np.zeros(blocks), 0.05) == more
    assert blocks_to_add(np.zeros(MIN_BLOCKS), 0.05) == 0


def test_blocks_do_not_depend_on_who_is_faster() -> None:
    logs = logs_of(0.078, 10) * np.linspace(0.5, 1.5, 10)
    more = {blocks_to_add(each, 0.05) for each in (logs, -logs, logs + 1, logs - 1)}
    assert len(more) == 1
    assert more != {0}


@cache
def simulated() -> Logs:
    return alternating_log_ratios(1200, CAP, LOADS)


def blocks_used(wanted: float) -> NDArray[np.int64]:
    """Return with how many blocks each load ends, (repeats, loads)."""

    def used(of_load: Logs) -> int:
        blocks = 5
        while blocks < CAP and (more := blocks_to_add(of_load[:blocks], wanted)):
            blocks = min(CAP, blocks + more)
        return blocks

    return np.array([[used(of_load) for of_load in family] for family in simulated()])


used_of = cache(blocks_used)


def held_and_narrow(wanted: float, used: NDArray[np.int64]) -> tuple[float, bool]:
    """Return the share of intervals that hold the truth, and whether all that ended are narrow."""
    held, narrow = np.zeros(used.shape, bool), np.zeros(used.shape, bool)
    for blocks in np.unique(used):
        logs = simulated()[used == blocks][:, :blocks]
        half_width = stats.t.isf(ALPHA / 2, blocks - 1) * stats.sem(logs, axis=1)
        held[used == blocks] = np.abs(logs.mean(axis=1)) <= half_width
        narrow[used == blocks] = half_width <= math.log1p(wanted)
    return float(held.mean()), bool(narrow[used < CAP].all())


@on_precisions
def test_interval_holds_the_truth_under_the_rule(wanted: float) -> None:
    held, narrow = held_and_narrow(wanted, used_of(wanted))
    assert 0.93 < held < 0.97  # standard error 0.3 %
    assert narrow


def test_rule_uses_few_and_all_blocks() -> None:
    """The precisions above lie on both sides of what is simulated."""
    means = [used_of(wanted).mean() for wanted in PRECISIONS]
    assert means[0] == pytest.approx(MIN_BLOCKS, abs=0.1)
    assert means == sorted(means)
    assert means[-1] > 0.97 * CAP


def test_fewer_first_blocks_would_lose_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "MIN_BLOCKS", 5)
    held, _ = held_and_narrow(0.05, blocks_used(0.05))
    assert held < 0.93


def families_decided(truth: float, used: NDArray[np.int64], loads: int) -> float:
    """Return the share of families of `loads` in which a difference is shown at any load."""
    p = np.ones(used.shape)
    for blocks in np.unique(used):
        p[used == blocks] = p_beyond_margin(simulated()[used == blocks][:, :blocks] + truth)
    return float((holm(p.reshape(-1, loads)) < ALPHA).any(axis=1).mean())


@pytest.mark.parametrize("loads", [2, LOADS])
@on_precisions
def test_errors_of_families_under_the_rule(loads: int, wanted: float) -> None:
    used = used_of(wanted)
    assert families_decided(0.0, used, loads) < 0.01
    at_margin = [families_decided(way * math.log1p(MARGIN), used, loads) for way in (1, -1)]
    assert min(at_margin) > 0.01
    assert max(at_margin) <= ALPHA
