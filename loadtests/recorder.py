"""Every request of a cell, kept in memory while it is measured and written afterwards."""

import io
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from loadtests.wire import NO_ANSWER, Answer

STAMPS = ("intended_ns", "sent_ns", "first_byte_ns", "done_ns")
NUMBERS = ("request", "status", "bytes", "error")
ROW = struct.Struct("=4q4i")
ROWS = np.dtype([*((name, "<i8") for name in STAMPS), *((name, "<i4") for name in NUMBERS)])
# Made at once, so that nothing is allocated while it is measured; the system gives the memory
# only as it is used. Ten seconds of the fastest generator.
CHUNK_ROWS = 1 << 20
NO_ERROR = 0


class Recorder:
    """Rows as `requests.parquet` has them (docs/results.md), and what the driver watches."""

    def __init__(self) -> None:
        self._full: list[bytearray] = []
        self._chunk = bytearray(CHUNK_ROWS * ROW.size)
        self._end = 0
        self._errors = {"": NO_ERROR}
        self.in_flight = 0
        # The newest answer, or the moment from which on one was waited for.
        self.last_sign_ns = time.perf_counter_ns()

    def add(self, request: int, expected: int, intended_ns: int, answer: Answer) -> bool:
        """Keep one answer; True if it was a good one."""
        sent, first, done, status, size, error = answer
        good = status == expected
        if status != NO_ANSWER:
            self.last_sign_ns = done
            if not good:
                error = f"status {status}, expected {expected}"
        number = self._errors[error] if error in self._errors else self._number(error)
        if self._end == len(self._chunk):
            self._begin_chunk()
        ROW.pack_into(
            self._chunk, self._end, intended_ns, sent, first, done, request, status, size, number
        )
        self._end += ROW.size
        return good

    def good_between(self, begin_ns: int, end_ns: int) -> int:
        """The right answers that arrived in that time."""
        rows = self._rows()
        inside = (rows["done_ns"] >= begin_ns) & (rows["done_ns"] < end_ns)
        return int(np.count_nonzero(inside & (rows["error"] == NO_ERROR)))

    def write(self, path: Path) -> None:
        """Write the rows as parquet, ordered as they were answered. Raises OSError."""
        rows = self._rows()
        errors = pl.Series("error", list(self._errors), dtype=pl.String)
        frame = pl.DataFrame(
            [pl.Series(name, np.ascontiguousarray(rows[name])) for name in STAMPS + NUMBERS[:-1]]
        ).with_columns(error=errors.gather(np.ascontiguousarray(rows["error"])))
        # In memory first: of a full disk polars would say something else than OSError.
        whole = io.BytesIO()
        frame.write_parquet(whole, compression="zstd")
        path.write_bytes(whole.getbuffer())

    def _rows(self) -> Any:
        used = memoryview(self._chunk)[: self._end]
        return np.frombuffer(b"".join([*self._full, used]), dtype=ROWS)

    def _number(self, error: str) -> int:
        return self._errors.setdefault(error, len(self._errors))

    def _begin_chunk(self) -> None:
        self._full.append(self._chunk)
        self._chunk, self._end = bytearray(len(self._chunk)), 0
