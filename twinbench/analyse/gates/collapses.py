"""A collapse is not a failed gate but a result: the server stopped answering."""

from collections.abc import Iterable

from twinbench.analyse.results import CellResult
from twinbench.plan import LoadKind

# Of the best throughput at a lower load: below it the server answers only now and then.
COLLAPSED_SHARE = 0.1


def mark_collapses(cells: Iterable[CellResult]) -> None:
    """Mark cells with next to no good answers beside a lower load, of the same kind and server:
    those who answer with errors alone among them."""
    best: dict[tuple[int, str, str, LoadKind], float] = {}
    for cell in sorted(cells, key=lambda cell: cell.load.value):
        if not cell.requests or cell.status == "collapsed":
            continue
        key = (cell.block, cell.scenario, cell.target, cell.load.kind)
        if cell.throughput_rps < COLLAPSED_SHARE * best.get(key, 0.0):
            cell.status = "collapsed"
            cell.reasons = [
                f"{cell.throughput_rps:.0f} good answers a second,"
                f" less than a tenth of the {best[key]:.0f} at a lower load"
            ]
        if cell.status == "valid":
            best[key] = max(best.get(key, 0.0), cell.throughput_rps)
