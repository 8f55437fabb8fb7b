"""A cross-check on the interval of a throughput ratio: what was measured, drawn again and again.

In two steps: blocks with replacement, each with both its cells, so that it stays paired; then, in
either cell, parts of its window. Those are drawn for each cell by itself: the two were measured
one after the other, and the third part of one has no more to do with the third of the other than
with any.

Unlike Student's t this takes no shape of the noise for granted. But it decides nothing: blocks
alone, a handful of them, make its intervals too narrow, and with the parts of windows the noise
inside them counts twice, there and in what blocks differ by.
Source: A. C. Davison, D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 3.8.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinbench.analyse.intervals import ALPHA, Values
from twinbench.analyse.results import CellResult, Estimate

# Another 2,000 move a bound by a fiftieth of the interval's width.
RESAMPLES = 2000
# Of the ten slices of a window (`CellResult.slices`).
SLICES_OF_A_PART = (1, 2, 5, 10)
# Parts without any answer have no logarithm; half an answer is as near as a count can come.
LEAST_ANSWERS = 0.5
Drawn = NDArray[np.int64]


def bootstrap(pairs: Sequence[tuple[CellResult, CellResult]], seed: int) -> Estimate:
    """Candidate / baseline throughput, of both cells of each block (two or more): median and
    percentiles of the resampled ratios. Equal seeds give equal intervals."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(pairs), size=(RESAMPLES, len(pairs)))
    baseline, candidate = (_log_rates(cells, drawn, rng) for cells in zip(*pairs, strict=True))
    ratios = np.exp((candidate - baseline).mean(axis=1))
    low, median, high = np.quantile(ratios, [ALPHA / 2, 0.5, 1 - ALPHA / 2]).tolist()
    return Estimate(estimate=median, low=low, high=high)


def _log_rates(cells: Sequence[CellResult], drawn: Drawn, rng: np.random.Generator) -> Values:
    """Log throughput of each cell drawn (a row a resample), from parts drawn of its window."""
    windows_s = np.array([sum(cell.slices) / cell.throughput_rps for cell in cells])
    slices = np.array([cell.slices for cell in cells])
    counts = slices.reshape(len(cells), -1, _slices_of_a_part(cells)).sum(axis=-1)
    parts = rng.integers(counts.shape[1], size=(*drawn.shape, counts.shape[1]))
    answers = counts[drawn[..., np.newaxis], parts].sum(axis=-1)
    return np.asarray(np.log(np.maximum(answers, LEAST_ANSWERS) / windows_s[drawn]))


def _slices_of_a_part(cells: Sequence[CellResult]) -> int:
    """So many that a part is at least as long as a request takes. Users come back in waves: parts
    of a wave are full and empty by turns, which says nothing of how much is answered in the end;
    to draw them one by one would take that for noise."""
    longest = max(_slices_of_a_request(cell) for cell in cells)
    return next((few for few in SLICES_OF_A_PART if few >= longest), SLICES_OF_A_PART[-1])


def _slices_of_a_request(cell: CellResult) -> float:
    slice_s = sum(cell.slices) / cell.throughput_rps / len(cell.slices)
    return (cell.latency_ms.mean or 0.0) / 1e3 / slice_s
