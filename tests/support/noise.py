"""Simulated throughput on a shared machine, with noise as measured on one.

The level of the machine wanders over minutes by 15 %, whatever runs on it. Each process of an app
is faster or slower than others as long as it lives. Each window has noise of its own, nearly white.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Logs = NDArray[np.float64]

LEVEL_S = 300.0  # after which the level of the machine is another
# From one block to the next, as in the plan `bench`.
BLOCK_S = 220.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of log throughputs; those of ratios are larger by sqrt 2.

    `level`: of the machine, over minutes, both targets alike; `process`: between processes of one
    app, one for each block and target; `window`: of a window of one second.
    """

    level: float = 0.15
    process: float = 0.0
    window: float = 0.1


# Targets one after the other: in windows that lie seconds apart the noise is larger.
SEQUENTIAL = Noise()
SEQUENTIAL_WINDOW_S = 2.0
CELL_S = 2.3  # from one cell to the next, as in the plan `bench`
# Targets in turns: 0.085 for a pair of windows of one second.
ALTERNATING = Noise(process=0.02, window=0.085 / math.sqrt(2))
PAIRS, PAIR_WINDOW_S = 2, 0.5  # of windows, at each load of a block


def log_ratios(repeats: int, blocks: int, loads: int = 1) -> Logs:
    """Return ratios of one target measured twice, (repeats, loads, blocks); the truth is 0.

    Paired by block, each with all loads of the one, then all of the other.
    """
    rng = _generator(blocks, loads)
    order = itertools.product(range(blocks), range(2 * loads))
    starts_s = [block * BLOCK_S + cell * CELL_S for block, cell in order]
    logs = _level(starts_s, repeats, SEQUENTIAL.level, rng)
    logs += rng.normal(0, SEQUENTIAL.window / math.sqrt(SEQUENTIAL_WINDOW_S), logs.shape)
    one, other = logs.reshape(repeats, blocks, 2, loads).transpose(2, 0, 3, 1)
    return np.asarray(other - one)


def alternating_log_ratios(
    repeats: int, blocks: int, loads: int = 1, noise: Noise = ALTERNATING
) -> Logs:
    """Return ratios of one target measured twice, (repeats, loads, blocks); the truth is 0.

    Both take turns at each load of a block: A B, B A. Of each the mean over its windows counts.
    """
    rng = _generator(blocks, loads)
    order = itertools.product(range(blocks), range(loads * 2 * PAIRS))
    starts_s = [block * BLOCK_S + window * PAIR_WINDOW_S for block, window in order]
    logs = _level(starts_s, repeats, noise.level, rng)
    logs += rng.normal(0, noise.window / math.sqrt(PAIR_WINDOW_S), logs.shape)
    pairs = logs.reshape(repeats, blocks, loads, PAIRS, 2)
    pairs[..., 1::2, :] = pairs[..., 1::2, ::-1]  # B A
    # The processes of a block serve all its loads.
    pairs += rng.normal(0, noise.process, (repeats, blocks, 1, 1, 2))
    one, other = np.log(np.exp(pairs).mean(axis=3)).transpose(3, 0, 2, 1)
    return np.asarray(other - one)


def _generator(blocks: int, loads: int) -> np.random.Generator:
    return np.random.default_rng(20260117 + 100 * blocks + loads)


def _level(at_s: list[float], repeats: int, sd: float, rng: np.random.Generator) -> Logs:
    """Return an autoregressive walk at these times, a row a repeat."""
    level = np.empty((repeats, len(at_s)))
    level[:, 0] = rng.normal(0, sd, repeats)
    for n, (before_s, now_s) in enumerate(itertools.pairwise(at_s), start=1):
        kept = math.exp((before_s - now_s) / LEVEL_S)
        fresh = rng.normal(0, sd * math.sqrt(1 - kept**2), repeats)
        level[:, n] = kept * level[:, n - 1] + fresh
    return level
