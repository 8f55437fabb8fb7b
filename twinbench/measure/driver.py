"""The load generator's processes, seen from the harness."""

import io
import os
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl
from pydantic import BaseModel

from twinbench.interruption import interruptible
from twinbench.job import GeneratorState, GeneratorSummary, Job, StartAt, merged
from twinbench.measure.child import Child
from twinbench.paths import ROOT

# Longer than the generator needs to start (Locust takes a second or two), to gather its users,
# and to write its records.
SLACK_S = 15.0
# From the word that a moment is to come until it comes: long enough to reach every process.
LEAD_NS = 3_000_000
# Somebody may hold the generator (SIGSTOP) for so long, as calibration does, and let it go on.
LONGEST_STOP_S = 1.0
# A process whose pipe has ended may take a moment to end itself.
ENDED_S = 1.0
# Of one wait for a message: a signal that comes between the look for signals and the system call
# goes unseen until its end.
WAIT_S = 0.5

Message = TypeVar("Message", bound=BaseModel)


class DriverFailedError(Exception):
    """The generator died or did not answer in time."""


class Driver:
    """Its processes are started on first use, kept for all cells, and all replaced if one fails.
    Of a closed load with fewer users than processes, the rest has nothing to do."""

    def __init__(self, log: Path, cores: Sequence[int] = (), processes: int = 1) -> None:
        self._log = log
        self._cores = cores
        self._count = processes
        self._children: list[Child] = []

    def run(self, job: Job) -> GeneratorSummary:
        """Carry out `job`, shared by all processes; the records go to its file.
        Raises DriverFailedError, and OSError if the records cannot be written."""
        closed = job.load.kind == "closed"
        count = min(self._count, job.load.value) if closed else self._count
        while len(self._children) < count:
            self._children.append(self._start())
        children = self._children[:count]
        jobs = [_share(job, n, count) for n in range(count)]
        try:
            for child, share in zip(children, jobs, strict=True):
                _say(child, share)
            _recv_all(children, GeneratorState, SLACK_S)
            _say_moment(children)
            # The warm-up of a closed load may be prolonged; SLACK_S is more than that.
            _recv_all(children, GeneratorState, job.warmup_s + job.collapse_s + SLACK_S)
            _say_moment(children)
            limit_s = job.measure_s + 3 * job.collapse_s + SLACK_S
            summaries = _recv_all(children, GeneratorSummary, limit_s)
        except BaseException:
            self.stop()  # in mid-cell: its answer would be taken for the next one's
            raise
        for share, summary in zip(jobs, summaries, strict=True):
            if code := summary.unwritten:
                raise OSError(code, os.strerror(code), str(share.records))
        _join([share.records for share in jobs], job.records)
        return merged(summaries)

    def stop(self) -> None:
        for child in self._children:
            child.stop()
        self._children = []

    def _start(self) -> Child:
        command = [sys.executable, "-m", "loadtests.driver"]
        return Child(
            command,
            log=self._log,
            cores=self._cores,
            cwd=ROOT,
            piped=True,
            stopped_s=LONGEST_STOP_S,
        )


def _share(job: Job, process: int, of: int) -> Job:
    records = job.records if of == 1 else job.records.with_suffix(f".{process}.parquet")
    update = {"process": process, "of": of, "records": records}
    # Every process needs a user of its own.
    shares = {
        "in_flight": max(1, len(range(process, job.in_flight, of))),
        "connected": len(range(process, job.connected, of)),
    }
    return job.model_copy(update=update | shares)


def _say_moment(children: Sequence[Child]) -> None:
    moment = StartAt(at_ns=time.perf_counter_ns() + LEAD_NS)
    for child in children:
        _say(child, moment)


def _recv_all(children: Sequence[Child], kind: type[Message], within_s: float) -> list[Message]:
    """What each process says next. Raises DriverFailedError."""
    end = time.monotonic() + within_s
    return [_hear(child, kind, end) for child in children]


def _say(child: Child, message: BaseModel) -> None:
    try:
        child.stdin.write(message.model_dump_json().encode() + b"\n")
        child.stdin.flush()
    except OSError:
        raise _failed(child) from None


def _hear(child: Child, kind: type[Message], end: float) -> Message:
    ready = False
    while not ready and (left_s := end - time.monotonic()) > 0:
        with interruptible():
            ready = bool(select.select([child.stdout], [], [], min(left_s, WAIT_S))[0])
    if not ready or not (line := child.stdout.readline()).endswith(b"\n"):
        raise _failed(child)
    return kind.model_validate_json(line)


def _failed(child: Child) -> DriverFailedError:
    what = child.ended(ENDED_S) or "did not answer in time"
    said = child.last_output()
    return DriverFailedError(f"the load generator {what}; its last output: {said}")


def _join(shares: Sequence[Path], records: Path) -> None:
    """One file of all processes' records, ordered as they were answered."""
    if shares == [records]:
        return
    # In memory first: of a full disk polars would say something else than OSError.
    whole = io.BytesIO()
    frame = pl.concat(pl.read_parquet(share, glob=False) for share in shares).sort("done_ns")
    frame.write_parquet(whole, compression="zstd")
    records.write_bytes(whole.getbuffer())
    for share in shares:
        share.unlink()
