"""The load generator for locustfiles: one job on stdin, its summary on stdout, and the end.

A process runs one load of one target, as the command `locust` would: modules, tokens and rows of
data files are shared with no other load (docs/decisions/0021-locustfiles.md).
"""

import gc
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import gevent
from gevent import GreenletExit
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from locust import events
from locust.user.task import DefaultTaskSet

from twinbench.job import GeneratorSummary, Job, JobTarget, Locustfile, LocustSummary
from twinbench.load.connection import NO_RESPONSE, TimedResponse
from twinbench.load.generator import CHECK_S, NS_PER_S, UNANSWERED, CellLoad, Harness, run
from twinbench.load.locustfile import (
    Call,
    ExceptionLog,
    LocustfileError,
    before_tasks,
    call_of,
    client_names,
    failure_text,
    import_users,
    make_environment,
    private_pipes,
    seed_random,
    watch_clients,
)
from twinbench.load.recorder import NamedRecorder
from twinbench.text import count

# Requests in flight while users start: a crowd that logs in at once is not what is measured, and
# some apps would not survive it.
STARTING_AT_ONCE = 8
# Time for the on_stop of all users, which may send requests.
QUIT_S = 3.0
NO_FAILURE_BELOW = 400


class LocustLoad(CellLoad):
    """Load of the users of a locustfile on one target, in turns."""

    # Users who wait for seconds between tasks (most locustfiles) need as long for a response each.
    max_extra_warm_up_s: ClassVar[float] = 10.0

    def _create_users(self, target: JobTarget) -> None:
        job = self.job
        if job.locustfile is None:
            raise LocustfileError("is missing in the job")
        self.recorder: NamedRecorder = NamedRecorder()
        self.users: list[Any] = []
        self.host = target.host
        self._file: Locustfile = job.locustfile
        self._log = ExceptionLog()
        self._starting, self._over, self._dead = True, False, False
        self._begun, self._may_send = Event(), Event()
        self._slots = BoundedSemaphore(STARTING_AT_ONCE)
        self._calls: set[Call] = set()  # without Locust's event so far
        self._responded: dict[Any, int] = {}  # responses in this turn, by user
        self._failed_starts: list[str] = []
        self._exceptions = self._ended = self._elsewhere = 0
        self._random = random.Random(f"{job.seed} {job.process}")
        self._count = len(range(job.process, job.load.value, job.processes))
        seed_random(job.seed + job.process)
        # Before the file's own listeners, which may raise an exception.
        events.request.add_listener(self._on_request)
        users = import_users(self._file)
        seed_random(job.seed + job.process)
        self._clients = client_names(users)
        watch_clients(self, users)
        before_tasks(self._wait_to_begin)
        share = _share_fixed(users, job.process, job.processes)
        environment = make_environment(self._file, share, target.host, self._count)
        self._runner = environment.runner
        gc.freeze()

    def spawn_users(self) -> None:
        """Start the users, and wait until each is before its first task, or has ended."""
        gc.enable()  # what Locust's clients leave behind is theirs to collect
        self._began_ns = time.perf_counter_ns()
        self._runner.start(self._count, spawn_rate=self._count)
        end_ns = self._began_ns + int(self.job.start_s * NS_PER_S)
        while len(self.users) < self._count and not self._all_have_started():
            if self.collapsed or time.perf_counter_ns() > end_ns:
                break
            gevent.sleep(CHECK_S / 10)
            self._check()
        self._starting = False

    def start(self, at_ns: int) -> None:
        """Let the users send from that time on."""
        self._responded = {}
        gevent.sleep(max(0.0, (at_ns - time.perf_counter_ns()) / NS_PER_S))
        self._began_ns = self.recorder.last_activity_ns = time.perf_counter_ns()
        self._may_send.set()
        self._begun.set()

    def measure(self, begin_ns: int, end_ns: int) -> None:
        """Run the window, and count what happens in the file's code meanwhile."""
        before = self._log.count
        super().measure(begin_ns, end_ns)
        self._exceptions += self._log.count - before
        self._ended = max(self._ended, self._count - self._runner.user_count)

    def give_up(self) -> None:
        """Record the requests in flight as unanswered, and stop all users."""
        self._dead = True
        self._record_open_calls()
        self.quit()

    def summary(self) -> GeneratorSummary:
        """Write the records and return the summary."""
        self._record_open_calls()
        found = LocustSummary(
            clients=self._clients,
            exceptions=self._exceptions,
            first_exception=self._log.first,
            users_ended=self._ended,
            remarks=list(self._remarks()),
        )
        return super().summary().model_copy(update={"locust": found})

    def _remarks(self) -> Iterator[str]:
        if self._failed_starts:
            failed = count(len(self._failed_starts), "request")
            yield f"{failed} of on_start failed; the first: {self._failed_starts[0]}"
        if self._elsewhere:
            yield (
                "the locustfile reports events that are not requests of its HttpUser or"
                " FastHttpUser to the target: they are not counted"
            )

    def quit(self) -> None:
        """Stop all users: their on_stop may send requests, which are not recorded."""
        if not self._over:
            self._over = True
            gevent.spawn(self._runner.quit).join(QUIT_S)

    # What Locust's clients and users call.

    def begin(self, call: Call) -> None:
        """Wait for the turn of this target."""
        if self._starting:
            self._slots.acquire()
            call.starting = True
        # It may be over again when this user goes on. At the end only on_stop sends: users who
        # wait here are killed.
        while not (call.starting or self._over or self._may_send.is_set()):
            self._may_send.wait()
        if self._dead:
            raise GreenletExit
        call.sent_ns = time.perf_counter_ns()
        if not self.recorder.in_flight:
            self.recorder.last_activity_ns = call.sent_ns
        self.recorder.in_flight += 1
        self._calls.add(call)

    def end(self, call: Call) -> None:
        """Take a response, whose event may follow at the end of a with block."""
        self._leave(call)
        if call.response.status_code:
            self.recorder.last_activity_ns = call.done_ns
        self._responded[call.user] = self._responded.get(call.user, 0) + 1

    def abort(self, call: Call) -> None:
        """Forget a request that raised an exception."""
        self._leave(call)
        self._calls.discard(call)

    def _leave(self, call: Call) -> None:
        self.recorder.in_flight -= 1
        if call.starting:
            self._slots.release()

    def _on_request(
        self,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int = 0,
        response: Any = None,
        exception: Any = None,
        **_: Any,
    ) -> None:
        """Record a request: Locust's event."""
        call = call_of(response)
        if call is None:
            self._elsewhere += 1
        elif call in self._calls and not self._over:
            self._calls.discard(call)
            call.done_ns = call.sent_ns + int(response_time * 1e6)
            label, status = f"{request_type} {name}", response.status_code or NO_RESPONSE
            self._record(call, label, status, response_length, failure_text(status, exception))

    def _record(self, call: Call, label: str, status: int, size: int, error: str) -> None:
        if status != NO_RESPONSE and label in self._file.expected_failures:
            error = ""
        if call.starting:  # no part of the load
            self._failed_starts += [f"{label}: {error}"] if error else []
            return
        done_ns = max(call.done_ns, call.sent_ns)
        response = TimedResponse(call.sent_ns, 0, done_ns, status, size or 0, error)
        self.recorder.add_named(label, response)

    def _record_open_calls(self) -> None:
        """Record what has no event: in flight, or answered within a with block that is open."""
        now_ns = time.perf_counter_ns()
        for call in self._calls:
            if call.response is None:
                self._unanswered += 1
                call.done_ns = now_ns
                self._record(call, call.label, NO_RESPONSE, 0, UNANSWERED)
            else:
                status = call.response.status_code or NO_RESPONSE
                wrong = not status or status >= NO_FAILURE_BELOW
                self._record(call, call.label, status, 0, f"status {status}" if wrong else "")
        self._calls = set()

    def _wait_to_begin(self, tasks: DefaultTaskSet) -> None:
        """Have a user wait for the load, and a part of its wait time, as if it had run before.

        Users who wait the same time would stay in step otherwise.
        """
        self.users.append(tasks.user)
        self._begun.wait()
        if wait_s := tasks.wait_time():
            gevent.sleep(self._random.random() * wait_s)

    # What differs from users that send prepared requests.

    def _pause(self) -> None:
        self._may_send.clear()

    def _responses(self) -> int:
        return sum(self._responded.values())

    def _users_without_response(self) -> int:
        return max(0, self._count - len(self._responded))

    def _check(self) -> None:
        self.collapsed = self.collapsed or self._stalled()

    def _all_have_started(self) -> bool:
        spawned: bool = self._runner.spawning_greenlet.ready()
        return spawned and len(self.users) >= self._runner.user_count


def _share_fixed(users: list[Any], process: int, processes: int) -> list[Any]:
    """Return the user classes of this process, which has its share of fixed counts."""
    kept = []
    for user in users:
        fixed = user.fixed_count
        user.fixed_count = len(range(process, fixed, processes))
        if user.fixed_count or not fixed:
            kept.append(user)
    return kept or users


def main() -> None:
    """Run one job."""
    harness = Harness(*private_pipes())
    job = harness.recv(Job)
    if job is None:
        return
    try:
        if summary := run(job, harness, LocustLoad):
            harness.send(summary)
    except LocustfileError as error:
        sys.stderr.write(f"{job.locustfile.path if job.locustfile else ''} {error}\n")
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)  # threads of the file may run on


if __name__ == "__main__":
    main()
