"""Closed load without the calls and files of Linux, as on macOS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import LONG_S
from twinbench.analyse.run import analyse
from twinbench.measure import machine, processes
from twinbench.paths import ROOT
from twinbench.report.method import badges
from twinbench.store import Store

# Every process of the run imports it at its start. sys.platform stays as it is, because packages
# select their platform modules by it.
SITE = """
import ctypes, os
for name in ("sched_getaffinity", "sched_setaffinity", "memfd_create", "timerfd_create", "waitid"):
    if hasattr(os, name):
        delattr(os, name)
find = ctypes.CDLL.__getattr__
def find_other(library, name):
    if name in ("prctl", "timerfd_create", "timerfd_settime"):
        raise AttributeError(name)
    return find(library, name)
ctypes.CDLL.__getattr__ = find_other
"""
# The supervisor starts without site: it gets what macOS does at its own start.
SUPERVISOR = f"""
import resource, runpy, sys
{SITE}
sys.platform = "darwin"
allow = resource.setrlimit
def set_limit(kind, limits):
    if limits[0] > 10_240:
        raise ValueError("current limit exceeds maximum limit")
    allow(kind, limits)
resource.setrlimit = set_limit
runpy.run_path({str(processes.SUPERVISOR)!r}, run_name="__main__")
"""
RUN = """
import sys
from pathlib import Path
from rich.console import Console
from twinbench import run
from twinbench.measure import busy, machine, processes
sys.platform = "darwin"
machine.ROOT = processes.PROC = Path("none")
busy.BusyWatch.processes = lambda _: [busy.BusyProcess("yes", 77, 0.98)]
processes.SUPERVISOR = Path("supervisor.py").absolute()
run.run_plan(Path("plan.toml"), Path("runs"), resume=False, console=Console(soft_wrap=True))
"""
APP = """
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def read(): return "ok"
"""
PLAN = """
name = "closed"
blocks = 1
warmup_s = 0.1
measure_s = 0.5
targets = [{ name = "own", app = "own:app", cwd = "." }]
scenarios = [{ name = "get", requests = [{ path = "/" }], closed = [2] }]
"""


def test_closed_loads_are_measured_without_pinning(tmp_path: Path) -> None:
    files = {"sitecustomize": SITE, "supervisor": SUPERVISOR, "own": APP}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "plan.toml").write_text(PLAN)
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
    )
    assert done.returncode == 0, done.stderr
    store = Store.open(next((tmp_path / "runs").iterdir()))
    remarks = store.manifest().remarks
    assert machine.SHARING["unpinned"] in remarks
    assert any("yes (process 77) with 98% of a core" in remark for remark in remarks)
    assert [done.stdout.count(remark) for remark in remarks] == [1] * len(remarks)
    assert "open loads, which need Linux" in done.stdout
    assert [(r.outcome, r.reason, r.good > 0) for r in store.records()] == [("done", "", True)]
    assert "nothing pinned to cores" in [badge.text for badge in badges(analyse(store), [])]
    samples = store.telemetry(store.records()[0])
    assert samples is not None
    assert int(str(samples["threads"].max())) >= 2
    assert samples["cores_busy_s"].is_null().all()


def test_a_group_of_zombies_is_ended_on_macos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    command = processes.Child([sys.executable, "-c", "pass"], log=tmp_path / "log")
    assert command.exit_reason(LONG_S) == "exited with code 0"
    monkeypatch.setattr(os, "killpg", refuse)
    command.stop(1.0)
