"""The law behind a closed curve: bounds on throughput, and what they predict."""

from collections.abc import Sequence

from twinbench.analyse.cells import Cell
from twinbench.analyse.results import Law, Point


def law(points: Sequence[Point], cells: Sequence[Cell], cores: int) -> Law | None:
    """`cells` are all of the curve's; `cores` those of the server. None without a valid cell."""
    raise NotImplementedError
