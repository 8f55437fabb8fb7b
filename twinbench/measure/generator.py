"""The load generator: its processes, as the harness starts and steers them."""

import contextlib
import io
import os
import select
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl
from pydantic import BaseModel

from twinbench.interruption import interruptible
from twinbench.job import (
    GeneratorState,
    GeneratorSummary,
    Job,
    JobSummary,
    LocustSummary,
    StartWindow,
    Turn,
)
from twinbench.measure.processes import Child

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

GENERATOR = "twinbench.load.generator"

Message = TypeVar("Message", bound=BaseModel)


class GeneratorFailedError(Exception):
    """The generator died, or did not answer in time."""


class LoadGenerator:
    """Processes of the load generator.

    They start on first use and stay for all jobs; all are replaced if one fails. A closed load
    with fewer users than processes uses as many processes as users. Call `begin`, then `warm_up`
    and `measure` for each turn of a target, then `finish`. All raise GeneratorFailedError.
    """

    def __init__(
        self, log: Path, cores: Sequence[int] = (), processes: int = 1, module: str = GENERATOR
    ) -> None:
        self._log = log
        self._module = module
        self._cores = cores
        self._processes = processes
        self._children: list[Child] = []
        self._job: Job
        self._shares: list[Job] = []

    def start(self) -> None:
        """Start all processes now, which takes them a second; they are ready when they are used."""
        while len(self._children) < self._processes:
            self._children.append(self._start())

    def begin(self, job: Job) -> None:
        """Give all processes their share of `job`, and wait until all users are connected."""
        closed = job.load.kind == "closed"
        count = min(self._processes, job.load.value) if closed else self._processes
        while len(self._children) < count:
            self._children.append(self._start())
        self._job, self._shares = job, [_share(job, n, count) for n in range(count)]
        with self._stopped_on_error():
            for child, share in zip(self._active, self._shares, strict=True):
                _send(child, share)
            _recv_all(self._active, GeneratorState, job.start_s + SLACK_S)

    def warm_up(self, target: int, warmup_s: float) -> float:
        """Begin the turn of a target; return the time in which each user has a response.

        0 for open loads.
        """
        with self._stopped_on_error():
            self._send_all(Turn(target=target, at_ns=_soon_ns(), warmup_s=warmup_s))
            # The warm-up of a closed load may be prolonged, by less than SLACK_S.
            timeout_s = warmup_s + self._job.collapse_s + SLACK_S
            return max(s.round_s for s in _recv_all(self._active, GeneratorState, timeout_s))

    def measure(self, measure_s: float) -> GeneratorState:
        """Run the window of the turn, and to its last response. Return how it ended."""
        with self._stopped_on_error():
            self._send_all(StartWindow(at_ns=_soon_ns(), measure_s=measure_s))
            timeout_s = measure_s + 3 * self._job.collapse_s + SLACK_S
            states = _recv_all(self._active, GeneratorState, timeout_s)
        collapsed = any(state.collapsed for state in states)
        in_flight = sum(state.in_flight for state in states)
        return GeneratorState(state="drained", collapsed=collapsed, in_flight=in_flight)

    def finish(self) -> list[GeneratorSummary]:
        """Have the records written; return a summary of each target.

        Raises OSError too, if the records cannot be written.
        """
        with self._stopped_on_error():
            self._send_all(Turn(target=None))
            parts = [part.targets for part in _recv_all(self._active, JobSummary, SLACK_S)]
        for share, part in zip(self._shares, parts, strict=True):
            for target, summary in zip(share.targets, part, strict=True):
                if code := summary.unwritten:
                    raise OSError(code, os.strerror(code), str(target.records))
        for number, target in enumerate(self._job.targets):
            _join([share.targets[number].records for share in self._shares], target.records)
        return [_merge(summaries) for summaries in zip(*parts, strict=True)]

    def stop(self) -> None:
        """End all processes; `begin` starts new ones."""
        for child in self._children:
            child.stop()
        self._children = []

    @property
    def _active(self) -> list[Child]:
        return self._children[: len(self._shares)]

    @contextlib.contextmanager
    def _stopped_on_error(self) -> Iterator[None]:
        """Stop all on an error: a late message would be taken for one of the next job."""
        try:
            yield
        except BaseException:
            self.stop()
            raise

    def _send_all(self, message: BaseModel) -> None:
        for child in self._active:
            _send(child, message)

    def _start(self) -> Child:
        command = [sys.executable, "-P", "-m", self._module]
        return Child(command, log=self._log, cores=self._cores, piped=True)


def _share(job: Job, process: int, processes: int) -> Job:
    targets = [
        target.model_copy(
            update={
                "records": target.records.with_suffix(f".{process}.parquet")
                if processes > 1
                else target.records,
                "preconnect": len(range(process, target.preconnect, processes)),
            }
        )
        for target in job.targets
    ]
    return job.model_copy(
        update={
            "process": process,
            "processes": processes,
            "targets": targets,
            # Every process needs a user of its own.
            "in_flight": max(1, len(range(process, job.in_flight, processes))),
        }
    )


def _merge(shares: Sequence[GeneratorSummary]) -> GeneratorSummary:
    """Return the sum of all processes' summaries, with the CPU times of the busiest process.

    A window is the part that all processes measured.
    """
    busiest = max(shares, key=lambda share: share.generator_cpu_s + share.generator_waited_s)
    counts = ("good", "unanswered", "users_unserved", "scheduled", "dropped")
    sums = {name: sum(getattr(share, name) for share in shares) for name in counts}
    windows = [
        (max(begin for begin, _ in same), min(end for _, end in same))
        for same in zip(*(share.windows_ns for share in shares), strict=True)
    ]
    collapsed = any(share.collapsed for share in shares)
    locust = _merge_locust([share.locust for share in shares if share.locust])
    update = {"collapsed": collapsed, "windows_ns": windows, "locust": locust, **sums}
    return busiest.model_copy(update=update)


def _merge_locust(shares: Sequence[LocustSummary]) -> LocustSummary | None:
    if not shares:
        return None
    sums = {n: sum(getattr(s, n) for s in shares) for n in ("exceptions", "users_ended")}
    first = next((share.first_exception for share in shares if share.first_exception), "")
    remarks = list(dict.fromkeys(remark for share in shares for remark in share.remarks))
    return shares[0].model_copy(update={"first_exception": first, "remarks": remarks, **sums})


def _soon_ns() -> int:
    return time.perf_counter_ns() + LEAD_NS


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
