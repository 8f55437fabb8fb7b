"""The load generator process: jobs on stdin, summaries on stdout (twinbench/job.py).

Locust is used as a library to run the users. The records go to a file after the window.
"""

import errno
import gc
import itertools
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

import gevent
from gevent.event import Event
from gevent.fileobject import FileObjectThread
from locust.env import Environment
from pydantic import BaseModel

from twinbench.job import (
    GeneratorState,
    GeneratorSummary,
    Job,
    JobSummary,
    JobTarget,
    StartWindow,
    Turn,
)
from twinbench.load.arrivals import ArrivalDispatcher
from twinbench.load.connection import FINAL_STATUS, NO_RESPONSE, TimedResponse
from twinbench.load.recorder import Recorder
from twinbench.load.requests import PreparedRequests, prepare
from twinbench.load.users import ClosedUser, OpenUser

NS_PER_S = 1e9
SCHEDSTAT = Path("/proc/thread-self/schedstat")
# How often the generator checks whether the server still responds.
CHECK_S = 0.05
# How often it looks whether a turn is warmed up, and drained: half of that is lost.
TURN_CHECK_S = 0.002
# Time for all users to connect; then the load begins without the rest.
MAX_SPAWN_S = 5.0
# Longest extension of a closed load's warm-up. Users without a response by then are reported.
MAX_EXTRA_WARM_UP_S = 1.5
# A server that stops responding as the load ends has collapsed if it had not responded for this
# share of the limit while requests were still sent, or if MANY or more are left and none gets a
# response; otherwise the rest are stragglers, reported as unanswered.
SHARE_BEFORE_END = 0.25
MANY = 10
# Arrivals due at the very end of a window are sent shortly after it.
LAST_ARRIVALS_S = 0.5
UNANSWERED = "no response when the load ended"

Message = TypeVar("Message", bound=BaseModel)


class Harness:
    """The harness's end of the pipes."""

    def __init__(self, reader: IO[bytes] | None = None, writer: IO[str] | None = None) -> None:
        self._lines: Iterator[bytes] = FileObjectThread(reader or sys.stdin.buffer, "rb")
        self._writer = writer or sys.stdout

    def recv(self, kind: type[Message]) -> Message | None:
        """Return the next message; None after the last one."""
        line = next(self._lines, None)
        return None if line is None else kind.model_validate_json(line)

    def send(self, message: BaseModel) -> None:
        self._writer.write(message.model_dump_json() + "\n")
        self._writer.flush()


class CellLoad:
    """Load of one target of a job, in turns.

    Call `spawn_users`; for each turn `start`, `warm_up`, `measure` and `drain`; then `summary` and
    `quit`.
    """

    max_extra_warm_up_s: ClassVar[float] = MAX_EXTRA_WARM_UP_S
    arrivals: ArrivalDispatcher | None = None
    _runner: Any

    def __init__(self, job: Job, target: JobTarget) -> None:
        self.job = job
        self.recorder = Recorder()
        self.collapsed = False
        self.windows_ns: list[tuple[int, int]] = []
        self._records = target.records
        self._began_ns = 0
        self._cpu_s = self._waited_s = 0.0
        self._unserved = self._unanswered = 0
        self._open = job.load.kind == "open"
        self.users: Sequence[Any] = ()
        self._create_users(target)

    def _create_users(self, target: JobTarget) -> None:
        job = self.job
        requests = prepare(job, target)
        self._class = _user_class(job, target, self.recorder, requests)
        environment = Environment(user_classes=[self._class], host=target.host)
        self._runner = environment.create_local_runner()
        self.users = self._class.active_users
        if self._open:
            self.arrivals = ArrivalDispatcher(job, self._class, requests.shared)

    def spawn_users(self) -> None:
        """Start the users, and wait until each has connected, or failed to."""
        job = self.job
        closed_users = len(range(job.process, job.load.value, job.processes))
        count = job.in_flight if self._open else closed_users
        self._runner.start(count, spawn_rate=count, wait=False)
        end_ns = time.perf_counter_ns() + MAX_SPAWN_S * NS_PER_S
        while len(self.users) < count and time.perf_counter_ns() < end_ns:
            gevent.sleep(CHECK_S / 10)

    def start(self, at_ns: int) -> None:
        """Begin to send at that time."""
        for user in self.users if self.windows_ns else ():  # after the first turn
            user.responses = 0
            user.renew()
        gevent.sleep(max(0.0, (at_ns - time.perf_counter_ns()) / NS_PER_S))
        self._began_ns = self.recorder.last_activity_ns = time.perf_counter_ns()
        if self.arrivals:
            if not self.windows_ns:
                # The first to connect were accepted first: some servers serve only a few.
                self._class.idle.reverse()
            self.arrivals.begin(at_ns)
        else:
            self._class.start_event.set()

    def warm_up(self, warmup_s: float) -> None:
        """Run for `warmup_s`; a closed load, until there were as many responses as users.

        Until then a server may still be filling its pools (256 connections, 256 threads), and
        requests that wait for that are not in the records yet. Not until every user has had one:
        servers that serve some first would keep the others waiting for a second or more.
        """
        self._run_until(self._began_ns + int(warmup_s * NS_PER_S))
        if self._open:
            return
        end_ns = time.perf_counter_ns() + self.max_extra_warm_up_s * NS_PER_S
        while not self.collapsed and time.perf_counter_ns() < end_ns:
            if self._responses() >= len(self.users):
                return
            self._run_until(time.perf_counter_ns() + int(TURN_CHECK_S * NS_PER_S), TURN_CHECK_S)

    def round_s(self) -> float:
        """Return the time in which there were as many responses as users: the last ones."""
        now_ns, users = time.perf_counter_ns(), len(self.users)
        if self._responses() > users:
            return (now_ns - self.recorder.done_ns(users)) / NS_PER_S
        return (now_ns - self._began_ns) / NS_PER_S * users / max(1, self._responses())

    def measure(self, begin_ns: int, end_ns: int) -> None:
        """Run the window; where the target collapses, it ends."""
        self._unserved = max(self._unserved, self._users_without_response())
        if self.arrivals:
            self.arrivals.end_at(end_ns)
        self._run_until(begin_ns)
        cpu_s, waited_s = time.process_time(), _waited_s()
        self._run_until(end_ns)
        self._cpu_s += time.process_time() - cpu_s
        self._waited_s += _waited_s() - waited_s
        end_ns = min(end_ns, time.perf_counter_ns()) if self.collapsed else end_ns
        self.windows_ns.append((begin_ns, max(begin_ns, end_ns)))

    def drain(self) -> None:
        """Send no more, and wait for the responses in flight, at most twice `collapse_s`."""
        self._send_last()
        self._pause()
        began_ns = time.perf_counter_ns()
        since_activity_ns = began_ns - self.recorder.last_activity_ns
        stalled_before = since_activity_ns > SHARE_BEFORE_END * self.job.collapse_s * NS_PER_S
        end_ns = began_ns + 2 * self.job.collapse_s * NS_PER_S
        while self.recorder.in_flight and time.perf_counter_ns() < end_ns and not self.collapsed:
            gevent.sleep(TURN_CHECK_S)
            if self._stalled():
                none_since = self.recorder.last_activity_ns < began_ns
                self.collapsed = stalled_before or (none_since and self.recorder.in_flight >= MANY)
                return

    def give_up(self) -> None:
        """Record the requests in flight as unanswered, and stop all users.

        Before the harness ends the server: that would look like its response.
        """
        now_ns = time.perf_counter_ns()
        pending = [user.pending for user in self.users if user.pending]
        for request, intended_ns, sent_ns in pending:
            response = TimedResponse(sent_ns, 0, now_ns, NO_RESPONSE, 0, UNANSWERED)
            self.recorder.add(request, FINAL_STATUS, intended_ns, response)
        self._unanswered = len(pending)
        self._runner.quit()

    def summary(self) -> GeneratorSummary:
        """Write the records and return the summary."""
        unwritten = self._write()
        arrivals, windows = self.arrivals, self.windows_ns
        scheduled, dropped = arrivals.within(windows) if arrivals else (0, 0)
        return GeneratorSummary(
            windows_ns=windows,
            good=sum(self.recorder.good_between(*window) for window in windows),
            collapsed=self.collapsed,
            users_unserved=self._unserved,
            unanswered=self._unanswered,
            scheduled=scheduled,
            dropped=dropped,
            generator_cpu_s=round(self._cpu_s, 4),
            generator_waited_s=round(self._waited_s, 4),
            unwritten=unwritten,
        )

    def quit(self) -> None:
        """Stop all users."""
        if self.arrivals:
            self.arrivals.close()
        self._runner.quit()

    def _run_until(self, end_ns: int, check_s: float = CHECK_S) -> None:
        """Let the load run until then, or until the server has collapsed."""
        while not self.collapsed and (left_ns := end_ns - time.perf_counter_ns()) > 0:
            gevent.sleep(min(check_s, left_ns / NS_PER_S))
            self._check()

    def _pause(self) -> None:
        if self.arrivals:
            self.arrivals.pause()
        else:
            self._class.start_event.clear()

    def _send_last(self) -> None:
        end_ns = time.perf_counter_ns() + LAST_ARRIVALS_S * NS_PER_S
        while self.arrivals and self.arrivals.due() and time.perf_counter_ns() < end_ns:
            gevent.sleep(CHECK_S / 50)

    def _write(self) -> int:
        """Write the records; return the errno of a failure, or 0."""
        try:
            self.recorder.write(self._records)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def _responses(self) -> int:
        """Return the number of responses in this turn."""
        return sum(user.responses for user in self.users)

    def _users_without_response(self) -> int:
        """Return the number of users of a closed load without any response in this turn."""
        return 0 if self._open else sum(not user.responses for user in self.users)

    def _check(self) -> None:
        self.collapsed = self.collapsed or self._stalled()
        now_ns = time.perf_counter_ns()
        # Before that, no request can have waited for timeout_s.
        if now_ns - self._began_ns > self.job.timeout_s * NS_PER_S:
            for user in self.users:
                if user.pending and now_ns - user.pending[2] > self.job.timeout_s * NS_PER_S:
                    user.connection.expire()

    def _stalled(self) -> bool:
        since_activity_ns = time.perf_counter_ns() - self.recorder.last_activity_ns
        stalled = since_activity_ns > self.job.collapse_s * NS_PER_S
        return bool(self.recorder.in_flight) and stalled


def _user_class(job: Job, target: JobTarget, recorder: Recorder, requests: PreparedRequests) -> Any:
    attributes: dict[str, Any] = {
        "requests": requests,
        "sink": recorder,
        "timeout_s": job.timeout_s,
        "address": target.address,
        "user_ids": itertools.count(job.process, job.processes),
        "slots": itertools.count(),
        "preconnect": target.preconnect,
        "preconnect_batch": target.preconnect_batch,
        "active_users": [],
    }
    if job.load.kind == "open":
        return type("CellUser", (OpenUser,), attributes | {"idle": []})
    return type("CellUser", (ClosedUser,), attributes | {"start_event": Event()})


def run(job: Job, harness: Harness, load_class: type[CellLoad] = CellLoad) -> JobSummary | None:
    """Run `job` and write its records; return None if the harness has ended."""
    loads = [load_class(job, target) for target in job.targets]
    gc.collect()
    gc.disable()
    try:
        for load in loads:
            load.spawn_users()
        harness.send(GeneratorState(state="ready"))
        while (turn := harness.recv(Turn)) and turn.target is not None:
            if not _take_turn(loads[turn.target], turn, harness):
                return None
        return JobSummary(targets=[load.summary() for load in loads]) if turn else None
    finally:
        for load in loads:
            load.quit()
        gc.enable()


def _take_turn(load: CellLoad, turn: Turn, harness: Harness) -> bool:
    """Run one turn: warm-up, window, drain. Return False if the harness has ended."""
    load.start(turn.at_ns)
    load.warm_up(turn.warmup_s)
    harness.send(GeneratorState(state="warm", round_s=load.round_s()))
    if not (window := harness.recv(StartWindow)):
        return False
    load.measure(window.at_ns, window.at_ns + int(window.measure_s * NS_PER_S))
    load.drain()
    in_flight = load.recorder.in_flight
    if in_flight or load.collapsed:
        load.give_up()
    harness.send(GeneratorState(state="drained", collapsed=load.collapsed, in_flight=in_flight))
    return True


def _waited_s() -> float:
    """Return how long this thread was ready to run and had no core; 0 where that is unknown."""
    try:
        return int(SCHEDSTAT.read_text().split()[1]) / NS_PER_S
    except (OSError, IndexError, ValueError):
        return 0.0


def main() -> None:
    """Run jobs until the harness closes stdin."""
    # Locust's warning of a high spawn rate would hide the last output of a generator that dies.
    logging.getLogger("locust").setLevel(logging.ERROR)
    harness = Harness()
    gc.collect()
    gc.freeze()  # modules: each job collects only what it made
    while job := harness.recv(Job):
        if summary := run(job, harness):
            harness.send(summary)


if __name__ == "__main__":
    main()
