"""A run that is interrupted again and again, also while it is being put in order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.processes import command, marked_environment, none_left, twinbench
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
        command("run", "tiny.toml", *options),
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
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    return said


def test_a_second_ctrl_c_does_not_spoil_what_the_first_one_began(folder: Path) -> None:
    mark = f"twice-{os.getpid()}"
    said = stopped_after(1, folder, mark, stop=impatiently)
    assert said.count("\n") == 1
    assert f"of {TINY_CELLS} cells are kept" in said
    store = Store.open(next(folder.glob("reports/runs/*")))
    assert store.manifest().sessions[-1].ended
    assert [path.suffix for path in (folder / "temporary").iterdir()] == [".lock"]
    assert none_left(mark)


def test_a_report_that_was_interrupted_is_made_later(folder: Path) -> None:
    said = stopped_after(TINY_CELLS, folder, "", stop=once)
    assert said.endswith("'twinbench report' makes the report.\n")
    assert said.count("\n") == 1
    assert [path.suffix for path in (folder / "temporary").iterdir()] == [".lock"]
    assert twinbench("report", cwd=folder).returncode == 0


def test_interrupted_and_resumed_twice_it_measures_nothing_twice(folder: Path) -> None:
    mark = f"again-{os.getpid()}"
    stopped_after(1, folder, mark, stop=once)
    first = kept(folder)
    stopped_after(1, folder, mark, "--resume", stop=once)
    second = kept(folder)
    done = twinbench("run", "tiny.toml", "--resume", cwd=folder, mark=mark)
    assert (done.returncode, done.stderr) == (0, "")
    last = kept(folder)
    assert first.items() <= second.items() <= last.items()
    assert number_kept(folder) == TINY_CELLS
    store = Store.open(next(folder.glob("reports/runs/*")))
    assert [bool(session.ended) for session in store.manifest().sessions] == [True] * 3
    assert none_left(mark)
