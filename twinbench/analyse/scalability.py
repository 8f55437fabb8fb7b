"""The Universal Scalability Law, fitted to a curve: N users get

    X(N) = rate N / (1 + contention (N - 1) + coherency N (N - 1))

Contention is the share of the work that must queue, coherency what each pair of users costs.
Source: N. J. Gunther, Guerrilla Capacity Planning, 2007, chapter 4.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import least_squares

from twinbench.analyse.results import Point, Usl

# It has three parameters: three points it meets whatever they are.
LEAST_POINTS = 4
# So much less than any measurement differs from the next is rounding.
FLAT = 1e-6


def scalability(points: Sequence[Point]) -> Usl | None:
    """By least squares on the logarithms of throughput, since noise multiplies. None with fewer
    than four valid points, or where all have the same throughput, so that nothing is explained.

    N / X(N) is a sum of the terms 1, N and N (N - 1). If none of their coefficients is below zero,
    coherency is not either, and contention lies between 0 and 1."""
    valid = [point for point in points if point.status == "valid"]
    seen = [(p.value, p.throughput_rps.estimate) for p in valid if p.throughput_rps]
    if len(seen) < LEAST_POINTS:
        return None
    users, rps = np.array(seen, dtype=float).T
    logs = np.log(rps)
    if np.ptp(logs) < FLAT:
        return None
    terms = np.stack([np.ones_like(users), users, users * (users - 1)], axis=1)
    scale = terms.max(axis=0)  # so that the coefficients are alike in size
    coefficients = _coefficients(terms / scale, users / rps) / scale
    left = logs - np.log(users / (terms @ coefficients))
    alone, by_user, by_pair = coefficients.tolist()
    return Usl(
        rate_rps=1 / (alone + by_user),
        contention=by_user / (alone + by_user),
        coherency=by_pair / (alone + by_user),
        r2=1 - float(np.sum(left**2) / np.sum((logs - logs.mean()) ** 2)),
        low=int(users.min()),
        high=int(users.max()),
    )


def _coefficients(terms: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Of the sum of `terms` (a column each) that comes nearest to `wanted` on a logarithmic scale,
    none below zero. Of points in disorder there may be several, each the nearest among its like: it
    is searched for from throughput that grows with users, and from throughput that never does."""

    def off(coefficients: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(terms @ coefficients / wanted))

    def slopes(coefficients: np.ndarray) -> np.ndarray:
        return np.asarray(terms / (terms @ coefficients)[:, None])

    grows, stays = np.exp(np.log(wanted[:, None] / terms[:, :2]).mean(axis=0))
    fits = [
        least_squares(off, begin, slopes, bounds=(0, np.inf))
        for begin in ((grows, 0.0, 0.0), (0.0, stays, 0.0))
    ]
    return np.asarray(min(fits, key=lambda fit: fit.cost).x)
