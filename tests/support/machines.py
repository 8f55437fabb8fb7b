"""Recorded machines (tests/samples), read instead of this one."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from twinbench.measure import machine, processes

SAMPLES = Path(__file__).parents[1] / "samples"
SUPERVISOR = 4100
Become = Callable[..., None]


def no_such_clock(_: int) -> float:
    """Raise what time.clock_gettime raises for a process of another machine."""
    raise OSError


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Return a function that makes this process read a recorded machine."""

    def read(name: str, cpus: set[int] | None = None) -> None:
        root = SAMPLES / name
        monkeypatch.setattr(machine, "ROOT", root)
        monkeypatch.setattr(processes, "PROC", str(root / "proc"))
        monkeypatch.setattr(processes, "CLOCK_TICKS", 100)
        monkeypatch.setattr(processes, "PAGE_BYTES", 4096)
        monkeypatch.setattr(time, "clock_gettime", no_such_clock)
        folders = root.glob("sys/devices/system/cpu/cpu[0-9]*")
        usable = cpus or {int(folder.name[3:]) for folder in folders}
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable, raising=False)
        monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)

    return read
