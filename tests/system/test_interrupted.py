"""A run that is interrupted again and again, also while it is being put in order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.system.processes import (
    LONG_S,
    ROOT,
    command,
    marked_environment,
    none_left,
    twinbench,
)
from tests.system.wedges import TINY, TINY_CELLS, kept, number_kept
from twinbench.store import Store

Stop = Callable[[subprocess.Popen[str]], None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it runs, with a place of its own for temporary files."""
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path


def once(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def impatiently(process: subprocess.Popen[str]) -> None:
    """Ctrl-C and SIGTERM until it has gone."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.001)


def stopped_after(cells: int, folder: Path, mark: str, *options: str, stop: Stop) -> str:
    """A run that is stopped once `cells` more are kept; what it said."""
    process = subprocess.Popen(
        command("run", "tiny.toml", *options, self_check=False),
        cwd=folder,
        env=marked_environment(mark),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wanted = number_kept(folder) + cells
    while number_kept(folder) < wanted and process.poll() is None:
        time.sleep(0.02)
    stop(process)
    _, said = process.communicate(timeout=LONG_S)
    assert process.returncode == 130, said
    return said


def test_interrupted_again_and_again_it_loses_nothing_and_leaves_nothing(folder: Path) -> None:
    mark = f"again-{os.getpid()}"
    said = stopped_after(1, folder, mark, stop=impatiently)
    assert said.count("\n") == 1
    assert f"of {TINY_CELLS} measurements are kept" in said
    assert "--resume" in said
    assert_in_order(folder, mark, sessions=1)
    first = kept(folder)

    stopped_after(1, folder, mark, "--resume", stop=once)
    assert_in_order(folder, mark, sessions=2)
    second = kept(folder)

    left = TINY_CELLS - number_kept(folder)
    said = stopped_after(left, folder, mark, "--resume", stop=once)  # in mid-report, then
    assert said.endswith("'twinbench report' makes the report.\n")
    assert said.count("\n") == 1
    assert_in_order(folder, mark, sessions=3)
    assert twinbench("report", cwd=folder).returncode == 0
    assert first.items() <= second.items() <= kept(folder).items()


# A signal that is sent from within, at a moment that an interrupt at random seldom meets.
SIGNALLED = """
import os, shutil, signal, sys
import twinbench.__main__ as entry

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

{moment}
entry.main()
"""
DURING_THE_IMPORT_OF = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            interrupt()

sys.meta_path.insert(0, Finder())
"""
AFTER_A_SCRATCH_FOLDER_IS_MADE = """
from twinbench.measure import server
make = server.make_scratch
server.make_scratch = lambda: (make(), interrupt())[0]
"""
BEFORE_A_SERVER_IS_STARTED = """
from twinbench.measure import server
child = server.Child
server.Child = lambda *args, **more: (interrupt(), child(*args, **more))[1]
"""
WHILE_A_FOLDER_IS_REMOVED = """
remove = shutil.rmtree
shutil.rmtree = lambda *args, **more: (interrupt(), remove(*args, **more))[1]
"""
MOMENTS = {
    "pydantic": DURING_THE_IMPORT_OF.format(name="pydantic"),
    "plan models": DURING_THE_IMPORT_OF.format(name="twinbench.plan.models"),
    "scratch folder made": AFTER_A_SCRATCH_FOLDER_IS_MADE,
    "server starting": BEFORE_A_SERVER_IS_STARTED,
    "server stopping": WHILE_A_FOLDER_IS_REMOVED,
}


@pytest.mark.smoke
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupt_at_a_bad_moment_leaves_nothing(folder: Path, moment: str) -> None:
    mark = f"moment-{os.getpid()}"
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED.format(moment=MOMENTS[moment]), "check", "tiny.toml"],
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
def test_a_second_interrupt_after_patience_ends_at_once() -> None:
    script = (
        "import os, signal; from twinbench import interruption as i; i.PATIENCE_S = 0; i.listen()\n"
        "for _ in range(3): os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('still here')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_scratch_folders_of_a_killed_run_are_removed(folder: Path) -> None:
    process = subprocess.Popen(
        command("run", "tiny.toml", self_check=False),
        cwd=folder,
        env=marked_environment(mark := f"killed-{os.getpid()}"),
        stdout=subprocess.DEVNULL,
    )
    while not number_kept(folder):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert none_left(mark)
    temporary = folder / "temporary"
    mine = temporary / f"twinbench-{os.getpid()}-{int(psutil.Process().create_time())}-mine"
    mine.mkdir()
    assert len(list(temporary.iterdir())) > 1
    assert twinbench("check", "tiny.toml", cwd=folder).returncode == 0
    assert list(temporary.iterdir()) == [mine]


def assert_in_order(folder: Path, mark: str, sessions: int) -> None:
    """All that a run leaves are its cells, and when it measured them."""
    store = Store.open(next(folder.glob("reports/runs/*")))
    assert [bool(session.ended) for session in store.manifest().sessions] == [True] * sessions
    assert list((folder / "temporary").iterdir()) == []
    assert none_left(mark)
