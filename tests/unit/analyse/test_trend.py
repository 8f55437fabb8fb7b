"""The gate on a trend inside the window, by simulation: false alarms, and what it finds."""

import itertools
import math

import numpy as np
import pytest

from tests.support import runs
from twinbench.analyse.gates import MAX_TREND, SLICES, TREND_P, fitted_change

CELLS = 4000
# Throughput of one steady cell on a shared machine: sd of the log over 0.25 s.
NOISE_SD, NOISE_S = 0.21, 0.25
STEP_S = 1 / 32


def slices(window_s: float, sd: float, slow_sd: float, factor: float) -> np.ndarray:
    """Return logarithms of responses per slice, a row a cell.

    White noise of `sd` over 0.25 s, a level that wanders by `slow_sd` within two seconds, and
    growth by `factor` over the window.
    """
    rng = np.random.default_rng(20260117)
    steps = round(window_s / STEP_S)
    white = rng.normal(0, sd * math.sqrt(NOISE_S / STEP_S), (CELLS, steps))
    kept = math.exp(-STEP_S / 2)
    level = np.empty((CELLS, steps))
    level[:, 0] = rng.normal(0, slow_sd, CELLS)
    for n in range(1, steps):
        fresh = rng.normal(0, slow_sd * math.sqrt(1 - kept**2), CELLS)
        level[:, n] = kept * level[:, n - 1] + fresh
    growth = factor ** ((np.arange(steps) + 0.5) / steps)
    rate = (1 + white + level) * growth
    edges = np.linspace(0, steps, SLICES + 1).round().astype(int)
    means = [rate[:, a:b].mean(axis=1) for a, b in itertools.pairwise(edges)]
    return np.asarray(np.log(np.maximum(np.stack(means, axis=1), 0.02)))


def invalid_share(*args: float) -> float:
    """Return the share of cells that the gate makes invalid."""
    found = [fitted_change(logs) for logs in slices(*args)]
    return sum(p < TREND_P and abs(c) > math.log(1 + MAX_TREND) for c, p in found) / CELLS


@pytest.mark.parametrize(
    ("window_s", "slow_sd"),
    [
        # The nearest to the limit: 0.4 %. Without wandering a short window is far from it.
        (5, 0.08),
        pytest.param(3, 0.08, marks=pytest.mark.slow),
        pytest.param(2, 0.08, marks=pytest.mark.slow),
        pytest.param(10, 0, marks=pytest.mark.slow),
    ],
)
def test_steady_noise_is_no_trend(window_s: float, slow_sd: float) -> None:
    """0.08 is what long windows vary by beyond what white noise leaves of short ones.

    With it, a window of 10 s comes to the limit: then the wandering is a trend.
    """
    assert invalid_share(window_s, NOISE_SD, slow_sd, 1) < 0.005


def test_looser_limit_would_find_trends_in_noise() -> None:
    """So that the simulation above can fail."""
    found = [fitted_change(logs)[1] for logs in slices(3, NOISE_SD, 0, 1)]
    assert sum(p < 0.05 for p in found) / CELLS == pytest.approx(0.05, abs=0.015)


@pytest.mark.slow
def test_doubling_is_found_in_little_noise_or_a_long_window() -> None:
    assert invalid_share(3, 0.07, 0, 2) > 0.9
    assert invalid_share(20, NOISE_SD, 0, 2) > 0.9
    # In 3 s of full noise its standard error is 0.21 on a logarithm of 0.69: no test finds it.
    assert invalid_share(3, NOISE_SD, 0, 2) < 0.5


def growing(count: int, factor: float) -> runs.Requests:
    """Return `count` responses whose rate grows by `factor` over the window.

    The inverse of the integral of factor ** t.
    """
    begin, end = runs.WINDOW_NS
    share = (np.arange(count) + 0.5) / count
    at = np.log1p(share * (factor - 1)) / math.log(factor)
    done = begin + (at * (end - begin)).astype(np.int64)
    return runs.rows(done - 1_000_000, done - 1_000_000, done)


@pytest.mark.parametrize(
    ("count", "factor", "found"), [(2000, 2.0, True), (2000, 1.1, False), (99, 4.0, False)]
)
def test_trend_of_a_cell(count: int, factor: float, found: bool) -> None:
    """A doubling; a change within the limit; and too few responses for five slices."""
    reasons = runs.analysed_cell(growing(count, factor)).reasons
    assert ("throughput changed by a factor of" in "".join(reasons)) == found
