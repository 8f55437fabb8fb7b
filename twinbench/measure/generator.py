"""The load generator: its processes, as the harness starts and steers them."""

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
from twinbench.job import GeneratorState, GeneratorSummary, Job, StartAt
from twinbench.measure.processes import Child
from twinbench.paths import ROOT

# Longer than the generator needs to start (Locust takes a second or two), to connect its users,
# and to write its records.
SLACK_S = 15.0
# From the message that names a time to that time: long enough to reach every process.
LEAD_NS = 3_000_000
# A process whose pipe has ended may not have exited yet.
EXIT_TIMEOUT_S = 1.0
# A signal that arrives between the check for signals and the system call goes unnoticed until
# the wait ends, so waits are short.
WAIT_S = 0.5

Message = TypeVar("Message", bound=BaseModel)


class GeneratorFailedError(Exception):
    """The generator died, or did not answer in time."""


class LoadGenerator:
    """Processes of the load generator.

    They start on first use and stay for all cells; all are replaced if one fails. A closed load
    with fewer users than processes uses as many processes as users.
    """

    def __init__(self, log: Path, cores: Sequence[int] = (), processes: int = 1) -> None:
        self._log = log
        self._cores = cores
        self._processes = processes
        self._children: list[Child] = []

    def run(self, job: Job) -> GeneratorSummary:
        """Run `job`, shared by all processes, and write its records.

        Raises GeneratorFailedError, and OSError if the records cannot be written.
        """
        closed = job.load.kind == "closed"
        count = min(self._processes, job.load.value) if closed else self._processes
        while len(self._children) < count:
            self._children.append(self._start())
        children = self._children[:count]
        shares = [_share(job, n, count) for n in range(count)]
        try:
            for child, share in zip(children, shares, strict=True):
                _send(child, share)
            _recv_all(children, GeneratorState, SLACK_S)
            _send_start(children)
            # The warm-up of a closed load may be prolonged, by less than SLACK_S.
            _recv_all(children, GeneratorState, job.warmup_s + job.collapse_s + SLACK_S)
            _send_start(children)
            timeout_s = job.measure_s + 3 * job.collapse_s + SLACK_S
            summaries = _recv_all(children, GeneratorSummary, timeout_s)
        except BaseException:
            self.stop()  # a late message would be taken for one of the next cell
            raise
        for share, summary in zip(shares, summaries, strict=True):
            if code := summary.unwritten:
                raise OSError(code, os.strerror(code), str(share.records))
        _join([share.records for share in shares], job.records)
        return _merge(summaries)

    def stop(self) -> None:
        """End all processes; `run` starts new ones."""
        for child in self._children:
            child.stop()
        self._children = []

    def _start(self) -> Child:
        command = [sys.executable, "-m", "loadtests.generator"]
        return Child(command, log=self._log, cores=self._cores, cwd=ROOT, piped=True)


def _share(job: Job, process: int, processes: int) -> Job:
    records = job.records.with_suffix(f".{process}.parquet") if processes > 1 else job.records
    return job.model_copy(
        update={
            "process": process,
            "processes": processes,
            "records": records,
            # Every process needs a user of its own.
            "in_flight": max(1, len(range(process, job.in_flight, processes))),
            "preconnect": len(range(process, job.preconnect, processes)),
        }
    )


def _merge(shares: Sequence[GeneratorSummary]) -> GeneratorSummary:
    """Return the sum of all processes' summaries, with the CPU times of the busiest process."""
    busiest = max(shares, key=lambda share: share.generator_cpu_s + share.generator_waited_s)
    counts = ("good", "users_unserved", "unanswered", "scheduled", "dropped")
    sums = {name: sum(getattr(share, name) for share in shares) for name in counts}
    collapsed = any(share.collapsed for share in shares)
    return busiest.model_copy(update={"collapsed": collapsed, **sums})


def _send_start(children: Sequence[Child]) -> None:
    start = StartAt(at_ns=time.perf_counter_ns() + LEAD_NS)
    for child in children:
        _send(child, start)


def _send(child: Child, message: BaseModel) -> None:
    try:
        child.stdin.write(message.model_dump_json().encode() + b"\n")
        child.stdin.flush()
    except OSError:
        raise _error(child) from None


def _recv_all(children: Sequence[Child], kind: type[Message], timeout_s: float) -> list[Message]:
    end = time.monotonic() + timeout_s
    return [_recv(child, kind, end) for child in children]


def _recv(child: Child, kind: type[Message], end: float) -> Message:
    ready = False
    while not ready and (left_s := end - time.monotonic()) > 0:
        with interruptible():
            ready = bool(select.select([child.stdout], [], [], min(left_s, WAIT_S))[0])
    if not ready or not (line := child.stdout.readline()).endswith(b"\n"):
        raise _error(child)
    return kind.model_validate_json(line)


def _error(child: Child) -> GeneratorFailedError:
    reason = child.exit_reason(EXIT_TIMEOUT_S) or "did not answer in time"
    output = child.last_output()
    return GeneratorFailedError(f"the load generator {reason}; its last output: {output}")


def _join(shares: Sequence[Path], records: Path) -> None:
    """Merge the records of all processes into one file, ordered by the end of each request."""
    if shares == [records]:
        return
    # In memory first: polars raises something else than OSError for a full disk.
    buffer = io.BytesIO()
    frame = pl.concat(pl.read_parquet(share, glob=False) for share in shares).sort("done_ns")
    frame.write_parquet(buffer, compression="zstd")
    records.write_bytes(buffer.getbuffer())
    for share in shares:
        share.unlink()
