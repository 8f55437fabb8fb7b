"""What a gate may look at."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from twinbench.analyse.results import CellResult
from twinbench.analyse.window import Window
from twinbench.findings import Floor
from twinbench.plan import Plan
from twinbench.store import CellRecord


@dataclass(frozen=True, slots=True)
class GateInput:
    """One cell: what was meant and what happened, its figures, its requests; `floor` where this
    run had a self-check."""

    plan: Plan
    record: CellRecord
    cell: CellResult
    window: Window
    errors: pl.Series  # why each wrong answer was wrong
    floor: Floor | None


# What is wrong with a cell and what to do about it, in a sentence; None: nothing.
Gate = Callable[[GateInput], str | None]
