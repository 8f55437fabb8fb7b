"""Simulated runs of two versions, many at once, and their verdicts."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.support.noise import ALTERNATING, Logs
from twinbench.analyse.statistics import ALPHA, MARGIN, holm, p_beyond_margin

ROWS = 6
LOADS = 3  # of a scenario, whose servers are the same at all of its loads
Flags = NDArray[np.bool_]


def log_throughputs(
    repeats: int, blocks: int, *, sd: float, rows: int = ROWS, slower_by: float = 0.0
) -> Logs:
    """Return logs of throughputs, (base, head and base again, repeats, rows, blocks).

    `sd` is that of the log ratio of head and base in a block. Part of it is of their processes,
    which serve `LOADS` rows of a block; the rest is of the windows, each with noise of its own.
    What the machine does to all three in a block is larger, and cancels. In the first row head is
    slower by a factor of 1 + `slower_by`.
    """
    rng = np.random.default_rng([20260117, blocks, rows, round(1e6 * sd), round(1e6 * slower_by)])
    window = math.sqrt(sd**2 / 2 - ALTERNATING.process**2)
    scenarios = math.ceil(rows / LOADS)
    process = rng.normal(0, ALTERNATING.process, (3, repeats, scenarios, blocks))
    logs = process.repeat(LOADS, axis=2)[:, :, :rows]
    logs = logs + rng.normal(0, window, logs.shape)
    logs += rng.normal(0, ALTERNATING.level, (repeats, 1, blocks))
    logs[1, :, 0] -= math.log1p(slower_by)
    return np.asarray(logs)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Rows shown to be slower or faster, rows that fail, and runs without a verdict."""

    slower: Flags
    faster: Flags
    withheld: Flags

    @property
    def different(self) -> Flags:
        """Runs whose verdict is a difference."""
        return np.asarray((self.slower | self.faster).any(axis=1) & ~self.withheld)

    @property
    def first_slower(self) -> Flags:
        """Runs that are shown to be slower in the first row."""
        return np.asarray(self.slower[:, 0] & ~self.withheld)


def ratios(logs: Logs) -> tuple[Logs, Logs]:
    """Return the log ratios of head and the mean of both bases, and of the two bases."""
    base, head, again = logs
    return head - (base + again) / 2, again - base


def verdicts(logs: Logs, margin: float = MARGIN) -> Verdicts:
    """Return the verdicts of `compare_versions` on each run; a test holds that they are.

    With a `margin` of `fail_on`: which rows fail.
    """
    of_head, of_again = ratios(logs)
    shown = holm(p_beyond_margin(of_head, margin)) < ALPHA
    slower = of_head.mean(axis=-1) < 0
    noisy = holm(p_beyond_margin(of_again)) < ALPHA
    return Verdicts(shown & slower, shown & ~slower, np.asarray(noisy.any(axis=1)))
