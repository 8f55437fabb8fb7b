"""How many blocks a precision takes, by the widths of intervals so far.

Looking at widths only, never at means, does not make a difference likelier to be shown. But an
interval that is narrow by chance ends early, and is then too narrow
(docs/decisions/0020-precision.md).
"""

import math
from functools import cache

from twinbench.analyse.statistics import ALPHA, Values, critical_t

# Intervals that end by their width hold the truth in 93.6 % of cases if they begin with ten blocks,
# in 93.2 % with eight, 92.2 % with five; simulated, at the noise for which it is least.
MIN_BLOCKS = 10
# A round adds at most this share of the blocks so far: with few blocks their spread, and so the
# number that is needed, is known too badly to be followed in one step.
MAX_GROWTH = 0.5


def blocks_to_add(logs: Values, precision: float) -> int:
    """Return how many blocks to measure next; 0 if the interval is narrow enough.

    `logs`: two or more log ratios, one a block. Narrow enough is an interval that reaches no
    further than `precision` (0.05: by a factor of 1.05) either way. Until then as many are added
    as the spread so far needs, up to `MAX_GROWTH`. Sources: for the number C. Stein, A Two-Sample
    Test for a Linear Hypothesis Whose Power Is Independent of the Variance, 1945; for stopping by
    the width Y. S. Chow and H. Robbins, On the Asymptotic Theory of Fixed-Width Sequential
    Confidence Intervals for the Mean, 1965.
    """
    blocks, sd, allowed = len(logs), float(logs.std(ddof=1)), math.log1p(precision)
    if blocks < MIN_BLOCKS:
        return MIN_BLOCKS - blocks
    most = math.ceil(blocks * MAX_GROWTH)
    counts = range(most + 1)
    return next((n for n in counts if sd * _errors(blocks + n) <= allowed), most)


@cache
def _errors(blocks: int) -> float:
    """Return the half width of an interval whose standard deviation is 1."""
    return critical_t(ALPHA / 2, blocks - 1) / math.sqrt(blocks)
