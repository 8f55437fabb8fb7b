"""Expected values from the literature, and checks of measured figures against bounds.

Times are in milliseconds.
"""

import heapq
import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from tests.instrument import MissingDataError
from twinbench.selfcheck.result import Check

Values = np.ndarray

# A check that noise could fail fails once in this many calibrations. At the usual 95 % one in
# twenty checks would fail, and nobody would believe a FAIL.
ONCE_IN = 1000
CONFIDENCE = 1 - 1 / ONCE_IN
# Batches of a correlated series: each must be many times as long as the queue's memory (0.1 to
# 0.4 s here), and twenty are enough for a t interval.
BATCHES = 20
# Anderson-Darling statistic for exponential values of unknown mean: one sample in 2,000 exceeds
# it (300,000 samples of 1,000, with Stephens' correction for their number, 1974). SciPy's table
# ends at one in a hundred.
ANDERSON_DARLING_MOST = 3.22
# The same of a standard normal, both sides: two tests of the arrivals, half of ONCE_IN each.
NORMAL_MOST = float(stats.norm.ppf(1 - 1 / ONCE_IN / 4))


class Mean(NamedTuple):
    """Mean and half width of its interval."""

    value: float
    reach: float


def pollaczek_khinchine(rate: float, services: Values) -> float:
    """Return the mean wait in an M/G/1 queue: rate E[S^2] / 2 (1 - rho).

    Pollaczek 1930, Khinchine 1932.
    """
    return rate * float((services**2).mean()) / (2 * (1 - rate * float(services.mean())))


def erlang_c(slots: int, rate: float, service: float) -> float:
    """Return the mean wait in an M/M/c queue: C(c, a) / (c mu - rate), a = rate x service.

    Erlang 1917.
    """
    offered = stats.poisson(rate * service)
    erlang_b = offered.pmf(slots) / offered.cdf(slots)
    waits = erlang_b / (1 - rate * service / slots * (1 - erlang_b))
    return float(waits / (slots / service - rate))


def waits(arrivals: Values, services: Values, slots: int = 1) -> Values:
    """Return the wait of each request in a queue in order of arrival; nothing is random.

    Lindley's recursion (1952); for several slots that of Kiefer and Wolfowitz (1955).
    """
    free = [-math.inf] * slots
    found = np.empty(len(arrivals))
    for n, (arrival, service) in enumerate(zip(arrivals, services, strict=True)):
        begin = max(arrival, free[0])
        heapq.heapreplace(free, begin + service)
        found[n] = begin - arrival
    return found


def batch_mean(values: Values) -> Mean:
    """Return the mean of a correlated series, with Student's t interval from its batches."""
    means = [float(batch.mean()) for batch in np.array_split(values, BATCHES)]
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, BATCHES - 1) * stats.sem(means)
    return Mean(float(np.mean(means)), float(reach))


def anderson_darling(gaps: Values) -> float:
    """Return how far `gaps` are from exponential with their own mean (ANDERSON_DARLING_MOST).

    Stephens 1974, corrected for the number of gaps.
    """
    positive = np.maximum(gaps, 1e-12 * gaps.mean())  # a gap of 0 has no logarithm
    # The stubs and the documentation of SciPy 1.17 misspell the method.
    found = stats.anderson(positive, "expon", method="interpolate")  # type: ignore[call-overload]
    return float(found.statistic) * (1 + 0.6 / len(gaps))


def serial_dependence(gaps: Values) -> float:
    """Return Spearman's rank correlation of each gap with the next, as a standard normal value."""
    correlation = float(stats.spearmanr(gaps[:-1], gaps[1:]).statistic)
    return correlation * math.sqrt(len(gaps) - 2)


def within(
    name: str,
    unit: str,
    measured: float,
    expected: float,
    *,
    share: float = 0.0,
    reach: float = 0.0,
) -> Check:
    """Return a check for `share` of `expected`, or `reach`, whichever is wider."""
    half = max(share * abs(expected), reach)
    return between(name, unit, measured, expected - half, expected + half)


def at_most(name: str, unit: str, measured: float, high: float) -> Check:
    """Return a check of a figure that is not below zero."""
    return between(name, unit, measured, 0.0, high)


def between(name: str, unit: str, measured: float, low: float, high: float) -> Check:
    """Return a check for bounds. Raises MissingDataError where a figure is not finite."""
    if not np.isfinite([measured, low, high]).all():
        raise MissingDataError(f"{name}: nothing to compare ({measured} in {low} to {high})")
    return Check(name=name, unit=unit, measured=float(measured), low=float(low), high=float(high))
