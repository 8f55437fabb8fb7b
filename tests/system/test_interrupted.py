"""A run that is interrupted again and again, also while it is being put in order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.processes import LONG_S, command, marked_environment, none_left, twinbench
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
    _, said = process.communicate(timeout=LONG_S)
    assert process.returncode == 130, said
    return said


def test_interrupted_again_and_again_it_loses_nothing_and_leaves_nothing(folder: Path) -> None:
    mark = f"again-{os.getpid()}"
    said = stopped_after(1, folder, mark, stop=impatiently)
    assert said.count("\n") == 1
    assert f"of {TINY_CELLS} cells are kept" in said
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


def assert_in_order(folder: Path, mark: str, sessions: int) -> None:
    """All that a run leaves are its cells, and when it measured them."""
    store = Store.open(next(folder.glob("reports/runs/*")))
    assert [bool(session.ended) for session in store.manifest().sessions] == [True] * sessions
    left = [path for path in (folder / "temporary").rglob("*") if path.suffix != ".lock"]
    assert left == []
    assert none_left(mark)
