"""Cells of closed loads on servers with known behaviour."""

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest

from tests.support.processes import BEHAVING, clean_rig
from twinbench.measure.rig import Rig
from twinbench.plan import Load, Plan, cells
from twinbench.store import CellRecord

pytestmark = pytest.mark.serial

BEHAVIOURS = {
    "ok": ["ok"],
    "wait": ["wait"],
    "silent": ["silent", "50"],
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


def measure(rig: Rig, target: str, users: int, folder: Path) -> CellRecord:
    wanted = (target, Load("closed", users))
    cell = next(c for c in cells(plan()) if (c.target, c.load) == wanted)
    return rig.measure(cell, folder)


def test_a_wait_of_20_ms_limits_the_throughput(rig: Rig, tmp_path: Path) -> None:
    record = measure(rig, "wait", 10, tmp_path)
    assert record.outcome == "done"
    # Never more than the wait allows; how much less depends on the machine.
    assert 0 < record.good <= record.window_s * 10 / 0.02 + 10
    assert record.window_s >= 0.6
    assert record.unanswered == 0
    assert record.drained
    assert (record.server_memory_mib or 0) > 1


def test_fewer_users_than_processes_are_measured(tmp_path: Path) -> None:
    with clean_rig(plan().model_copy(update={"processes": 2}), tmp_path) as rig:
        for users in (1, 10, 1):
            record = measure(rig, "wait", users, tmp_path)
            assert (record.outcome, record.reason, record.users_unserved) == ("done", "", 0)
            assert record.good > 0
            assert [path.name for path in tmp_path.glob("requests*")] == ["requests.parquet"]
    assert (tmp_path / "generator.log").read_text() == ""


@pytest.mark.parametrize("target", ["silent", "silent_later"])
def test_a_server_without_responses_has_collapsed(rig: Rig, tmp_path: Path, target: str) -> None:
    record = measure(rig, target, 10, tmp_path)
    assert record.outcome == "collapsed"
    assert pl.read_parquet(tmp_path / "requests.parquet").height > 0


def test_server_and_generator_have_cores_of_their_own(rig: Rig, tmp_path: Path) -> None:
    if not rig.cores.server:
        pytest.skip("this machine has one core, or cannot pin")
    measure(rig, "ok", 1, tmp_path)
    found: dict[str, set[int]] = {}
    for process in psutil.Process().children(recursive=True):
        for name in ("behaving.py", "loadtests.generator", "apps.upstream"):
            if any(name in part for part in process.cmdline()):
                found.setdefault(name, set()).update(process.cpu_affinity())
    assert found == {
        "behaving.py": set(rig.cores.server),
        "loadtests.generator": set(rig.cores.generator),
        "apps.upstream": set(rig.cores.generator),
    }
    assert not set(rig.cores.server) & set(rig.cores.generator)
    assert set(psutil.Process().cpu_affinity()) == set(rig.cores.generator)


def test_a_collapse_does_not_affect_the_next_cell(rig: Rig, tmp_path: Path) -> None:
    for n, target in enumerate(("silent", "ok", "silent_later", "ok")):
        (folder := tmp_path / str(n)).mkdir()
        record = measure(rig, target, 1, folder)
        if target == "ok":
            assert (record.outcome, record.unanswered) == ("done", 0)
            assert record.good > 0
