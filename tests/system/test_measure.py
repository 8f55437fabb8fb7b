"""Cells measured for real, on servers whose behaviour is known."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest

from tests.system.processes import BEHAVING, clean_rig
from twinbench.measure.rig import Rig
from twinbench.plan import Cell, Load, Plan, cells
from twinbench.store import CellRecord

pytestmark = pytest.mark.serial

BEHAVIOURS = {
    "ok": ["ok"],
    "wait": ["wait"],
    "freeze": ["silent", "50"],
    "die": ["die", "50"],
    "error": ["error"],
    "silent_later": ["silent", "1"],
}


def plan() -> Plan:
    targets = [
        {"name": name, "command": [sys.executable, str(BEHAVING), "{port}", *behaviour]}
        for name, behaviour in BEHAVIOURS.items()
    ]
    scenario = {"name": "get", "requests": [{"path": "/"}], "closed": [1, 10]}
    return Plan.model_validate(
        {
            "name": "known",
            "blocks": 1,
            "warmup_s": 0.1,
            "measure_s": 0.6,
            "collapse_s": 1.0,
            "targets": targets,
            "scenarios": [scenario],
        }
    )


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with clean_rig(plan(), tmp_path_factory.mktemp("logs")) as found:
        yield found


def measured(rig: Rig, target: str, users: int, folder: Path) -> CellRecord:
    wanted = (target, Load("closed", users))
    cell: Cell = next(c for c in cells(plan()) if (c.target, c.load) == wanted)
    return rig.measure(cell, folder)


def test_a_wait_of_20_ms_gives_at_most_50_answers_a_second_and_user(
    rig: Rig, tmp_path: Path
) -> None:
    record = measured(rig, "wait", 10, tmp_path)
    assert record.outcome == "done"
    # Never faster than the wait allows; how much slower depends on the machine.
    assert 0 < record.good <= record.window_s * 10 / 0.02 + 10
    assert record.window_s >= 0.6
    assert record.unanswered == 0
    assert record.drained
    assert (record.server_memory_mib or 0) > 1


def test_fewer_users_than_processes_are_measured(tmp_path: Path) -> None:
    of = plan().model_copy(update={"processes": 2})
    with clean_rig(of, tmp_path) as rig:
        for users in (1, 10, 1):
            record = measured(rig, "wait", users, tmp_path)
            assert (record.outcome, record.reason, record.users_unserved) == ("done", "", 0)
            assert record.good > 0
            assert [path.name for path in tmp_path.glob("requests*")] == ["requests.parquet"]
    assert (tmp_path / "generator.log").read_text() == ""


@pytest.mark.parametrize("target", ["freeze", "silent_later"])
def test_a_server_without_answers_has_collapsed(rig: Rig, tmp_path: Path, target: str) -> None:
    record = measured(rig, target, 10, tmp_path)
    assert record.outcome == "collapsed"
    assert (tmp_path / "requests.parquet").exists()


def test_wrong_answers_are_measured_as_such(rig: Rig, tmp_path: Path) -> None:
    record = measured(rig, "error", 10, tmp_path)
    assert (record.outcome, record.good) == ("done", 0)
    rows = pl.read_parquet(tmp_path / "requests.parquet")
    assert set(rows["error"]) == {"status 500, expected 200"}


def test_server_and_generator_have_cores_of_their_own(rig: Rig, tmp_path: Path) -> None:
    if not rig.cores.server:
        pytest.skip("this machine has one core, or cannot pin")
    measured(rig, "ok", 1, tmp_path)
    seen: dict[str, set[int]] = {}
    for process in psutil.Process().children(recursive=True):
        for name in ("behaving.py", "loadtests.driver", "apps.upstream"):
            if any(name in part for part in process.cmdline()):
                seen.setdefault(name, set()).update(process.cpu_affinity())
    assert seen == {
        "behaving.py": set(rig.cores.server),
        "loadtests.driver": set(rig.cores.generator),
        "apps.upstream": set(rig.cores.generator),
    }
    assert not set(rig.cores.server) & set(rig.cores.generator)
    assert set(psutil.Process().cpu_affinity()) == set(rig.cores.generator)


def test_a_server_that_dies_is_lost_with_its_last_words(rig: Rig, tmp_path: Path) -> None:
    record = measured(rig, "die", 10, tmp_path)
    assert record.outcome == "lost"
    assert "'die' died while it was measured: it exited with code 7" in record.reason
    assert "out of luck" in record.reason
    assert "out of luck" in (tmp_path / "server.log").read_text()


def test_the_next_cell_is_not_poisoned(rig: Rig, tmp_path: Path) -> None:
    for n, target in enumerate(("freeze", "ok", "die", "ok")):
        folder = tmp_path / str(n)
        folder.mkdir()
        record = measured(rig, target, 1, folder)
        if target == "ok":
            assert (record.outcome, record.unanswered) == ("done", 0)
            assert record.good > 0


def test_a_killed_generator_costs_one_cell(rig: Rig, tmp_path: Path) -> None:
    assert measured(rig, "ok", 1, tmp_path).outcome == "done"
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it goes with its supervisor
            if "loadtests.driver" in process.cmdline():
                process.kill()
    lost = measured(rig, "ok", 10, tmp_path)
    assert lost.outcome == "lost"
    assert "the load generator" in lost.reason
    assert measured(rig, "ok", 1, tmp_path).outcome == "done"
