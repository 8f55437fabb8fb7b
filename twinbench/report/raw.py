"""The cells of a run as rows, for whoever wants to see what a sentence cites."""

from collections.abc import Sequence

from twinbench.analyse.results import CellResult, Results
from twinbench.report import style

HEADER = (
    *("cell", "block", "scenario", "target", "load", "status"),
    *("req/s", "p50 ms", "p99 ms", "reasons and remarks"),
)
# About 200 bytes each in a page that has at most 5 MB for everything.
MOST_ROWS = 5000


def cell_rows(results: Results) -> list[list[str]]:
    """A row for each cell, in the order of measuring; of too many only those that are not valid."""
    shown = results.cells
    if len(shown) > MOST_ROWS:
        shown = [cell for cell in shown if cell.status != "valid"][:MOST_ROWS]
    return [_row(cell) for cell in shown]


def cited(cells: Sequence[int]) -> str:
    """Ids in words, neighbours as a stretch: `cells 1 to 4, 7`."""
    stretches: list[list[int]] = []
    for cell in sorted(set(cells)):
        if stretches and cell == stretches[-1][-1] + 1:
            stretches[-1].append(cell)
        else:
            stretches.append([cell])
    told = ", ".join(str(s[0]) if len(s) == 1 else f"{s[0]} to {s[-1]}" for s in stretches)
    return f"cell{'s' if len(cells) > 1 else ''} {told}"


def _row(cell: CellResult) -> list[str]:
    return [
        str(cell.id),
        str(cell.block),
        cell.scenario,
        cell.target,
        cell.load.label,
        cell.status,
        style.number(cell.throughput_rps),
        style.number(cell.latency_ms.p50),
        style.number(cell.latency_ms.p99),
        "; ".join(cell.reasons),
    ]
