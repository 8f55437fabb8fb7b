"""Figures of cells, and how they are written in a sentence."""

from collections.abc import Callable, Iterable, Sequence

from twinbench.analyse.results import CellResult, Estimate
from twinbench.plan import Load

Value = Callable[[CellResult], float | None]


def by_block(cells: Iterable[CellResult], value: Value) -> dict[int, float]:
    """The value of each valid cell that has one, above zero."""
    return {
        cell.block: known for cell in cells if cell.status == "valid" and (known := value(cell))
    }


def told(found: Estimate, unit: str = "") -> str:
    """`1.11× (1.01 to 1.21)`."""
    if found.low is None or found.high is None:
        return f"{number(found.estimate)}{unit} (one block)"
    return f"{number(found.estimate)}{unit} ({number(found.low)} to {number(found.high)})"


def number(value: float) -> str:
    """Up to three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def span(loads: Sequence[Load]) -> str:
    """`1 user`, `64, 128 and 256 users`, `400 requests/s`."""
    unit = "requests/s" if loads[0].kind == "open" else "user" if loads[-1].value == 1 else "users"
    return f"{joined([f'{load.value:,}' for load in loads])} {unit}"


def joined(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last
