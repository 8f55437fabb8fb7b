"""Who goes on where the other stops answering: not after one stall of many, nor with one answer."""

from pathlib import Path

import pytest

from tests import runs
from twinbench.analyse.run import analyse
from twinbench.plan import Cell
from twinbench.store import CellRecord


@pytest.mark.parametrize(
    ("collapses", "lost", "survivor"),
    [(5, 0, "async"), (3, 0, "async"), (2, 0, None), (5, 2, "async"), (5, 4, None), (0, 4, None)],
)
def test_a_survivor_goes_on_in_most_blocks(
    tmp_path: Path, collapses: int, lost: int, survivor: str | None
) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 1000)
        if cell.target == "sync" and cell.block <= collapses:
            record = runs.record(cell, outcome="collapsed", unanswered=8)
        if cell.target == "async" and cell.block <= lost:
            record = runs.record(cell, outcome="lost", reason="died")
        return record, requests

    results = analyse(runs.write_run(tmp_path, runs.plan(blocks=5), make))
    assert {found.survivor for found in results.comparisons} == {survivor}
