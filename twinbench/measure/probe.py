"""What a server is doing, seen from inside, 20 times a second while it is measured.

Self-contained like serve.py, which loads it: it runs under the interpreter of the app's own
environment, and needs nothing but the SQLAlchemy that the app has itself, if it has it.

A thread of its own looks, and writes what it sees into memory that it shares with the harness.
Nothing goes over the event loop or to a disk: the rows of a server whose loop is blocked, or
that was killed, are there all the same, and these are the ones that are worth most.
"""

import mmap
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

PERIOD_NS = 50_000_000  # 20 Hz; the outside is looked at as often
# Of a row, each a number of 64 bits. The time stands at both ends: where they differ, the row
# was being written when it was read.
COLUMNS = (
    *("t_ns", "loop_lag_ns", "threads_used", "threads_waiting"),
    *("connections_used", "connections_waiting", "telemetry_cpu_ns", "t_again_ns"),
)
ROW = struct.Struct(f"={len(COLUMNS)}q")
NOT_KNOWN = -1


class Probe:
    """Writes to the memory behind `fd`, around and around: it never grows."""

    def __init__(self, fd: int) -> None:
        self._shared = mmap.mmap(fd, 0)
        os.close(fd)  # no business of what the app may start
        self._room = len(self._shared) // ROW.size
        self._written = 0
        self.connections = Connections()
        self.failed = ""  # why it looks no more

    def begin(self, loop: Any, limiter: Any) -> None:
        """Look from now on at `loop`, and at AnyIO's `limiter` of threads."""
        self.aim(loop, limiter)
        threading.Thread(target=self._look_on, name="twinbench-probe", daemon=True).start()

    def aim(self, loop: Any, limiter: Any) -> None:
        self._lag, self._limiter = Lag(loop, time.perf_counter_ns()), limiter

    def look(self) -> None:
        """Look once, and write what is seen."""
        self.connections.attach()  # an app may import SQLAlchemy as late as in a request
        now_ns = time.perf_counter_ns()
        seen = self._lag.look(now_ns), *self._threads(), *self.connections.counts()
        cpu_ns = time.thread_time_ns() + self._lag.cpu_ns
        at = self._written % self._room * ROW.size
        ROW.pack_into(self._shared, at, now_ns, *seen, cpu_ns, now_ns)
        self._written += 1

    def _look_on(self) -> None:
        due_ns = time.perf_counter_ns()
        while True:
            # Whole periods after the first look: one that was missed is not made up for.
            missed = (time.perf_counter_ns() - due_ns) // PERIOD_NS
            due_ns += PERIOD_NS * (1 + max(0, missed))
            time.sleep(max(0, due_ns - time.perf_counter_ns()) / 1e9)
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  # it is no business of the app
                self.failed = f"{type(error).__name__}: {error}"
                return

    def _threads(self) -> tuple[int, int]:
        try:
            said = self._limiter.statistics()
        except RuntimeError:  # the loop changed it at that moment
            return NOT_KNOWN, NOT_KNOWN
        return int(said.borrowed_tokens), said.tasks_waiting


class Lag:
    """How late an event loop runs what it is asked to run at once. One ping at a time: a loop
    that is blocked does not find a heap of them afterwards. `cpu_ns`: what the pings took."""

    def __init__(self, loop: Any, now_ns: int) -> None:
        self._loop = loop
        self.cpu_ns = 0
        self._post(now_ns)

    def look(self, now_ns: int) -> int:
        """Nanoseconds that the newest ping took; or has been waiting, while none is answered."""
        if not self._ran_ns:
            return now_ns - self._posted_ns
        lag_ns = self._ran_ns - self._posted_ns
        self._post(now_ns)
        return lag_ns

    def _post(self, now_ns: int) -> None:
        self._posted_ns, self._ran_ns = now_ns, 0
        self._loop.call_soon_threadsafe(self._ping)

    def _ping(self) -> None:
        began_ns = time.thread_time_ns()
        self._ran_ns = time.perf_counter_ns()
        self.cpu_ns += time.thread_time_ns() - began_ns


class Connections:
    """Which connections of all of the process's SQLAlchemy pools are in use, and who waits.

    The pool's events tell of use. They tell nothing of waiting: for that `Pool.connect` is
    wrapped, once, for all pools; who is inside waits for a connection to become free, or to
    be opened. Sets, whose `add` and `discard` are atomic: counters would miss some of what 40
    threads do at once. The connection itself is what is counted, by its id: its record in the
    pool may already be another's when it is told that it was detached.
    """

    def __init__(self) -> None:
        self.attached = False
        self._used: set[int] = set()
        self._waiting: set[object] = set()
        self.attach()

    def attach(self) -> None:
        """Begin, if the app has imported SQLAlchemy by now. Twice is fine.

        It is only looked for, never imported: that could meet the app's own import half way.
        """
        if self.attached or not (pool := _imported("sqlalchemy", "sqlalchemy.pool")):
            return
        event: Any = sys.modules["sqlalchemy.event"]
        event.listen(pool.Pool, "checkout", self._on_use)
        for returned in ("checkin", "detach", "invalidate"):
            event.listen(pool.Pool, returned, self._on_return)
        pool.Pool.connect = self._waited_for(pool.Pool.connect)
        self.attached = True

    def counts(self) -> tuple[int, int]:
        """In use, and waiting; not known where there is no SQLAlchemy."""
        if not self.attached:
            return NOT_KNOWN, NOT_KNOWN
        return len(self._used), len(self._waiting)

    def _on_use(self, connection: Any, *_: Any) -> None:
        self._used.add(id(connection))

    def _on_return(self, connection: Any, *_: Any) -> None:
        self._used.discard(id(connection))

    def _waited_for(self, connect: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def connect_and_tell(pool: Any) -> Any:
            caller = object()
            self._waiting.add(caller)
            try:
                return connect(pool)
            finally:
                self._waiting.discard(caller)

        return connect_and_tell


def _imported(package: str, module: str) -> Any:
    """`module`, if its package has been imported to its end; else None."""
    spec = getattr(sys.modules.get(package), "__spec__", None)
    half_way = getattr(spec, "_initializing", False)
    return None if half_way else sys.modules.get(module)
