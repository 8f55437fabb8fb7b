"""When a ratio counts as a difference: it lies beyond a practical margin by more than chance,
among all the loads that were looked at.

All on log ratios of candidate / baseline, one a block: paired, since both were measured in the
same minutes, and so that twice as fast and half as fast are equally far from 1.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import optimize, stats

from twinbench.analyse.intervals import ALPHA, Values, mean_and_error
from twinbench.analyse.margins import MARGIN
from twinbench.analyse.results import MORE_IS_BETTER, Decision, Metric
from twinbench.plan import Load

# What is called the smallest difference is found in so many cases: custom.
POWER = 0.8
# As far as a float goes.
MOST_LOG = math.log(sys.float_info.max)


@dataclass(frozen=True, slots=True)
class Judged:
    """What is decided at one load; for the figures see `Comparison`."""

    decision: Decision
    adjusted_p: float
    smallest_difference: float
    reasons: list[str]


def judge(metric: Metric, family: Mapping[Load, Values]) -> dict[Load, Judged]:
    """Decisions on loads that are looked at together; of each its log ratios, two or more."""
    alone = [float(p_beyond(logs)) for logs in family.values()]
    adjusted = holm(np.array(alone)).tolist()
    return {
        load: _evaluated(metric, logs, p, adjusted_p, len(family))
        for (load, logs), p, adjusted_p in zip(family.items(), alone, adjusted, strict=True)
    }


def _evaluated(metric: Metric, logs: Values, p: float, adjusted_p: float, among: int) -> Judged:
    mean, error = map(float, mean_and_error(logs))
    decision: Decision = "no difference shown"
    reasons = []
    if adjusted_p < ALPHA:
        decision = "faster" if (mean > 0) == (metric in MORE_IS_BETTER) else "slower"
    elif p < ALPHA:
        reasons.append(f"beyond the margin by itself, not among {among} loads")
    return Judged(decision, adjusted_p, smallest_difference(error, len(logs), among), reasons)


def p_beyond(logs: Values) -> Values:
    """The probability of means so far beyond the margin, if the truth were at the margin; over
    the last axis (blocks, two or more). At most 1, and 1 within the margin.

    One-sided, doubled: below `ALPHA` just where the interval of the ratio (`geometric`) lies
    beyond the margin as a whole.
    """
    mean, error = mean_and_error(logs)
    excess = np.abs(mean) - math.log1p(MARGIN)
    certain = np.where(excess > 0, np.inf, -np.inf)  # where all blocks are equal
    t = np.divide(excess, error, out=certain, where=error > 0)
    return np.asarray(np.minimum(1.0, 2 * stats.t.sf(t, logs.shape[-1] - 1)))


def holm(p: Values) -> Values:
    """p values adjusted for as many as there are along the last axis, one family.

    Whatever they have to do with each other, the chance that any is below `ALPHA` by chance stays
    below `ALPHA`. Source: S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    order = np.argsort(p, axis=-1)
    stepwise = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    adjusted = np.empty_like(p)
    raised = np.minimum(1.0, np.maximum.accumulate(stepwise, axis=-1))
    np.put_along_axis(adjusted, order, raised, axis=-1)
    return adjusted


def smallest_difference(error: float, blocks: int, among: int) -> float:
    """How far from 1 a ratio must truly be (0.12: 12 % more, or a factor of 1.12 less) to be
    decided with `POWER`, where a mean log ratio over `blocks` has the standard error `error`.

    At the level that Bonferroni has for each of `among` loads; Holm decides no less.
    """
    return math.expm1(min(MOST_LOG, math.log1p(MARGIN) + _reach(blocks - 1, among) * error))


@cache
def _reach(freedom: int, among: int) -> float:
    """So many standard errors beyond the margin: the noncentrality at which Student's t, of so
    many degrees of freedom, exceeds its critical value with `POWER`."""
    critical = float(stats.t.isf(ALPHA / 2 / among, freedom))
    # Zero exceeds it too seldom, twice the critical value and 2 more than often enough.
    return optimize.brentq(
        lambda away: float(stats.nct.sf(critical, freedom, away)) - POWER, 0, 2 * critical + 2
    )
