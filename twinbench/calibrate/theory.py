"""What must come out, from the literature: pure functions of times in milliseconds."""

import heapq
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

Values = np.ndarray

# Of every check that noise could fail: a sound instrument fails it once in so many calibrations.
# At the usual 95 % one in twenty checks would fail, and nobody would believe a FAIL.
ONCE_IN = 1000
CONFIDENCE = 1 - 1 / ONCE_IN
# Batches to which a correlated series is cut: each must be many times as long as the queue
# remembers (0.1 to 0.4 s here), and twenty are enough for a t interval.
BATCHES = 20
# Anderson-Darling's statistic for exponential values of unknown mean: what one sound sample in
# 2,000 exceeds (300,000 samples of 1,000, with Stephens' correction for their number, 1974).
ANDERSON_DARLING_MOST = 3.22
# The same of a standard normal, both sides: two tests of the arrivals, half of ONCE_IN each.
NORMAL_MOST = float(stats.norm.ppf(1 - 1 / ONCE_IN / 4))


class Mean(NamedTuple):
    """A mean and the half width of its interval."""

    value: float
    reach: float


def pollaczek_khinchine(rate: float, services: Values) -> float:
    """Mean wait in an M/G/1 queue (Pollaczek 1930, Khinchine 1932): rate E[S^2] / 2 (1 - rho)."""
    load = rate * float(services.mean())
    if load >= 1:
        return math.inf
    return rate * float((services**2).mean()) / (2 * (1 - load))


def erlang_c(places: int, rate: float, service: float) -> float:
    """Mean wait in an M/M/c queue (Erlang 1917): C(c, a) / (c mu - rate), a = rate x service."""
    offered = rate * service
    if offered >= places:
        return math.inf
    blocked = 1.0  # Erlang B, by its recursion: powers and factorials would overflow
    for place in range(1, places + 1):
        blocked = offered * blocked / (place + offered * blocked)
    waits = blocked / (1 - offered / places * (1 - blocked))
    return waits / (places / service - rate)


def waits(arrivals: Values, services: Values, places: int = 1) -> Values:
    """The wait of each request in a queue of `places`, served in order of arrival: Lindley's
    recursion (1952), for several places Kiefer's and Wolfowitz's (1955). No randomness left."""
    free = [-math.inf] * places
    found = np.empty(len(arrivals))
    for n, (arrival, service) in enumerate(zip(arrivals, services, strict=True)):
        begin = max(arrival, free[0])
        heapq.heapreplace(free, begin + service)
        found[n] = begin - arrival
    return found


def batch_mean(values: Values) -> Mean:
    """Mean of a correlated series, with an interval from the means of its batches."""
    return mean([float(batch.mean()) for batch in np.array_split(values, BATCHES)])


def mean(values: Sequence[float]) -> Mean:
    """Mean of independent values, with Student's t interval."""
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * spread
    return Mean(float(np.mean(values)), reach)


def anderson_darling(gaps: Values) -> float:
    """How far `gaps` are from exponential with their own mean (to compare with
    ANDERSON_DARLING_MOST)."""
    count = len(gaps)
    ordered = np.sort(gaps) / gaps.mean()
    # A gap of 0 has no logarithm; the smallest there can be is a nanosecond.
    ordered = np.maximum(ordered, 1e-12)
    weights = 2 * np.arange(1, count + 1) - 1
    logs = np.log(-np.expm1(-ordered)) - ordered[::-1]
    return float((-count - (weights * logs).sum() / count) * (1 + 0.6 / count))


def serial_dependence(gaps: Values) -> float:
    """Spearman's rank correlation of each gap with the next, as a standard normal value."""
    correlation = float(stats.spearmanr(gaps[:-1], gaps[1:]).statistic)
    return correlation * math.sqrt(len(gaps) - 2)
