"""The gates on what others took of the server's cores, judged beside all cells of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import runs
from tests.support.analysed import closed
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell


def robbed(tmp_path: Path, taken: Callable[[Cell], dict[str, float]], blocks: int = 3) -> Results:
    plan = runs.plan(blocks=blocks)
    return analyse(
        runs.write_run(
            tmp_path,
            plan,
            lambda cell: runs.steady(cell, 1000),
            look=lambda cell: runs.telemetry(**taken(cell)),
        )
    )


@pytest.mark.parametrize(("stolen", "status"), [(0.14, "valid"), (0.16, "invalid")])
def test_a_cell_whose_core_was_stolen_more_than_usual_is_void(
    tmp_path: Path, stolen: float, status: str
) -> None:
    found = robbed(tmp_path, lambda c: {"cores_stolen_s": stolen if c.number == 1 else 0.05})
    assert [cell.status for cell in found.cells] == [status] + ["valid"] * 11
    assert found.cells[0].stolen == pytest.approx(stolen)
    if status == "invalid":
        assert (
            "the host took 16% of a core from the server, 5% is usual"
            in (found.cells[0].reasons[0])
        )


def test_other_processes_on_the_servers_core_void_a_cell(tmp_path: Path) -> None:
    def taken(cell: Cell) -> dict[str, float]:
        return {"cores_busy_s": 0.9 if cell.number == 2 else 0.59, "cpu_s": 0.6}

    found = robbed(tmp_path, taken)
    assert [cell.status for cell in found.cells] == ["valid", "invalid"] + ["valid"] * 10
    assert found.cells[0].others == 0  # a little below zero
    assert (
        "other processes used 30% of the server's cores, 0% is usual" in (found.cells[1].reasons[0])
    )


def test_what_is_usual_for_a_cell_in_every_block_voids_none(tmp_path: Path) -> None:
    """The host takes more from who uses more."""
    found = robbed(tmp_path, lambda c: {"cores_stolen_s": 0.3 if c.load.value == 8 else 0.0})
    assert {cell.status for cell in found.cells} == {"valid"}


def test_where_nobody_looked_nothing_is_known_and_nothing_void(tmp_path: Path) -> None:
    found = closed(tmp_path, lambda cell: runs.steady(cell, 1000))
    assert (found.stolen, found.others, found.threads_waiting_max) == (None, None, None)
