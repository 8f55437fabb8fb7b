"""Who goes on where the other stops answering: not after one stall of many, nor with one answer."""

from pathlib import Path

import pytest

from tests.support import runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell
from twinbench.report.view import build_view
from twinbench.store import CellRecord


def collapsing(folder: Path, collapses: int, lost: int = 0) -> Results:
    """Five blocks; `sync` collapses in the first ones, `async` is lost in the first ones."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 1000)
        if cell.target == "sync" and cell.block <= collapses:
            record = runs.record(cell, outcome="collapsed", unanswered=8)
        if cell.target == "async" and cell.block <= lost:
            record = runs.record(cell, outcome="lost", reason="died")
        return record, requests

    return analyse(runs.write_run(folder, runs.plan(blocks=5), make))


@pytest.mark.parametrize(
    ("collapses", "lost", "survivor"),
    [(5, 0, "async"), (3, 0, "async"), (2, 0, None), (5, 2, "async"), (5, 4, None), (0, 4, None)],
)
def test_a_survivor_goes_on_in_most_blocks(
    tmp_path: Path, collapses: int, lost: int, survivor: str | None
) -> None:
    results = collapsing(tmp_path, collapses, lost)
    assert {found.survivor for found in results.comparisons} == {survivor}


def test_a_collapse_of_few_blocks_is_said_beside_the_ratio(tmp_path: Path) -> None:
    view = build_view(collapsing(tmp_path, 1))
    said = "sync collapsed in 1 of 5 blocks"
    [section] = view.scenarios[0].sections
    assert said in section.figures.rows[0][3]
    assert [row.cells[-1] for row in view.verdicts[0].rows] == [
        "sync collapses in 1 of 5 blocks at 1 user"
    ]
