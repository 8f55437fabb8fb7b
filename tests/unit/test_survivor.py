"""Who goes on where the other stops answering: not after one stall of many, nor with one answer."""

from pathlib import Path

import pytest

from tests import runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell
from twinbench.report.charts.comparisons import describe
from twinbench.report.tables import overview_rows, scenario_rows
from twinbench.report.verdicts import summary
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


def test_a_collapse_of_few_blocks_is_told_beside_the_ratio(tmp_path: Path) -> None:
    results = collapsing(tmp_path, 1)
    told = "(sync collapsed in 1 of 5 blocks)"
    assert told in scenario_rows(results, "noop", "closed")[0][1]
    assert told in overview_rows(results, "closed")[1][0][1]
    assert "sync collapsed in 1 of 5 blocks" in describe(results.comparisons[0])
    assert any("No difference between" in sentence for sentence in summary(results, "noop"))
