"""Sampler inside a server, 20 times a second while it is measured.

Self-contained like serve.py, which loads it: it runs under the interpreter of the app's own
environment, and uses the app's SQLAlchemy if there is one.

A thread of its own samples the process, and writes into memory that it shares with the harness.
Nothing passes through the event loop or a disk, so that the rows are kept of a server whose loop
is blocked, or that was killed: these matter most.
"""

import mmap
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

PERIOD_NS = 50_000_000  # 20 Hz, as from outside
# Of a row, each a 64-bit number. The time is at both ends: where they differ, the row was being
# written when it was read.
COLUMNS = (
    *("t_ns", "loop_lag_ns", "threads_used", "threads_waiting"),
    *("connections_used", "connections_waiting", "telemetry_cpu_ns", "t_again_ns"),
)
ROW = struct.Struct(f"={len(COLUMNS)}q")
UNKNOWN = -1


class Probe:
    """Ring buffer of samples in the memory behind `fd`."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, 0)
        os.close(fd)  # not for the app's own children
        self._capacity = len(self._memory) // ROW.size
        self._written = 0
        self.connections = Connections()
        self.error = ""  # why sampling has stopped

    def start(self, loop: Any, limiter: Any) -> None:
        """Sample `loop` and AnyIO's `limiter` of threads, if there is one, in a thread."""
        self.attach(loop, limiter)
        threading.Thread(target=self._run, name="twinbench-probe", daemon=True).start()

    def attach(self, loop: Any, limiter: Any) -> None:
        self._lag, self._limiter = LoopLag(loop, time.perf_counter_ns()), limiter

    def sample(self) -> None:
        self.connections.attach()  # an app may import SQLAlchemy as late as in a request
        now_ns = time.perf_counter_ns()
        values = self._lag.read(now_ns), *self._threads(), *self.connections.counts()
        cpu_ns = time.thread_time_ns() + self._lag.cpu_ns
        offset = self._written % self._capacity * ROW.size
        ROW.pack_into(self._memory, offset, now_ns, *values, cpu_ns, now_ns)
        self._written += 1

    def _run(self) -> None:
        due_ns = time.perf_counter_ns()
        while True:
            due_ns = next_due_ns(due_ns, PERIOD_NS)
            time.sleep(max(0, due_ns - time.perf_counter_ns()) / 1e9)
            try:
                self.sample()
            except Exception as error:  # noqa: BLE001  # the app must not fail with it
                self.error = f"{type(error).__name__}: {error}"
                return

    def _threads(self) -> tuple[int, int]:
        if self._limiter is None:
            return UNKNOWN, UNKNOWN
        try:
            statistics = self._limiter.statistics()
        except RuntimeError:  # the loop changed it meanwhile
            return UNKNOWN, UNKNOWN
        return int(statistics.borrowed_tokens), statistics.tasks_waiting


def next_due_ns(due_ns: int, period_ns: int) -> int:
    """Return the next multiple of the period after `due_ns` that has not passed."""
    missed = (time.perf_counter_ns() - due_ns) // period_ns
    return due_ns + period_ns * (1 + max(0, missed))


class LoopLag:
    """How late an event loop runs a callback that is due at once.

    One callback at a time, so that none pile up on a blocked loop. `cpu_ns`: CPU time of the
    callbacks.
    """

    def __init__(self, loop: Any, now_ns: int) -> None:
        self._loop = loop
        self.cpu_ns = 0
        self._post(now_ns)

    def read(self, now_ns: int) -> int:
        """Return the delay of the newest callback; of one that has not run yet, so far."""
        if not self._ran_ns:
            return now_ns - self._posted_ns
        lag_ns = self._ran_ns - self._posted_ns
        self._post(now_ns)
        return lag_ns

    def _post(self, now_ns: int) -> None:
        self._posted_ns, self._ran_ns = now_ns, 0
        self._loop.call_soon_threadsafe(self._callback)

    def _callback(self) -> None:
        began_ns = time.thread_time_ns()
        self._ran_ns = time.perf_counter_ns()
        self.cpu_ns += time.thread_time_ns() - began_ns


class Connections:
    """Connections in use, and waited for, in all SQLAlchemy pools of the process.

    The pool's events report use, but not waiting: `Pool.connect` is wrapped for that; a caller
    inside it waits for a connection to become free, or to be opened. Sets, whose `add` and
    `discard` are atomic: counters would miss some of what 40 threads do at once. Connections are
    identified by their own id: their pool record may already be reused when their detachment is
    reported.
    """

    def __init__(self) -> None:
        self.attached = False
        self._used: set[int] = set()
        self._waiting: set[object] = set()
        self.attach()

    def attach(self) -> None:
        """Start to count once the app has imported SQLAlchemy.

        It is never imported here: that could meet the app's own import half way.
        """
        if self.attached or not (pool := _imported("sqlalchemy", "sqlalchemy.pool")):
            return
        event: Any = sys.modules["sqlalchemy.event"]
        event.listen(pool.Pool, "checkout", self._on_checkout)
        for returned in ("checkin", "detach", "invalidate"):
            event.listen(pool.Pool, returned, self._on_return)
        pool.Pool.connect = self._counting_waiters(pool.Pool.connect)
        self.attached = True

    def counts(self) -> tuple[int, int]:
        """Return the number in use, and waited for; UNKNOWN without SQLAlchemy."""
        if not self.attached:
            return UNKNOWN, UNKNOWN
        return len(self._used), len(self._waiting)

    def _on_checkout(self, connection: Any, *_: Any) -> None:
        self._used.add(id(connection))

    def _on_return(self, connection: Any, *_: Any) -> None:
        self._used.discard(id(connection))

    def _counting_waiters(self, connect: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counted_connect(pool: Any) -> Any:
            caller = object()
            self._waiting.add(caller)
            try:
                return connect(pool)
            finally:
                self._waiting.discard(caller)

        return counted_connect


def _imported(package: str, module: str) -> Any:
    """Return `module` if the import of its package has finished; else None."""
    spec = getattr(sys.modules.get(package), "__spec__", None)
    importing = getattr(spec, "_initializing", False)
    return None if importing else sys.modules.get(module)
