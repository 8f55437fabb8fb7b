"""Gates on the server's cores: what others took of them, against what is usual in this run.

They need all cells of the run. A machine that is always robbed of a tenth robs every target
alike; the cell that was robbed of more than the others is the one that lies.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from twinbench.analyse.results import CellResult
from twinbench.plan import Load

# Share of a core above the run's usual. Throughput falls by about what is taken, and the smallest
# effect worth showing is 3 %: a tenth more in one cell of a pair of blocks would show or hide one.
# Tighter would invalidate many cells on a shared machine, where blocks and intervals deal with it.
MOST_TAKEN = 0.10
# Of what is usual the reader is told from here on: a third of the core is no small neighbour.
TO_BE_TOLD = 0.33
# From so many blocks on a cell has a usual of its own: the host takes more from a busy server
# than from one that waits, and the kernel's own work at a high rate comes in every block.
OWN_USUAL_BLOCKS = 3

Captures = Callable[[CellResult], float | None]


def invalidate_contended(cells: Sequence[CellResult]) -> None:
    """Void the cells on whose cores others were busier than usual."""
    for taken, by, remedy in (
        (_stolen, "the host took {share:.0%} of a core from the server", "on a quieter host"),
        (_others, "other processes used {share:.0%} of the server's cores", "with them stopped"),
    ):
        known = [cell for cell in cells if taken(cell) is not None]
        for cell, usual in zip(known, _usuals(known, taken), strict=True):
            share = taken(cell) or 0.0
            if cell.status == "collapsed":
                continue
            if share <= usual + MOST_TAKEN:
                if share > TO_BE_TOLD:
                    cell.reasons.append(f"{by.format(share=share)}, as is usual in this run")
                continue
            cell.status = "invalid"
            cell.reasons = [
                f"{by.format(share=share)}, {usual:.0%} is usual in this run:"
                f" measure again {remedy}",
                *cell.reasons,
            ]


def _stolen(cell: CellResult) -> float | None:
    return cell.stolen


def _others(cell: CellResult) -> float | None:
    return cell.others


def _usuals(cells: Sequence[CellResult], taken: Captures) -> Iterator[float]:
    """For each cell the run's median, or that of its own blocks where it is higher."""
    blocks: dict[tuple[str, str, Load], list[float]] = defaultdict(list)
    for cell in cells:
        blocks[cell.scenario, cell.target, cell.load].append(taken(cell) or 0.0)
    usual = median(taken(cell) or 0.0 for cell in cells) if cells else 0.0
    for cell in cells:
        own = blocks[cell.scenario, cell.target, cell.load]
        yield usual if len(own) < OWN_USUAL_BLOCKS else max(usual, median(own))
