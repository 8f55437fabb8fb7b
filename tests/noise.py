"""Throughput on a shared machine, made up in the mass, as it was measured on one.

The level of the machine wanders over minutes by 15 %, whatever runs on it: what is measured close
together moves together. On top each cell has noise of its own, nearly white: sd of the logarithm
0.1 over one second, and less over more with the square root of the time.
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


def log_throughputs(repeats: int, blocks: int, loads: int = 1) -> tuple[Logs, Logs]:
    """Of one target and the same once more, each (repeats, loads, blocks): in each block all
    loads of the one, then all of the other, as a run measures them."""
    rng = np.random.default_rng(20260117 + 100 * blocks + loads)
    order = itertools.product(range(blocks), range(2 * loads))
    starts_s = [block * BLOCK_S + cell * CELL_S for block, cell in order]
    logs = _level(starts_s, repeats, rng)
    logs += rng.normal(0, OWN_SD / math.sqrt(WINDOW_S), logs.shape)
    one, other = logs.reshape(repeats, blocks, 2, loads).transpose(2, 0, 3, 1)
    return one, other


def log_ratios(repeats: int, blocks: int, loads: int = 1) -> Logs:
    """Paired by block, (repeats, loads, blocks); the truth is 0."""
    one, other = log_throughputs(repeats, blocks, loads)
    return other - one


def _level(at_s: list[float], repeats: int, rng: np.random.Generator) -> Logs:
    """An autoregressive walk, a row a repeat, at these moments."""
    level = np.empty((repeats, len(at_s)))
    level[:, 0] = rng.normal(0, LEVEL_SD, repeats)
    for n, (before_s, now_s) in enumerate(itertools.pairwise(at_s), start=1):
        kept = math.exp((before_s - now_s) / LEVEL_S)
        fresh = rng.normal(0, LEVEL_SD * math.sqrt(1 - kept**2), repeats)
        level[:, n] = kept * level[:, n - 1] + fresh
    return level
