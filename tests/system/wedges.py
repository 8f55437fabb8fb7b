"""A rig whose servers misbehave, and whose processes are killed and stopped at given moments."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import psutil
import pytest

from tests.system.processes import BEHAVING
from twinbench.analyse.cells import analyse_cell
from twinbench.analyse.results import CellResult
from twinbench.analyse.run import NO_REQUESTS
from twinbench.measure import driver
from twinbench.measure.child import Child
from twinbench.measure.rig import Rig
from twinbench.plan import Cell, Load, Plan, cells
from twinbench.store import CellRecord

# More than a preflight needs, and less than any load: it is left in the warm-up.
GOOD_AT_FIRST = "50"
# For the command as a user types it.
TINY = f"""
name = "tiny"
blocks = 1
warmup_s = 0.1
measure_s = 0.3
collapse_s = 1.0
targets = [
    {{ name = "one", command = ["{sys.executable}", "{BEHAVING}", "{{port}}", "wait"] }},
    {{ name = "two", command = ["{sys.executable}", "{BEHAVING}", "{{port}}", "wait"] }},
]

[[scenarios]]
name = "get"
kind = "io"
requests = [{{ path = "/" }}]
closed = [1, 4]
"""
TINY_CELLS = 4
# What a process of the run has on its command line.
SERVER, GENERATOR, UPSTREAM = "behaving.py", "loadtests.driver", "apps.upstream"
# The moments that the generator is told, in order.
WARM_UP, WINDOW = 0, 1
TEN_USERS = Load("closed", 10)
FOUR_HUNDRED_A_SECOND = Load("open", 400)


def plan(*behaviours: str, processes: int = 1) -> Plan:
    """A target for each of `behaviours`, named after it; ten users, or 400 requests a second."""
    targets = [
        {"name": name, "command": [sys.executable, str(BEHAVING), "{port}", name, GOOD_AT_FIRST]}
        for name in behaviours
    ]
    scenario = {"name": "get", "kind": "io", "requests": [{"path": "/"}]}
    return Plan.model_validate(
        {
            "name": "wedged",
            "blocks": 1,
            "warmup_s": 0.1,
            "measure_s": 0.4,
            "collapse_s": 0.5,
            "processes": processes,
            "targets": targets,
            "scenarios": [scenario | {"closed": [10], "open": [400]}],
        }
    )


def measured(
    rig: Rig, target: str, folder: Path, load: Load = TEN_USERS
) -> tuple[CellRecord, CellResult]:
    """What was recorded, and what is said of it; one folder for all cells of a test."""
    cell: Cell = next(c for c in cells(rig.plan) if (c.target, c.load) == (target, load))
    record = rig.measure(cell, folder)
    lost = record.outcome == "lost"
    requests = NO_REQUESTS if lost else pl.read_parquet(folder / "requests.parquet")
    return record, analyse_cell(record, requests, rig.plan).result


def assert_fine(rig: Rig, folder: Path) -> None:
    """A server that behaves is measured next, as if nothing had been."""
    record, _ = measured(rig, "ok", folder)
    assert (record.outcome, record.reason, record.unanswered) == ("done", "", 0)
    assert record.good > 0
    for process in psutil.Process().children(recursive=True):
        assert process.status() != psutil.STATUS_STOPPED


def hit(name: str, number: signal.Signals, which: int = 0) -> None:
    """Send a signal to the process `name` of this run: to it, not to its supervisor."""
    found = [
        process.pid
        for process in psutil.Process().children(recursive=True)
        if name in " ".join(process.cmdline())
        and "supervisor.py" not in " ".join(process.cmdline())
    ]
    os.kill(found[which], number)


def hit_between_cells(name: str, number: signal.Signals) -> None:
    """The same, and wait until its supervisor has seen it."""
    supervisors = [
        process
        for process in psutil.Process().children()
        if name in " ".join(process.cmdline()) and "supervisor.py" in " ".join(process.cmdline())
    ]
    hit(name, number)
    while supervisors[0].status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def at_moment(patch: pytest.MonkeyPatch, moment: int, act: Callable[[], None]) -> None:
    """Have `act` done once in the next cell, as soon as the generator was told of `moment`."""
    say_moment, told = driver._say_moment, iter(range(100))

    def say_and_act(children: Sequence[Child]) -> None:
        say_moment(children)
        if next(told) == moment:
            act()

    patch.setattr(driver, "_say_moment", say_and_act)


def kept(folder: Path) -> dict[Path, bytes]:
    """The files of all finished cells."""
    cells = [path.parent for path in folder.glob("reports/runs/*/cells/*/cell.json")]
    return {path: path.read_bytes() for cell in cells for path in cell.iterdir()}


def number_kept(folder: Path) -> int:
    return len([path for path in kept(folder) if path.name == "cell.json"])
