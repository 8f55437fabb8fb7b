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
from twinbench.analyse.results import CellResult
from twinbench.analyse.run import NO_REQUESTS, analyse_cell
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
collapse_s = 20.0
targets = [
    {{ name = "one", command = ["{sys.executable}", "{BEHAVING}", "{{port}}", "wait"] }},
    {{ name = "two", command = ["{sys.executable}", "{BEHAVING}", "{{port}}", "wait"] }},
]

[[scenarios]]
name = "get"
requests = [{{ path = "/" }}]
closed = [1, 4]
"""
TINY_CELLS = 4
# Longer than a busy machine stops anybody, so that a server that behaves is not taken for another.
COLLAPSE_S = 1.0
# A cell that ends because of what happens in it has all the time for that.
UNTIL_SOMETHING_HAPPENS_S = 120.0
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
    scenario = {"name": "get", "requests": [{"path": "/"}], "closed": [10]}
    long = scenario | {"name": "long", "measure_s": UNTIL_SOMETHING_HAPPENS_S}
    return Plan.model_validate(
        {
            "name": "wedged",
            "blocks": 1,
            "warmup_s": 0.1,
            "measure_s": 0.4,
            "collapse_s": COLLAPSE_S,
            "processes": processes,
            "targets": targets,
            "scenarios": [scenario | {"open": [400]}, long],
        }
    )


def measured(
    rig: Rig, target: str, folder: Path, load: Load = TEN_USERS, scenario: str = "get"
) -> tuple[CellRecord, CellResult]:
    """What was recorded, and what is said of it; one folder for all cells of a test."""
    wanted = (scenario, target, load)
    cell: Cell = next(c for c in cells(rig.plan) if (c.scenario, c.target, c.load) == wanted)
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
    os.kill(_of(name, supervisors=False)[which].pid, number)


def hit_and_wait(name: str, number: signal.Signals) -> None:
    """The same, and wait until its supervisor has seen it, and ended."""
    [supervisor, *_] = _of(name, supervisors=True)
    hit(name, number)
    while supervisor.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def _of(name: str, *, supervisors: bool) -> list[psutil.Process]:
    """The processes with `name` on their command line: what runs there, or its supervisors."""
    children = psutil.Process().children(recursive=True)
    lines = [(process, " ".join(process.cmdline())) for process in children]
    return [
        process
        for process, line in lines
        if name in line and ("supervisor.py" in line) == supervisors
    ]


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
