"""Rig whose servers misbehave, and whose processes are killed at given times."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
from pydantic import BaseModel

from tests.support import factories
from tests.support.processes import BEHAVING, behaving, command, marked_environment
from twinbench.analyse.results import CellResult
from twinbench.analyse.run import NO_REQUESTS, analyse_cell
from twinbench.measure.generator import LoadGenerator
from twinbench.measure.rig import Rig
from twinbench.plan import Load, Plan, cells
from twinbench.store import CellRecord

# More than a preflight needs, and less than any load: used up in the warm-up.
RIGHT_AT_FIRST = "50"
# For the command as a user types it.
TINY = f"""
name = "tiny"
blocks = 1
warmup_s = 0.1
measure_s = 0.3
collapse_s = 20.0
targets = [
    {{ name = "one", command = ["{sys.executable}", "{BEHAVING}", "{{port}}", "wait"] }},
    {{ name = "two", command = ["{sys.executable}", "{BEHAVING}", "{{port}}", "wait"] }},
]
scenarios = [{{ name = "get", requests = [{{ path = "/" }}], closed = [1, 8], open = [50] }}]
"""
TINY_CELLS = 6
# Longer than a busy machine stops any process, so that a right server is not taken for another.
COLLAPSE_S = 1.0
# For a cell that ends because of what happens in it.
LONG_MEASURE_S = 120.0
# What a process of the run has on its command line.
SERVER, GENERATOR, UPSTREAM = "behaving.py", "twinbench.load.generator", "apps.upstream"
# The starts that the generator is sent, in order.
WARM_UP, WINDOW = 0, 1
CLOSED, OPEN = Load("closed", 10), Load("open", 400)
BOOM = RuntimeError("boom\nsecond line")
FULL_DISK = OSError(errno.ENOSPC, "No space left on device")


def raising(error: BaseException) -> Callable[..., Any]:
    """Return a function that raises `error`, whatever its arguments."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def plan(*behaviours: str, processes: int = 1) -> Plan:
    """Return a plan with a target for each of `behaviours`, named after it."""
    targets = [{"name": name, "command": behaving(name, RIGHT_AT_FIRST)} for name in behaviours]
    scenario = {"name": "get", "requests": [{"path": "/"}], "closed": [10]}
    long = scenario | {"name": "long", "measure_s": LONG_MEASURE_S}
    return Plan.model_validate(
        {
            "name": "wedged",
            "blocks": 1,
            "warmup_s": 0.1,
            "measure_s": 0.4,
            "collapse_s": COLLAPSE_S,
            "processes": processes,
            "services": [factories.UPSTREAM],
            "targets": targets,
            "scenarios": [scenario | {"open": [400]}, long],
        }
    )


def measure(
    rig: Rig, target: str, folder: Path, load: Load = CLOSED, scenario: str = "get"
) -> tuple[CellRecord, CellResult]:
    """Measure a cell; return its record and result."""
    wanted = (scenario, target, load)
    cell = next(c for c in cells(rig.plan) if (c.scenario, c.target, c.load) == wanted)
    (record,) = rig.measure([cell], [folder])
    lost = record.outcome == "lost"
    requests = NO_REQUESTS if lost else pl.read_parquet(folder / "requests.parquet")
    return record, analyse_cell(record, requests, rig.plan).result


def assert_fine(rig: Rig, folder: Path) -> None:
    """Check that a right server is measured, whatever happened before."""
    record, _ = measure(rig, "ok", folder)
    assert (record.outcome, record.reason, record.unanswered) == ("done", "", 0)
    # Also of the warm-up: a busy machine may stop the server for the whole window.
    assert set(pl.read_parquet(folder / "requests.parquet")["error"]) == {""}


def kill(name: str, which: int = 0) -> None:
    """Kill the process `name` of this run; not its supervisor."""
    os.kill(_find(name, supervisors=False)[which].pid, signal.SIGKILL)


def kill_and_wait(name: str) -> None:
    """Kill the process `name`, and wait until its supervisor has ended."""
    [supervisor, *_] = _find(name, supervisors=True)
    kill(name)
    while supervisor.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def _find(name: str, *, supervisors: bool) -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    lines = [(process, " ".join(process.cmdline())) for process in children]
    return [
        process
        for process, line in lines
        if name in line and ("supervisor.py" in line) == supervisors
    ]


def at_start(patch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Call `act` in the next cell, once the generator was sent its start `number`."""
    send_all, sent = LoadGenerator._send_all, iter(range(100))

    def send_and_act(generator: LoadGenerator, message: BaseModel) -> None:
        send_all(generator, message)
        if next(sent) == number:
            act()

    patch.setattr(LoadGenerator, "_send_all", send_and_act)


def start_run(
    folder: Path, mark: str, *options: str, self_check: bool = False
) -> subprocess.Popen[str]:
    """Start `twinbench run tiny.toml` in `folder`."""
    return subprocess.Popen(
        command("run", "tiny.toml", *options, self_check=self_check),
        cwd=folder,
        env=marked_environment(mark),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_kept(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until `count` cells are kept, or the run has ended."""
    while number_kept(folder) < count and process.poll() is None:
        time.sleep(0.02)


def kept(folder: Path) -> dict[Path, bytes]:
    """Return the files of all finished cells."""
    cells = [path.parent for path in folder.glob("reports/runs/*/cells/*/cell.json")]
    return {path: path.read_bytes() for cell in cells for path in cell.iterdir()}


def number_kept(folder: Path) -> int:
    """Return the number of finished cells."""
    return len([path for path in kept(folder) if path.name == "cell.json"])
