"""Telemetry of a server under load, 20 times a second: from outside, and from its probe inside.

A thread of the harness samples the server's processes, on the clock of the requests; it needs no
answer from the server. It also ends a server that uses more memory than it may.
"""

import io
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl

from twinbench.measure.machine import memory_free_bytes
from twinbench.measure.probe import COLUMNS as PROBE_COLUMNS
from twinbench.measure.probe import PERIOD_NS, ROW, UNKNOWN, next_due_ns
from twinbench.measure.processes import Child, RunningProcess, core_seconds, process_tree
from twinbench.plan import Plan
from twinbench.remarks import remarked

# An hour of rows, 4 MiB, of which only what is written takes up memory. Of a longer cell the
# newest hour is kept.
BUFFER_ROWS = 3600 * 1_000_000_000 // PERIOD_NS
BUFFER_BYTES = BUFFER_ROWS * ROW.size
INSIDE: dict[str, type[pl.DataType]] = {
    "t_ns": pl.Int64,
    "loop_lag_ms": pl.Float64,
    "threads_used": pl.Int64,
    "threads_waiting": pl.Int64,
    "connections_used": pl.Int64,
    "connections_waiting": pl.Int64,
    "telemetry_cpu_s": pl.Float64,
}
OUTSIDE: dict[str, type[pl.DataType]] = {
    "t_ns": pl.Int64,
    "threads": pl.Int64,
    "cpu_s": pl.Float64,
    "memory_mib": pl.Float64,
    "cores_busy_s": pl.Float64,
    "cores_stolen_s": pl.Float64,
}
# Of telemetry.parquet (docs/results.md).
COLUMNS = ["t_ns", *list(INSIDE)[1:-1], *list(OUTSIDE)[1:], "telemetry_cpu_s"]

NO_TELEMETRY = "telemetry and the server's CPU time are missing"
NO_INSIDE_TELEMETRY = "telemetry from inside the server is missing"
# Where sampling has failed, psutil scans the machine's processes, which takes milliseconds.
MEMORY_PERIOD_NS = 10 * PERIOD_NS


class TelemetryBuffer:
    """Memory shared with a server's probe, which gets `fd`; readable after a SIGKILL of it."""

    def __init__(self) -> None:
        self.fd = _shared_memory(BUFFER_BYTES)

    def rows(self) -> pl.DataFrame:
        """Return what the probe has written, ordered by time (columns: INSIDE)."""
        data = os.pread(self.fd, BUFFER_BYTES, 0)
        rows = np.frombuffer(data, dtype=np.int64).reshape(-1, len(PROBE_COLUMNS))
        return probe_rows(rows[rows[:, 0] > 0])  # nearly all are empty

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class MemoryLimit(NamedTuple):
    """Memory that a server may use, and how messages describe it."""

    mib: float
    description: str

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Return the limit of a plan.

        By default half of what is free, within the limit of a container, so that the harness
        itself survives; servers that run at once share it.
        """
        if plan.memory_mib is not None:
            return cls(plan.memory_mib, f"memory_mib = {plan.memory_mib}")
        at_once = max(map(plan.servers_at_once, plan.scenarios))
        share = memory_free_bytes() / 2**21 / at_once
        half = "half of what was free at the start (memory_mib)"
        if at_once == 1:
            return cls(share, f"{share:,.0f} MiB, {half}")
        one = 'schedule = "sequential" runs one at a time'
        return cls(share, f"{share:,.0f} MiB: {at_once} servers at once share {half}; {one}")


class ServerSampler:
    """Context around the load that samples the server `process` on its `cores`.

    Without a process there is nothing to sample. Afterwards `ended_reason` says why it ended the
    server (empty: it did not), and `remarks` what it could not sample. The memory limit of a
    child is enforced even when sampling fails.
    """

    def __init__(
        self,
        process: Child | RunningProcess | None,
        cores: Sequence[int],
        buffer: TelemetryBuffer | None,
        limit: MemoryLimit,
    ) -> None:
        self._process, self._cores, self._buffer, self._limit = process, tuple(cores), buffer, limit
        self._child = None if isinstance(process, RunningProcess) else process
        self._rows: list[tuple[float | None, ...]] = []
        self._inside = pl.DataFrame(schema=INSIDE)
        self._over, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="twinbench-sampler", daemon=True)
        self.ended_reason = ""
        self.remarks: list[str] = []

    def __enter__(self) -> Self:
        if self._process is None:
            return self
        with remarked(self.remarks, NO_TELEMETRY):
            self._tree = process_tree(self._process.pid, with_root=self._child is None)
        with remarked(self.remarks, NO_TELEMETRY):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join()

    def keep_inside(self) -> None:
        """Keep what the probe has written: it goes with the server."""
        if self._buffer:
            with remarked(self.remarks, NO_INSIDE_TELEMETRY):
                self._inside = self._buffer.rows()

    @property
    def memory_mib(self) -> float | None:
        """The server's memory at the last sample; None without one."""
        return round(float(self._rows[-1][3] or 0.0), 1) if self._rows else None

    def frame(self) -> pl.DataFrame:
        """Return the rows of telemetry.parquet."""
        return join(pl.DataFrame(self._rows, schema=OUTSIDE, orient="row"), self._inside)

    def cpu_s(self, windows_ns: Sequence[tuple[int, int]]) -> float | None:
        """Return the server's CPU seconds in the windows, interpolated between samples.

        None if some samples are missing.
        """
        if self.remarks or not self._rows:
            return None
        samples = np.array(self._rows, dtype=float)
        edges = np.interp(np.array(windows_ns).reshape(-1, 2), samples[:, 0], samples[:, 2])
        return float(np.diff(edges, axis=1).sum())

    def write(self, path: Path) -> None:
        """Write telemetry.parquet. Raises OSError."""
        buffer = io.BytesIO()  # polars raises something else than OSError for a full disk
        self.frame().write_parquet(buffer)
        path.write_bytes(buffer.getvalue())

    def _run(self) -> None:
        if not self.remarks:
            with remarked(self.remarks, NO_TELEMETRY):
                self._repeat(self._sample, PERIOD_NS)
        if self.remarks and self._child:
            with remarked(self.remarks, "memory_mib was not watched"):
                self._repeat(self._check_memory, MEMORY_PERIOD_NS)

    def _repeat(self, sample: Callable[[], None], period_ns: int) -> None:
        """Call `sample` once a period, until the load is over or the server was ended."""
        due_ns = time.perf_counter_ns()
        while not self.ended_reason:
            sample()
            due_ns = next_due_ns(due_ns, period_ns)
            if self._over.wait(max(0, due_ns - time.perf_counter_ns()) / 1e9):
                return

    def sample(self) -> None:
        """Add a sample to those that are taken by the thread."""
        if self._process and not self.remarks:
            with remarked(self.remarks, NO_TELEMETRY):
                self._sample()

    def _sample(self) -> None:
        with self._lock:
            use = self._tree.sample()
            self._rows.append((time.perf_counter_ns(), *use, *core_seconds(self._cores)))
        self._enforce_limit(use.memory_mib)

    def _check_memory(self) -> None:
        if self._child:
            self._enforce_limit(self._child.memory_bytes() / 2**20)

    def _enforce_limit(self, memory_mib: float) -> None:
        if self._child and memory_mib > self._limit.mib:
            self.ended_reason = (
                f"used {memory_mib:,.0f} MiB, more than {self._limit.description}; it was ended"
            )
            self._child.stop()


def join(outside: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """Return the outside samples, each with the nearest inside sample at most a period away.

    Null where there is none: without a probe, or while the process did not run.
    """
    found = outside.join_asof(inside, on="t_ns", strategy="nearest", tolerance=PERIOD_NS)
    return found.select(COLUMNS)


def probe_rows(numbers: np.ndarray) -> pl.DataFrame:
    """Return the probe's numbers (columns: PROBE_COLUMNS) in units of the run folder."""
    found = pl.DataFrame(numbers, schema=dict.fromkeys(PROBE_COLUMNS, pl.Int64))
    complete = found.filter(pl.col.t_ns > 0, pl.col.t_ns == pl.col.t_again_ns)
    found = complete.with_columns(pl.all().replace(UNKNOWN, None)).with_columns(
        loop_lag_ms=pl.col.loop_lag_ns / 1e6, telemetry_cpu_s=pl.col.telemetry_cpu_ns / 1e9
    )
    return found.sort("t_ns").select(*INSIDE)


def _shared_memory(size: int) -> int:
    """Return a file that is on no disk: writing to a full one would kill the server."""
    if hasattr(os, "memfd_create"):  # Linux, unless Python was built for a very old one
        fd = os.memfd_create("twinbench-telemetry")
        os.ftruncate(fd, size)
        return fd
    with tempfile.TemporaryFile() as file:
        file.write(bytes(size))  # all of it now, while a full disk is only an error
        file.flush()
        return os.dup(file.fileno())
