"""Intervals, and when a ratio counts as a difference.

The unit is the block: requests follow one another and are not independent, blocks are apart in
time and order. Ratios are candidate / baseline, one per block: paired, since both were measured
in the same minutes. All is done on logarithms, because noise and ratios multiply, and so that
twice as fast and half as fast are equally far from 1.
"""

import math
import sys
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special  # not stats nor optimize, which take a second to import

from twinbench.analyse.results import HIGHER_IS_BETTER, Estimate, Metric, Shown

# The probability of an error, of intervals and decisions alike: customary, see `Estimate`.
ALPHA = 0.05
CONFIDENCE = 1 - ALPHA
# A difference smaller than this matters to nobody who chooses between two designs.
MARGIN = 0.03
# Share of cases in which the smallest difference is found: customary.
POWER = 0.8
# The largest logarithm whose exponential is a float.
MAX_LOG = math.log(sys.float_info.max)
# Longer runs are not practical: a minute would become an hour and a half.
MAX_TIMES = 100
Values = NDArray[np.float64]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class FamilyDecision:
    """Decision on one of a family; see `Comparison`."""

    decision: Shown
    adjusted_p: float
    smallest_difference: float
    halved_by: float | None
    reasons: list[str]


def geometric_mean(values: Sequence[float]) -> Estimate | None:
    """Return the geometric mean, with Student's t interval on the logarithms.

    One value has no interval. No values, or a zero among them, have no mean.
    """
    if not values or min(values) <= 0:
        return None
    if len(values) == 1:
        return Estimate(estimate=values[0])
    logs = np.log(values)
    mean, error = logs.mean(), standard_error(logs)
    half_width = critical_t(ALPHA / 2, len(values) - 1) * error
    low, estimate, high = np.exp([mean - half_width, mean, mean + half_width]).tolist()
    return Estimate(estimate=estimate, low=low, high=high)


# Of a side of an unpaired ratio: the interval of two values may span five powers of ten.
LEAST_VALUES = 3


def unpaired_ratio(first: Sequence[float], other: Sequence[float]) -> Estimate | None:
    """Return other / first of geometric means over blocks that do not belong together.

    With Welch's t interval on the logarithms, for unequal variances; fewer than LEAST_VALUES on
    either side have no interval. No values, or a zero among them, have no ratio. Source: B. L.
    Welch, The Generalization of "Student's" Problem when Several Different Population Variances are
    Involved, Biometrika 34, 1947.
    """
    if not (first and other) or min(*first, *other) <= 0:
        return None
    sides = [np.log(values) for values in (first, other)]
    difference = float(sides[1].mean() - sides[0].mean())
    if min(len(logs) for logs in sides) < LEAST_VALUES:
        return Estimate(estimate=math.exp(difference))
    variances = [float(standard_error(logs)) ** 2 for logs in sides]
    half_width = 0.0
    if both := sum(variances):
        parts = (v**2 / (len(logs) - 1) for v, logs in zip(variances, sides, strict=True))
        half_width = critical_t(ALPHA / 2, both**2 / sum(parts)) * math.sqrt(both)
    bounds = (difference - half_width, difference, difference + half_width)
    low, estimate, high = (math.exp(min(MAX_LOG, log)) for log in bounds)
    return Estimate(estimate=estimate, low=low, high=high)


def standard_error(values: Values) -> Values:
    """Return the standard error of the mean over the last axis: of two values or more."""
    return np.asarray(values.std(axis=-1, ddof=1) / math.sqrt(values.shape[-1]))


def critical_t(p: float, freedom: float) -> float:
    """Return the value that Student's t exceeds with probability `p`."""
    return -float(special.stdtrit(freedom, p))


class Line(NamedTuple):
    """Line with the share `r2` of the variance that it explains, and the p-value of no slope."""

    slope: float
    intercept: float
    r2: float
    p: float


def fitted_line(values: Values) -> Line:
    """Return the least-squares line through `values`, not all equal, at 0, 1, 2 and so on."""
    middle, freedom = (len(values) - 1) / 2, len(values) - 2
    places, away = np.arange(len(values)) - middle, values - values.mean()
    slope = float(places @ away / (places @ places))
    r2 = min(1.0, slope * float(places @ away / (away @ away)))
    t = math.sqrt(freedom * r2 / (1 - r2)) if r2 < 1 else math.inf
    p = 2 * float(special.stdtr(freedom, -t))
    return Line(slope, float(values.mean()) - slope * middle, r2, p)


def decide(
    family: Mapping[Key, tuple[Metric, Values]], margin: float = MARGIN
) -> dict[Key, FamilyDecision]:
    """Return the decisions on a family: by a metric, and its log ratios, two or more."""
    p_values = [float(p_beyond_margin(logs, margin)) for _, logs in family.values()]
    adjusted = holm(np.array(p_values)).tolist()
    return {
        key: _decide(*of_key, p, adjusted_p, len(family), margin)
        for (key, of_key), p, adjusted_p in zip(family.items(), p_values, adjusted, strict=True)
    }


def _decide(
    metric: Metric, logs: Values, p: float, adjusted_p: float, among: int, margin: float
) -> FamilyDecision:
    decision: Shown = "no difference shown"
    reasons = []
    if adjusted_p < ALPHA:
        decision = "faster" if (logs.mean() > 0) == (metric in HIGHER_IS_BETTER) else "slower"
    elif p < ALPHA:
        reasons.append(f"beyond the margin by itself, but not as one of {among} comparisons")
    blocks, sd = len(logs), float(logs.std(ddof=1))
    difference = smallest_difference(sd / math.sqrt(blocks), blocks, among, margin)
    times = halved_by(sd, blocks, among, margin)
    return FamilyDecision(decision, adjusted_p, difference, times, reasons)


def p_beyond_margin(logs: Values, margin: float = MARGIN) -> Values:
    """Return the probability of means so far beyond the margin, if the truth were at the margin.

    Over the last axis: blocks, two or more. It is one-sided and doubled, so that it is below
    `ALPHA` where the interval of the ratio lies beyond the margin as a whole; 1 within the margin.
    """
    error = standard_error(logs)
    excess = np.abs(logs.mean(axis=-1)) - math.log1p(margin)
    without_spread = np.where(excess > 0, np.inf, -np.inf)
    t = np.divide(excess, error, out=without_spread, where=error > 0)
    return np.asarray(np.minimum(1.0, 2 * special.stdtr(logs.shape[-1] - 1, -t)))


def holm(p: Values) -> Values:
    """Return p values adjusted for their number along the last axis, one family.

    The probability that any of a family is below `ALPHA` by chance stays below `ALPHA`, however
    they depend on each other. Source: S. Holm, A Simple Sequentially Rejective Multiple Test
    Procedure, 1979.
    """
    order = np.argsort(p, axis=-1)
    stepwise = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    adjusted = np.empty_like(p)
    np.put_along_axis(
        adjusted, order, np.minimum(1.0, np.maximum.accumulate(stepwise, axis=-1)), axis=-1
    )
    return adjusted


def smallest_difference(error: float, blocks: int, among: int, margin: float = MARGIN) -> float:
    """Return how far from 1 a ratio must truly be to be decided with `POWER`.

    0.12 is 12 % more, or less by a factor of 1.12. `error` is the standard error of the mean log
    ratio. At the level of Bonferroni for `among` decisions; Holm decides no less.
    """
    log = math.log1p(margin) + _detectable_errors(blocks - 1, among) * error
    return math.expm1(min(MAX_LOG, log))


def halved_by(sd: float, blocks: int, among: int, margin: float = MARGIN) -> float | None:
    """Return how many times the blocks, and so the time, halve `smallest_difference`.

    `sd` is that of the log ratios. None where half of it lies within the margin, which no time
    shows, or takes more than `MAX_TIMES`.
    """

    def difference(of_blocks: int) -> float:
        return smallest_difference(sd / math.sqrt(of_blocks), of_blocks, among, margin)

    half = difference(blocks) / 2
    if difference(MAX_TIMES * blocks) > half:
        return None
    more = range(blocks, MAX_TIMES * blocks + 1)
    return more[bisect_left(more, True, key=lambda count: difference(count) <= half)] / blocks


@cache
def _detectable_errors(freedom: int, among: int) -> float:
    """Return how many standard errors beyond the margin are decided with `POWER`.

    The noncentrality at which Student's t exceeds its critical value with that probability.
    """
    critical = critical_t(ALPHA / 2 / among, freedom)
    # Zero exceeds it too seldom, twice the critical value and 2 more than often enough.
    low, high = 0.0, 2 * critical + 2
    while low < (away := (low + high) / 2) < high:
        if special.nctdtr(freedom, away, critical) > 1 - POWER:
            low = away
        else:
            high = away
    return away
