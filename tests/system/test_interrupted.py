"""Interrupted runs: finished cells are kept, and no process or temporary file is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.faults import TINY, TINY_CELLS, kept, number_kept, start_run, wait_until_kept
from tests.support.processes import LONG_S, marked_environment, none_left, twinbench
from twinbench.paths import ROOT
from twinbench.store import Store

Stop = Callable[[subprocess.Popen[str]], None]
# Signals from within, at points that a random interrupt seldom hits.
INTERRUPTED = """
import os, shutil, signal, sys
import twinbench.__main__ as entry

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

{point}
entry.main()
"""
IMPORTING = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            interrupt()

sys.meta_path.insert(0, Finder())
"""
AFTER_MAKING_A_SCRATCH_FOLDER = """
from twinbench.measure import server
make = server.make_scratch
server.make_scratch = lambda: (make(), interrupt())[0]
"""
BEFORE_STARTING_A_SERVER = """
from twinbench.measure import server
child = server.Child
server.Child = lambda *args, **more: (interrupt(), child(*args, **more))[1]
"""
WHILE_REMOVING_A_FOLDER = """
remove = shutil.rmtree
shutil.rmtree = lambda *args, **more: (interrupt(), remove(*args, **more))[1]
"""
POINTS = {
    "pydantic": IMPORTING.format(name="pydantic"),
    "plan models": IMPORTING.format(name="twinbench.plan.models"),
    "scratch folder made": AFTER_MAKING_A_SCRATCH_FOLDER,
    "server starting": BEFORE_STARTING_A_SERVER,
    "server stopping": WHILE_REMOVING_A_FOLDER,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a run with its own temporary folder."""
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path


def once(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)


def until_it_ends(process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.001)


def interrupt_after(cells: int, folder: Path, mark: str, *options: str, stop: Stop) -> str:
    """Interrupt a run once `cells` more are kept; return its message of one line."""
    wanted = number_kept(folder) + cells
    process = start_run(folder, mark, *options)
    wait_until_kept(folder, wanted, process)
    stop(process)
    _, message = process.communicate(timeout=LONG_S)
    assert process.returncode == 130, message
    assert message.count("\n") == 1
    return message


def assert_in_order(folder: Path, mark: str, sessions: int) -> None:
    """Check that a run leaves its cells and sessions, and nothing else."""
    store = Store.open(next(folder.glob("reports/runs/*")))
    assert [bool(session.ended) for session in store.manifest().sessions] == [True] * sessions
    assert list((folder / "temporary").iterdir()) == []
    assert none_left(mark)


def test_a_run_interrupted_repeatedly_keeps_its_cells(folder: Path) -> None:
    mark = f"again-{os.getpid()}"
    message = interrupt_after(1, folder, mark, stop=until_it_ends)
    assert f"of {TINY_CELLS} measurements are kept" in message
    assert "--resume" in message
    assert_in_order(folder, mark, sessions=1)
    first = kept(folder)

    interrupt_after(1, folder, mark, "--resume", stop=once)
    assert_in_order(folder, mark, sessions=2)
    second = kept(folder)

    left = TINY_CELLS - number_kept(folder)
    message = interrupt_after(left, folder, mark, "--resume", stop=once)  # during the report
    assert "twinbench report" in message
    assert_in_order(folder, mark, sessions=3)
    assert twinbench("report", cwd=folder).returncode == 0
    assert first.items() <= second.items() <= kept(folder).items()


@pytest.mark.smoke
@pytest.mark.parametrize("point", POINTS)
def test_an_interrupt_at_a_bad_point_leaves_nothing(folder: Path, point: str) -> None:
    mark = f"point-{os.getpid()}"
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(point=POINTS[point]), "check", "tiny.toml"],
        cwd=folder,
        env=marked_environment(mark) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
    )
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")
    assert list((folder / "temporary").iterdir()) == []
    assert none_left(mark)


@pytest.mark.smoke
def test_a_late_second_interrupt_ends_at_once() -> None:
    script = (
        "import os, signal; from twinbench import interruption\n"
        "interruption.CLEAN_UP_S = 0; interruption.defer_signals()\n"
        "for _ in range(3): os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('still here')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_scratch_folders_of_a_killed_run_are_removed(folder: Path) -> None:
    process = start_run(folder, mark := f"killed-{os.getpid()}")
    wait_until_kept(folder, 1, process)
    process.kill()
    process.communicate()
    assert none_left(mark)
    temporary = folder / "temporary"
    mine = temporary / f"twinbench-{os.getpid()}-{int(psutil.Process().create_time())}-mine"
    mine.mkdir()
    assert len(list(temporary.iterdir())) > 1
    before = kept(folder)
    assert twinbench("check", "tiny.toml", cwd=folder).returncode == 0
    assert list(temporary.iterdir()) == [mine]
    assert kept(folder) == before  # the check measures nothing
