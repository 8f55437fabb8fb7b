"""Charts drawn in processes of their own: the same charts, and no process left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import runs
from tests.system.processes import LONG_S, command, marked, marked_environment, none_left
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.report import draw
from twinbench.report.gallery import charts
from twinbench.store import Store

SCENARIOS = 30  # four charts each: a second or two of work for two processes


def made(folder: Path, scenarios: int) -> Store:
    one = runs.plan().scenarios[0].model_dump()
    many = [one | {"name": f"scenario{n}"} for n in range(scenarios)]
    plan = runs.plan(scenarios=many, blocks=2)
    return runs.write_run(folder, plan, lambda cell: runs.steady(cell, 300))


def drawn(results: Results, folder: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    elements = draw.draw(charts(results), results, folder, lambda _: None).elements
    return elements, {path.name: path.read_bytes() for path in folder.iterdir()}


def test_many_charts_are_the_same_as_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = analyse(made(tmp_path, 2))
    assert len(charts(results)) < draw.FEW
    here = drawn(results, tmp_path / "here")
    monkeypatch.setattr(draw, "FEW", 0)
    assert drawn(results, tmp_path / "there") == here


def interrupt(process: subprocess.Popen[str]) -> int:
    """Ctrl-C: the terminal sends it to the whole group."""
    os.killpg(process.pid, signal.SIGINT)
    return 130


def kill(process: subprocess.Popen[str]) -> int:
    process.kill()
    return -signal.SIGKILL


@pytest.mark.parametrize("end", [interrupt, kill])
def test_whatever_ends_it_no_process_is_left(
    tmp_path: Path, end: Callable[[subprocess.Popen[str]], int]
) -> None:
    store = made(tmp_path, SCENARIOS)
    mark = f"draw-{end.__name__}-{os.getpid()}"
    process = subprocess.Popen(
        command("report", str(store.folder)),
        env=marked_environment(mark),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(store.folder.glob("charts/*.svg")) and process.poll() is None:
        time.sleep(0.02)
    assert len(marked(mark)) >= 3  # itself and two that draw
    expected = end(process)
    _, said = process.communicate(timeout=LONG_S)
    assert process.returncode == expected
    assert "Traceback" not in said
    assert none_left(mark)
