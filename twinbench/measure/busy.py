"""Other processes that are busy before a run.

Quick to import: what a run needs is imported while it watches.
"""

import contextlib
import os
import time
from typing import NamedTuple

import psutil

from twinbench.interruption import interruptible
from twinbench.remarks import remarked

# Of a core: what another process uses beyond it affects the figures.
BUSY_SHARE = 0.05
# CPU time is counted in ticks of 10 ms: BUSY_SHARE is five of them.
BUSY_INTERVAL_S = 1.0


class BusyProcess(NamedTuple):
    """Another process, and the share of a core that it uses."""

    name: str
    pid: int
    share: float


class BusyWatch:
    """Watch over other processes, from its creation on; `remarks` say if it failed."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self._began_s = time.monotonic()
        self._before: dict[tuple[int, float], tuple[str, float]] = {}
        with self._remarked():
            self._before = _cpu_seconds()

    def processes(self) -> list[BusyProcess]:
        """Return those that use more than BUSY_SHARE of a core, the busiest first.

        Kernel threads count, since a machine that swaps is busy; this process and its ancestors,
        such as a terminal, do not.
        """
        if not self.remarks:
            with interruptible():
                time.sleep(max(0.0, self._began_s + BUSY_INTERVAL_S - time.monotonic()))
            with self._remarked():
                return self._busy()
        return []

    def _busy(self) -> list[BusyProcess]:
        own = {os.getpid()}
        with contextlib.suppress(psutil.Error):
            own |= {parent.pid for parent in psutil.Process().parents()}
        after, took_s = _cpu_seconds(), time.monotonic() - self._began_s
        found = [
            BusyProcess(name, pid, (cpu_s - self._before.get(key, ("", 0.0))[1]) / took_s)
            for key, (name, cpu_s) in after.items()
            if (pid := key[0]) not in own
        ]
        return sorted((p for p in found if p.share > BUSY_SHARE), key=lambda p: -p.share)

    def _remarked(self) -> contextlib.AbstractContextManager[None]:
        return remarked(self.remarks, "other processes before the run are not known")


def _cpu_seconds() -> dict[tuple[int, float], tuple[str, float]]:
    """Return name and CPU seconds of each process, by its id and start time."""
    found = {}
    for process in psutil.process_iter(["name", "cpu_times", "create_time"]):
        times, created = process.info["cpu_times"], process.info["create_time"]
        if times is not None and created is not None:  # else it is another user's, on macOS
            found[process.pid, created] = (process.info["name"] or "?", times.user + times.system)
    return found
