"""Simulated throughput on a shared machine, with noise as measured on one.

The level of the machine wanders over minutes by 15 %, whatever runs on it. Each cell has noise of
its own, nearly white: sd of the logarithm 0.1 over one second.
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

LEVEL_SD, LEVEL_S = 0.15, 300.0
OWN_SD = 0.1  # over one second
WINDOW_S = 2.0
# From one cell to the next, and from one block to the next, as in the plan `bench`.
CELL_S, BLOCK_S = 2.3, 220.0

Logs = NDArray[np.float64]


def log_ratios(repeats: int, blocks: int, loads: int = 1) -> Logs:
    """Return ratios of one target measured twice, (repeats, loads, blocks); the truth is 0.

    Paired by block, each with all loads of the one, then all of the other.
    """
    rng = np.random.default_rng(20260117 + 100 * blocks + loads)
    order = itertools.product(range(blocks), range(2 * loads))
    starts_s = [block * BLOCK_S + cell * CELL_S for block, cell in order]
    logs = _level(starts_s, repeats, rng)
    logs += rng.normal(0, OWN_SD / math.sqrt(WINDOW_S), logs.shape)
    one, other = logs.reshape(repeats, blocks, 2, loads).transpose(2, 0, 3, 1)
    return np.asarray(other - one)


def _level(at_s: list[float], repeats: int, rng: np.random.Generator) -> Logs:
    """Return an autoregressive walk at these times, a row a repeat."""
    level = np.empty((repeats, len(at_s)))
    level[:, 0] = rng.normal(0, LEVEL_SD, repeats)
    for n, (before_s, now_s) in enumerate(itertools.pairwise(at_s), start=1):
        kept = math.exp((before_s - now_s) / LEVEL_S)
        fresh = rng.normal(0, LEVEL_SD * math.sqrt(1 - kept**2), repeats)
        level[:, n] = kept * level[:, n - 1] + fresh
    return level
