"""Closed load without the calls and files of Linux, as on macOS."""

import ctypes
import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.processes import LONG_S
from twinbench import run
from twinbench.analyse.run import analyse
from twinbench.interruption import SIGNALS
from twinbench.measure import machine, processes
from twinbench.report.method import badges

BUSY = machine.BusyProcess("yes", 77, 0.98)
MISSING = ("sched_getaffinity", "sched_setaffinity", "memfd_create", "timerfd_create", "waitid")
SYMBOLS = ("prctl", "timerfd_create", "timerfd_settime")  # of the C library
# Every process of the run imports it at its start. sys.platform stays as it is, because packages
# select their platform modules by it.
SITE = f"""
import ctypes, os
for name in {MISSING!r}:
    if hasattr(os, name):
        delattr(os, name)
find = ctypes.CDLL.__getattr__
def find_other(library, name):
    if name in {SYMBOLS!r}:
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


@pytest.fixture
def without_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in MISSING:
        monkeypatch.delattr(os, name, raising=False)
    for module, name in ((machine, "ROOT"), (processes, "PROC")):
        monkeypatch.setattr(module, name, tmp_path / "none")
    find = ctypes.CDLL.__getattr__

    def find_other(library: ctypes.CDLL, name: str) -> object:
        if name in SYMBOLS:
            raise AttributeError(name)
        return find(library, name)

    monkeypatch.setattr(ctypes.CDLL, "__getattr__", find_other)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    (site / "supervisor.py").write_text(SUPERVISOR)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setattr(processes, "SUPERVISOR", site / "supervisor.py")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(machine, "busy_processes", lambda: [BUSY])
    monkeypatch.setenv("TWINBENCH_LOCK", str(tmp_path / "lock"))
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("without_linux")
def test_closed_loads_are_measured_without_pinning(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(APP)
    (tmp_path / "plan.toml").write_text(PLAN)
    printed = io.StringIO()
    console = Console(file=printed, soft_wrap=True)
    store = run.run_plan(tmp_path / "plan.toml", tmp_path / "runs", resume=False, console=console)
    remarks = store.manifest().remarks
    assert machine.SHARING["unpinned"] in remarks
    assert any("yes (process 77) with 98% of a core" in remark for remark in remarks)
    assert [printed.getvalue().count(remark) for remark in remarks] == [1] * len(remarks)
    assert [(r.outcome, r.reason, r.good > 0) for r in store.records()] == [("done", "", True)]
    results = analyse(store)
    assert "nothing pinned to cores" in [badge.text for badge in badges(results, [])]
    samples = store.telemetry(store.records()[0])
    assert samples is not None
    assert int(str(samples["threads"].max())) >= 2
    assert samples["cores_busy_s"].is_null().all()
    assert "it sends open loads, which need Linux" in printed.getvalue()


def test_a_group_of_zombies_is_ended_on_macos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    command = processes.Child([sys.executable, "-c", "pass"], log=tmp_path / "log")
    assert command.exit_reason(LONG_S) == "exited with code 0"
    monkeypatch.setattr(os, "killpg", refuse)
    command.stop(1.0)
