"""A server while it is measured, 20 times a second: from outside, and what its probe saw inside.

From outside works for every server, those of other programs among them, and needs no answer from
it. It runs in a thread of the harness, which has nothing else to do then, on the clock of the
requests. It is also who ends a server that uses more memory than it may.
"""

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl

from twinbench.measure.inside import SCHEMA as INSIDE
from twinbench.measure.inside import no_rows
from twinbench.measure.machine import memory_free_bytes
from twinbench.measure.probe import PERIOD_NS
from twinbench.measure.server import UNSEEN_INSIDE, Server
from twinbench.measure.tree import cores_s, tree
from twinbench.remarks import remarked

OUTSIDE: dict[str, type[pl.DataType]] = {
    "t_ns": pl.Int64,
    "threads": pl.Int64,
    "cpu_s": pl.Float64,
    "memory_mib": pl.Float64,
    "cores_busy_s": pl.Float64,
    "cores_stolen_s": pl.Float64,
}
# telemetry.parquet, in this order (docs/results.md): what is from inside in the middle.
COLUMNS = ["t_ns", *list(INSIDE)[1:-1], *list(OUTSIDE)[1:], "telemetry_cpu_s"]

UNSEEN = "telemetry and the server's CPU time are missing"
# Where telemetry has failed the system's list of processes is read, which takes milliseconds.
MEMORY_PERIOD_NS = 10 * PERIOD_NS


class MemoryLimit(NamedTuple):
    mib: float
    said: str

    @classmethod
    def of(cls, memory_mib: int | None) -> Self:
        """Of a plan; by default half of what is free, within the limit of a container, so that
        the harness itself survives."""
        if memory_mib is not None:
            return cls(memory_mib, f"memory_mib = {memory_mib}")
        half = memory_free_bytes() / 2**21
        return cls(half, f"{half:,.0f} MiB, half of what was free at the start (memory_mib)")


class ServerSampler:
    """Use it as a context, around the load. Afterwards `frame`, and `ended`: why it ended the
    server, as what is said of it; empty if it did not. `remarks`: what it could not see, and why;
    it goes on to watch the memory then."""

    def __init__(self, server: Server, limit: MemoryLimit) -> None:
        self._server, self._limit = server, limit
        self._rows: list[tuple[float | None, ...]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="twinbench-watch", daemon=True)
        self.ended = ""
        self.remarks: list[str] = []

    def __enter__(self) -> Self:
        with remarked(self.remarks, UNSEEN):
            self._tree = tree(self._server.child.pid)
        with remarked(self.remarks, UNSEEN):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join()

    def frame(self) -> pl.DataFrame:
        """The rows of telemetry.parquet."""
        outside = pl.DataFrame(self._rows, schema=OUTSIDE, orient="row")
        inside = no_rows()
        if self._server.inside:
            with remarked(self.remarks, UNSEEN_INSIDE):
                inside = self._server.inside.rows()
        return joined(outside, inside)

    def cpu_s(self, begin_ns: int, end_ns: int) -> float | None:
        """CPU seconds of the server in that time, between looks by linear interpolation; None
        where it was not looked at all the time."""
        if self.remarks or not self._rows:
            return None
        looks = np.array(self._rows, dtype=float)
        begin, end = np.interp([begin_ns, end_ns], looks[:, 0], looks[:, 2])
        return float(end - begin)

    def write(self, path: Path) -> None:
        """Raises OSError: a full disk is one, which polars would call something else."""
        whole = io.BytesIO()
        self.frame().write_parquet(whole)
        path.write_bytes(whole.getvalue())

    def _look_on(self) -> None:
        if not self.remarks:
            with remarked(self.remarks, UNSEEN):
                self._repeat(self._look, PERIOD_NS)
        if self.remarks:
            with remarked(self.remarks, "memory_mib was not watched"):
                self._repeat(self._look_at_memory, MEMORY_PERIOD_NS)

    def _repeat(self, look: Callable[[], None], period_ns: int) -> None:
        """Until it is over, or the server was ended."""
        due_ns = time.perf_counter_ns()
        while not self.ended:
            look()
            # Whole periods after the first look: one that was missed is not made up for.
            missed = (time.perf_counter_ns() - due_ns) // period_ns
            due_ns += period_ns * (1 + max(0, missed))
            if self._over.wait(max(0, due_ns - time.perf_counter_ns()) / 1e9):
                return

    def _look(self) -> None:
        use = self._tree.use()
        self._rows.append((time.perf_counter_ns(), *use, *cores_s(self._server.cores)))
        self._end_if_too_big(use.memory_mib)

    def _look_at_memory(self) -> None:
        self._end_if_too_big(self._server.child.memory_bytes() / 2**20)

    def _end_if_too_big(self, memory_mib: float) -> None:
        if memory_mib > self._limit.mib:
            self.ended = f"used {memory_mib:,.0f} MiB, more than {self._limit.said}; it was ended"
            self._server.child.stop()


def joined(outside: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """To each look from outside the nearest from inside: no other than its own, which is at most
    a period away. Null where the probe did not look: no probe, or a process that did not run."""
    found = outside.join_asof(inside, on="t_ns", strategy="nearest", tolerance=PERIOD_NS)
    return found.select(COLUMNS)
