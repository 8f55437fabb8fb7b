"""The cross-check: what it resamples, what it keeps together, and how narrow it is."""

import math

import numpy as np
import pytest

from tests.noise import OWN_SD, WINDOW_S, log_throughputs
from tests.support.factories import cell_result
from twinbench.analyse.bootstrap import bootstrap
from twinbench.analyse.results import CellResult

SLICES = 10
Pairs = list[tuple[CellResult, CellResult]]


def pairs(baseline: list[list[int]], candidate: list[list[int]]) -> Pairs:
    """One a block, from the answers in each slice; windows of a second."""
    sides = [
        [
            cell_result(name, block, sum(slices), slices=slices)
            for block, slices in enumerate(blocks)
        ]
        for name, blocks in (("sync", baseline), ("async", candidate))
    ]
    return list(zip(*sides, strict=True))


def even(*answers: int) -> list[list[int]]:
    """Blocks with so many answers in each slice."""
    return [[count] * SLICES for count in answers]


def test_without_any_spread_it_is_the_ratio() -> None:
    found = bootstrap(pairs(even(100, 100, 100), even(150, 150, 150)), 1)
    assert (found.low, found.estimate, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_blocks_stay_paired() -> None:
    """Blocks far apart, their ratios equal: a block of one beside another block of the other
    would make the interval reach from 0.15 to 15."""
    found = bootstrap(pairs(even(100, 1000, 200), even(150, 1500, 300)), 1)
    assert (found.low, found.high) == pytest.approx((1.5, 1.5))


def test_blocks_are_drawn_with_replacement() -> None:
    """Ratios 1, 2, 4: the lowest mean is three times the first, once in 27, and so on."""
    found = bootstrap(pairs(even(100, 100, 100), even(100, 200, 400)), 1)
    assert (found.low, found.estimate, found.high) == pytest.approx((1, 2, 4))


def test_slices_are_drawn_in_each_cell_by_itself() -> None:
    """Both cells alike, slice by slice. Slices drawn together would leave no spread at all; by
    themselves they leave that of two means of ten."""
    slices = [80, 120] * 5
    found = bootstrap(pairs([slices] * 20, [slices] * 20), 1)
    error = math.sqrt(2 * 0.2**2 / SLICES / 20)
    assert found.low == pytest.approx(math.exp(-1.96 * error), abs=0.005)
    assert found.high == pytest.approx(math.exp(1.96 * error), abs=0.005)


@pytest.mark.parametrize(
    ("latency_ms", "spread"), [(100, True), (101, True), (500, False), (2000, False)]
)
def test_waves_are_no_noise(latency_ms: float, spread: bool) -> None:
    """100 users who come back together twice in the window: as soon as a part of it is as long as
    a request takes, every part holds one wave. Longer than the window: the blocks alone."""
    waves = [0, 0, 0, 100, 0] * 2
    made = [
        cell_result("sync", block, 200, slices=waves, mean_ms=latency_ms) for block in (1, 2, 3)
    ]
    found = bootstrap(list(zip(made, made, strict=True)), 1)
    assert (found.low != found.high) == spread


def test_windows_of_different_lengths_are_rates() -> None:
    """Twice the answers in twice the time."""
    short, long = cell_result("sync", 1, 1000), cell_result("async", 1, 1000, slices=[200] * SLICES)
    found = bootstrap([(short, long)] * 2, 1)
    assert found.estimate == pytest.approx(1)


def test_a_cell_with_one_answer_has_no_logarithm_of_none() -> None:
    found = bootstrap(pairs([[1] + [0] * 9] * 3, [[1] + [0] * 9] * 3), 1)
    assert found.low is not None
    assert found.low > 0


def test_equal_seeds_give_equal_intervals_and_others_nearly_equal_ones() -> None:
    made = pairs([[80, 120] * 5] * 5, [[70, 150] * 5] * 5)
    once, again, other = (bootstrap(made, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other
    assert other.low == pytest.approx(once.low, rel=0.02)
    assert other.high == pytest.approx(once.high, rel=0.02)


@pytest.mark.parametrize(
    ("blocks", "noisy", "held"),
    [
        (3, False, 0.75),
        (3, True, 0.97),
        pytest.param(5, False, 0.83, marks=pytest.mark.slow),
        pytest.param(10, False, 0.90, marks=pytest.mark.slow),
        pytest.param(5, True, 0.98, marks=pytest.mark.slow),
    ],
)
def test_how_often_it_holds_the_truth(blocks: int, noisy: bool, held: float) -> None:
    """The figures of docs/decisions/0012-statistics.md: never just 95 %, hence a cross-check only.
    Without noise inside the windows, blocks alone: too few. With as much as was measured: too
    many."""
    repeats = 500
    logs = np.stack(log_throughputs(repeats, blocks))[:, :, 0]
    # As much in a slice as there is in ten times the time, of which `logs` has it already.
    spread = noisy * OWN_SD / math.sqrt(WINDOW_S / SLICES)
    own = np.random.default_rng(1).normal(0, spread, (*logs.shape, SLICES))
    own -= own.mean(axis=-1, keepdims=True)
    counts = np.rint(1000 * np.exp(logs[..., np.newaxis] + own)).astype(int)
    hits = 0
    for baseline, candidate in zip(*counts.tolist(), strict=True):
        found = bootstrap(pairs(baseline, candidate), 1)
        hits += (found.low or 0) <= 1 <= (found.high or 0)
    assert hits / repeats == pytest.approx(held, abs=0.03)
