"""Estimates with intervals over blocks. The block is the unit: requests follow one another and
are not independent; blocks are apart in time and order."""

import math
from collections.abc import Sequence

from scipy import stats

from twinbench.analyse.results import Estimate

CONFIDENCE = 0.95


def geometric(values: Sequence[float]) -> Estimate | None:
    """Geometric mean of `values` (all > 0), with Student's t interval on their logarithms.

    Logarithms, because noise and ratios multiply. One value has no interval; none, no estimate.
    """
    if not values:
        return None
    logs = [math.log(value) for value in values]
    count = len(logs)
    mean = math.fsum(logs) / count
    if count == 1:
        return Estimate(estimate=values[0])
    variance = math.fsum((log - mean) ** 2 for log in logs) / (count - 1)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * math.sqrt(variance / count)
    return Estimate(
        estimate=math.exp(mean), low=math.exp(mean - reach), high=math.exp(mean + reach)
    )
