"""The load generator as a child process: jobs on stdin, summaries on stdout (twinbench/job.py).

Locust is used as a library to run the users. The records go to a file, after the window.
"""

import errno
import gc
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from gevent.fileobject import FileObjectThread
from pydantic import BaseModel

from loadtests.load import NS_PER_S, Load
from loadtests.recorder import Recorder
from twinbench.job import GeneratorState, GeneratorSummary, Job, StartAt

SCHEDSTAT = Path("/proc/thread-self/schedstat")
Message = TypeVar("Message", bound=BaseModel)


class Harness:
    """Whom the generator talks to."""

    def __init__(self) -> None:
        self._lines: Iterator[bytes] = FileObjectThread(sys.stdin.buffer, "rb")

    def recv(self, kind: type[Message]) -> Message | None:
        """The next message; None once there are no more."""
        line = next(self._lines, None)
        return None if line is None else kind.model_validate_json(line)

    def send(self, message: BaseModel) -> None:
        sys.stdout.write(message.model_dump_json() + "\n")
        sys.stdout.flush()


def run(job: Job, harness: Harness) -> GeneratorSummary | None:
    """Put the load of `job` on its server, write the records, and sum up; None if the harness
    has gone."""
    recorder = Recorder()
    load = Load(job, recorder)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        return _measured(job, load, recorder, harness)
    finally:
        load.quit()
        gc.enable()
        gc.unfreeze()


def _measured(
    job: Job, load: Load, recorder: Recorder, harness: Harness
) -> GeneratorSummary | None:
    load.spawn_users()
    harness.send(GeneratorState(state="ready"))
    if not (at := harness.recv(StartAt)):
        return None
    load.start(at.at_ns)
    load.warm_up()
    unserved = load.users_without_response()
    harness.send(GeneratorState(state="collapsed" if load.collapsed else "warm"))
    if not (at := harness.recv(StartAt)):
        return None
    window_ns = (at.at_ns, at.at_ns + int(job.measure_s * NS_PER_S))
    if load.arrivals:
        load.arrivals.end_at(window_ns[1])
    load.run_until(window_ns[0])
    cpu_s, waited_s = time.process_time(), _waited_s()
    load.run_until(window_ns[1])
    cpu_s, waited_s = time.process_time() - cpu_s, _waited_s() - waited_s
    load.drain()
    unanswered = load.end()
    unwritten = _write(recorder, job)
    scheduled, dropped = load.arrivals.between(*window_ns) if load.arrivals else (0, 0)
    return GeneratorSummary(
        window_ns=window_ns,
        good=recorder.good_between(*window_ns),
        collapsed=load.collapsed,
        users_unserved=unserved,
        unanswered=unanswered,
        scheduled=scheduled,
        dropped=dropped,
        generator_cpu_s=round(cpu_s, 4),
        generator_waited_s=round(waited_s, 4),
        unwritten=unwritten,
    )


def _waited_s() -> float:
    """How long this thread was ready to run and had no core; 0 where the system does not say."""
    try:
        return int(SCHEDSTAT.read_text().split()[1]) / NS_PER_S
    except (OSError, IndexError, ValueError):
        return 0.0


def _write(recorder: Recorder, job: Job) -> int:
    """Write the records; the system's number of what kept them from being written, or 0."""
    try:
        recorder.write(job.records)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def main() -> None:
    # Its warning of a high spawn rate would hide what the generator says when it dies.
    logging.getLogger("locust").setLevel(logging.ERROR)
    harness = Harness()
    while job := harness.recv(Job):
        if summary := run(job, harness):
            harness.send(summary)


if __name__ == "__main__":
    main()
