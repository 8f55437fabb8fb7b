"""Every request of a cell, kept in memory while it is measured and written afterwards."""

import time
from array import array
from pathlib import Path

import numpy as np
import polars as pl

from loadtests.wire import NO_ANSWER, Answer

STAMPS = ("intended_ns", "sent_ns", "first_byte_ns", "done_ns")
NUMBERS = ("request", "status", "bytes")


class Recorder:
    """Rows as `requests.parquet` has them (docs/results.md), and what the driver watches."""

    def __init__(self) -> None:
        self._stamps = array("q")
        self._numbers = array("i")  # request, status, bytes, index into _errors
        self._errors = {"": 0}
        self.in_flight = 0
        self.good = 0
        self.last_answer_ns = time.perf_counter_ns()

    def add(self, request: int, answer: Answer, expected: int) -> bool:
        """Keep one answer; True if it was a good one."""
        sent, first, done, status, size, error = answer
        good = status == expected
        if status != NO_ANSWER:
            self.last_answer_ns = done
        if good:
            self.good += 1
        elif status != NO_ANSWER:
            error = f"status {status}, expected {expected}"
        # In a closed load a request is meant to be sent when it is sent.
        self._stamps.extend((sent, sent, first, done))
        number = self._errors.setdefault(error, len(self._errors))
        self._numbers.extend((request, status, size, number))
        return good

    def write(self, path: Path) -> None:
        """Write the rows as parquet, ordered as they were answered."""
        stamps = np.frombuffer(self._stamps, dtype=np.int64).reshape(-1, len(STAMPS))
        numbers = np.frombuffer(self._numbers, dtype=np.int32).reshape(-1, len(NUMBERS) + 1)
        errors = pl.Series("error", list(self._errors), dtype=pl.String)
        frame = pl.DataFrame(
            [pl.Series(name, stamps[:, n]) for n, name in enumerate(STAMPS)]
            + [pl.Series(name, numbers[:, n]) for n, name in enumerate(NUMBERS)]
        ).with_columns(error=errors.gather(numbers[:, len(NUMBERS)]))
        frame.write_parquet(path, compression="zstd")
