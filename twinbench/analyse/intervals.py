"""Estimates with intervals over blocks. The block is the unit: requests follow one another and
are not independent; blocks are apart in time and order."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from twinbench.analyse.results import Estimate

# The chance of an error, of intervals and decisions alike: custom, and what `Estimate` promises.
ALPHA = 0.05
CONFIDENCE = 1 - ALPHA
Values = NDArray[np.float64]


def geometric(values: Sequence[float]) -> Estimate | None:
    """Geometric mean of `values`, with Student's t interval on their logarithms.

    Logarithms, because noise and ratios multiply. One value has no interval; none has no estimate,
    nor has a zero among them.
    """
    if not values or min(values) <= 0:
        return None
    if len(values) == 1:
        return Estimate(estimate=values[0])
    mean, error = mean_and_error(np.log(values))
    reach = float(stats.t.isf(ALPHA / 2, len(values) - 1)) * error
    low, estimate, high = np.exp([mean - reach, mean, mean + reach]).tolist()
    return Estimate(estimate=estimate, low=low, high=high)


def mean_and_error(logs: Values) -> tuple[Values, Values]:
    """Means over the last axis (blocks, two or more), and their standard errors."""
    blocks = logs.shape[-1]
    return logs.mean(axis=-1), logs.std(axis=-1, ddof=1) / math.sqrt(blocks)
