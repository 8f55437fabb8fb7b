"""One made-up cell, as the analysis of a run judges it."""

from collections.abc import Callable
from pathlib import Path

from tests.support import runs
from twinbench.analyse.results import CellResult, Results
from twinbench.analyse.run import analyse
from twinbench.findings import SelfCheck
from twinbench.plan import Cell
from twinbench.store import CellRecord

Made = tuple[CellRecord, runs.Requests]


def closed(tmp_path: Path, made: Callable[[Cell], Made], users: int = 8) -> CellResult:
    """The first cell of a plan with one closed load."""
    return _analysed(tmp_path, made, {"closed": [users]}).cells[0]


def opened(
    tmp_path: Path,
    made: Callable[[Cell], Made],
    rate: int = 1000,
    self_check: SelfCheck | None = None,
) -> CellResult:
    """The first cell of a plan with one open load."""
    return _analysed(tmp_path, made, {"open": [rate]}, self_check).cells[0]


def _analysed(
    tmp_path: Path,
    made: Callable[[Cell], Made],
    loads: dict[str, list[int]],
    self_check: SelfCheck | None = None,
) -> Results:
    scenario = {"name": "noop", "requests": [{"path": "/"}]} | loads
    plan = runs.plan(scenarios=[scenario], blocks=1)
    return analyse(runs.write_run(tmp_path, plan, made, self_check=self_check))


def sure(cell: CellResult) -> tuple[str, list[str]]:
    return cell.status, cell.reasons
