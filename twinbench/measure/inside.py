"""The harness's end of what a probe (probe.py) writes: memory that both of them have open."""

import os
import tempfile

import numpy as np
import polars as pl

from twinbench.measure.probe import COLUMNS, NOT_KNOWN, PERIOD_NS, ROW

# An hour of rows, 4 MiB, of which only what is written takes up memory. In a longer cell the
# newest hour counts.
KEPT_ROWS = 3600 * 1_000_000_000 // PERIOD_NS
SCHEMA: dict[str, type[pl.DataType]] = {
    "t_ns": pl.Int64,
    "loop_lag_ms": pl.Float64,
    "threads_used": pl.Int64,
    "threads_waiting": pl.Int64,
    "connections_used": pl.Int64,
    "connections_waiting": pl.Int64,
    "telemetry_cpu_s": pl.Float64,
}


class TelemetryBuffer:
    """Handed to the server as `fd`; `rows` at any time, even after the server was killed."""

    def __init__(self) -> None:
        self.fd = _memory(KEPT_ROWS * ROW.size)

    def rows(self) -> pl.DataFrame:
        """What was seen so far, in the order of time (columns: SCHEMA)."""
        data = os.pread(self.fd, KEPT_ROWS * ROW.size, 0)
        figures = np.frombuffer(data, dtype=np.int64).reshape(-1, len(COLUMNS))
        return to_rows(figures)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def to_rows(figures: np.ndarray) -> pl.DataFrame:
    """The probe's numbers (columns: COLUMNS) in the units of the run folder."""
    found = pl.DataFrame(figures, schema=dict.fromkeys(COLUMNS, pl.Int64))
    whole = found.filter(pl.col.t_ns > 0, pl.col.t_ns == pl.col.t_again_ns)
    found = whole.with_columns(pl.all().replace(NOT_KNOWN, None)).with_columns(
        loop_lag_ms=pl.col.loop_lag_ns / 1e6, telemetry_cpu_s=pl.col.telemetry_cpu_ns / 1e9
    )
    return found.sort("t_ns").select(*SCHEMA)


def no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema=SCHEMA)


def _memory(size: int) -> int:
    """A file that is on no disk, which might be full: writing there would kill the server."""
    if hasattr(os, "memfd_create"):  # Linux, unless Python was built for a very old one
        fd = os.memfd_create("twinbench-telemetry")
        os.ftruncate(fd, size)
        return fd
    with tempfile.TemporaryFile() as file:
        file.write(bytes(size))  # all of it now, while a full disk is only an error
        file.flush()
        return os.dup(file.fileno())
