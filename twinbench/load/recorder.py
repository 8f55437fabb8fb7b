"""Recorder of a cell's requests: in memory during the load, written afterwards."""

import io
import mmap
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twinbench.load.connection import NO_RESPONSE, TimedResponse

# Columns of requests.parquet (docs/results.md).
TIMES = ("intended_ns", "sent_ns", "first_byte_ns", "done_ns")
NUMBERS = ("request", "status", "bytes", "error")
ROW = struct.Struct("=4q4i")
ROW_TYPE = np.dtype([*((name, "<i8") for name in TIMES), *((name, "<i4") for name in NUMBERS)])
# Ten seconds of the fastest generator, allocated at once: nothing is allocated during the window,
# and the system provides the memory only as it is used.
CHUNK_ROWS = 1 << 20
NO_ERROR = 0


class Recorder:
    """Rows of requests.parquet in memory, and the time of the last activity."""

    def __init__(self) -> None:
        self._full: list[mmap.mmap] = []
        self._chunk = _chunk()
        self._end = 0
        self._errors = {"": NO_ERROR}
        self.in_flight = 0
        # The newest response, or the time since when one has been due.
        self.last_activity_ns = time.perf_counter_ns()

    def add(self, request: int, expected: int, intended_ns: int, response: TimedResponse) -> bool:
        """Record one response; return whether it is right."""
        sent, first, done, status, size, error = response
        good = status == expected
        if status != NO_RESPONSE:
            self.last_activity_ns = done
            if not good:
                error = f"status {status}, expected {expected}"
        self._append(error, intended_ns, sent, first, done, request, status, size)
        return good

    def _append(self, error: str, *row: int) -> None:
        number = self._errors.setdefault(error, len(self._errors))
        if self._end == len(self._chunk):
            self._begin_chunk()
        ROW.pack_into(self._chunk, self._end, *row, number)
        self._end += ROW.size

    def done_ns(self, back: int) -> int:
        """Return when the last response but `back` arrived; the first one of many, if before."""
        row: tuple[int, ...] = ROW.unpack_from(self._chunk, max(0, self._end - back * ROW.size))
        return row[TIMES.index("done_ns")]

    def good_between(self, begin_ns: int, end_ns: int) -> int:
        """Return the number of right responses that arrived in that time."""
        rows = self._rows()
        inside = (rows["done_ns"] >= begin_ns) & (rows["done_ns"] < end_ns)
        return int(np.count_nonzero(inside & (rows["error"] == NO_ERROR)))

    def write(self, path: Path) -> None:
        """Write requests.parquet, ordered by the end of each request. Raises OSError."""
        buffer = io.BytesIO()  # polars raises something else than OSError for a full disk
        self.frame().write_parquet(buffer, compression="zstd")
        path.write_bytes(buffer.getbuffer())

    def frame(self) -> pl.DataFrame:
        """Return the rows as requests.parquet holds them."""
        rows = self._rows()
        errors = pl.Series("error", list(self._errors), dtype=pl.String)
        return pl.DataFrame(
            [pl.Series(name, np.ascontiguousarray(rows[name])) for name in TIMES + NUMBERS[:-1]]
        ).with_columns(error=errors.gather(np.ascontiguousarray(rows["error"])))

    def _rows(self) -> Any:
        used = memoryview(self._chunk)[: self._end]
        return np.frombuffer(b"".join([*self._full, used]), dtype=ROW_TYPE)

    def _begin_chunk(self) -> None:
        self._full.append(self._chunk)
        self._chunk, self._end = _chunk(), 0


class NamedRecorder(Recorder):
    """Rows of requests with their names: those of a locustfile.

    They may come in another order than that of their ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, int] = {}

    def add_named(self, name: str, response: TimedResponse) -> None:
        """Record one response, which is right if it has no error."""
        sent, first, done, status, size, error = response
        number = self._names.setdefault(name, len(self._names))
        self._append(error, sent, sent, first, done, number, status, size)

    def frame(self) -> pl.DataFrame:
        """Return the rows; names stand in a column of their own, `request` means nothing."""
        rows = super().frame()
        names = pl.Series("name", list(self._names), dtype=pl.String).gather(rows["request"])
        return rows.with_columns(pl.lit(0, pl.Int32).alias("request"), names).sort("done_ns")


def _chunk() -> mmap.mmap:
    """Return memory for CHUNK_ROWS rows; a bytearray would be filled with zeros at once."""
    return mmap.mmap(-1, CHUNK_ROWS * ROW.size)
