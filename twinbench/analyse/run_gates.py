"""Gates on a run as a whole: collapses, and contention for the server's cores."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from twinbench.analyse.results import CellResult
from twinbench.plan import Load, LoadKind

# Of the best throughput at a lower load: below it the server responds only now and then.
COLLAPSED_SHARE = 0.1
# Share of a core above the run's usual. Throughput falls by about what is taken, and the smallest
# effect worth showing is 3 %: a tenth more in one cell of a pair of blocks would show or hide one.
# Tighter would invalidate many cells on a shared machine, where blocks and intervals deal with it.
MAX_CONTENTION = 0.10
# From here on the usual contention is a remark: it takes a third of the core.
REMARKABLE_CONTENTION = 0.33
# From this number of blocks on, a cell has a usual value of its own: the host takes more from a
# busy server than from one that waits, and the kernel's work at a high rate comes in every block.
OWN_USUAL_BLOCKS = 3
# Field of `CellResult`: what happened, and what to do.
CONTENTION = {
    "stolen_cpu": ("the host took {share:.0%} of a core from the server", "on a quieter host"),
    "other_cpu": ("other processes used {share:.0%} of the server's cores", "with them stopped"),
}


def judge_run(cells: Sequence[CellResult]) -> list[CellResult]:
    """Return the cells with statuses and reasons that follow from the other cells of the run."""
    cells = mark_collapses(cells)
    for field in CONTENTION:
        cells = invalidate_contended(cells, field)
    return cells


def mark_collapses(cells: Sequence[CellResult]) -> list[CellResult]:
    """Return the cells; collapsed are those with few correct responses beside a lower load.

    Loads are those of the same kind, block and server. Cells with errors alone are among them.
    """
    best: dict[tuple[int, str, str, LoadKind], float] = {}
    marked = list(cells)
    for n in sorted(range(len(cells)), key=lambda n: cells[n].load.value):
        cell = cells[n]
        if not cell.requests or cell.status == "collapsed":
            continue
        key = (cell.block, cell.scenario, cell.target, cell.load.kind)
        if cell.throughput_rps < COLLAPSED_SHARE * best.get(key, 0.0):
            reason = (
                f"{cell.throughput_rps:.0f} correct responses per second,"
                f" less than a tenth of the {best[key]:.0f} at a lower load"
            )
            marked[n] = cell.model_copy(update={"status": "collapsed", "reasons": [reason]})
        elif cell.status == "valid":
            best[key] = max(best.get(key, 0.0), cell.throughput_rps)
    return marked


def invalidate_contended(cells: Sequence[CellResult], field: str) -> list[CellResult]:
    """Return the cells; invalid are those on whose cores others were busier than usual.

    A machine on which a tenth is always taken slows all targets alike. `field` is one of
    `CONTENTION`.
    """
    shares = [getattr(cell, field) for cell in cells]
    if not any(shares):
        return list(cells)
    usual = median(share for share in shares if share is not None)
    blocks: dict[tuple[str, str, Load], list[float]] = defaultdict(list)
    for cell, share in zip(cells, shares, strict=True):
        if share is not None:
            blocks[cell.scenario, cell.target, cell.load].append(share)
    return [
        _contended(cell, field, share, _usual(usual, blocks[cell.scenario, cell.target, cell.load]))
        for cell, share in zip(cells, shares, strict=True)
    ]


def _usual(of_run: float, own: Sequence[float]) -> float:
    """Return the median of the run, or that of the cell's own blocks where it is higher."""
    return of_run if len(own) < OWN_USUAL_BLOCKS else max(of_run, median(own))


def _contended(cell: CellResult, field: str, share: float | None, usual: float) -> CellResult:
    if share is None or cell.status == "collapsed":
        return cell
    text, remedy = CONTENTION[field]
    taken = text.format(share=share)
    if share > usual + MAX_CONTENTION:
        reason = f"{taken}, {usual:.0%} is usual in this run: measure again {remedy}"
        update = {
            "status": "invalid",
            "reasons": [reason, *cell.reasons],
            "disturbed": cell.status == "valid" or cell.disturbed,
        }
    elif share > REMARKABLE_CONTENTION:
        update = {"reasons": [*cell.reasons, f"{taken}, as is usual in this run"]}
    else:
        return cell
    return cell.model_copy(update=update)
