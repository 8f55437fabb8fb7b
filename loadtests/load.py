"""The load of one cell, put on its server: users there, warmed up, measured, ended, recorded."""

import itertools
import time
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import LocalRunner

from loadtests.arrivals import Arrivals
from loadtests.draw import prepare_requests
from loadtests.recorder import Recorder
from loadtests.users import ClosedUser, OpenUser, ScenarioUser
from loadtests.wire import FINAL_STATUS, NO_ANSWER, Answer
from twinbench.job import Job

NS_PER_S = 1e9
# How often it is looked whether the server still answers.
LOOK_S = 0.05
# How long the users may take to connect before the load begins without the rest.
LONGEST_GATHERING_S = 5.0
# The warm-up of a closed load goes on for so long, at the most, until every user has had an
# answer: some apps never serve all of 256 users while the others keep them busy, and that is
# told as it is.
LONGEST_WARM_UP_S = 1.5
# A server that falls silent as the load ends has collapsed if it was silent for so much of the
# limit while it was still being asked, or answers none of so many; else those left are stragglers,
# and told as such.
SILENT_BEFORE = 0.25
MANY = 10
# What is due in the last instant of a window is sent a moment after it.
LAST_ARRIVALS_S = 0.5
NO_ANSWER_AT_END = "no answer when the load ended"


class Load:
    """In order: `spawn_users`, `start`, `warm_up`, `run_until`, `drain`, `end`."""

    def __init__(self, job: Job, recorder: Recorder) -> None:
        self.job = job
        self.recorder = recorder
        self.collapsed = False
        self._began_ns = 0
        self._open = job.load.kind == "open"
        drawn = prepare_requests(job.requests, job.host, job.seed, job.captures)
        self._class = _user_class(job, recorder, drawn)
        environment = Environment(user_classes=[self._class], host=job.host)
        self._runner: LocalRunner | None = environment.create_local_runner()
        self.arrivals = Arrivals(job, self._class, drawn) if self._open else None

    @property
    def users(self) -> list[ScenarioUser]:
        """Those who are there."""
        there: list[ScenarioUser] = self._class.there
        return there

    def spawn_users(self) -> None:
        """Start the users, and wait until each has connected, or failed to."""
        count = self.job.in_flight if self._open else _share(self.job.load.value, self.job)
        assert self._runner  # noqa: S101  # until it quits
        self._runner.start(count, spawn_rate=count, wait=False)
        end_ns = time.perf_counter_ns() + LONGEST_GATHERING_S * NS_PER_S
        while len(self.users) < count and time.perf_counter_ns() < end_ns:
            gevent.sleep(LOOK_S / 10)

    def start(self, at_ns: int) -> None:
        """Begin at that moment."""
        gevent.sleep(max(0.0, (at_ns - time.perf_counter_ns()) / NS_PER_S))
        self._began_ns = self.recorder.last_sign_ns = time.perf_counter_ns()
        if self.arrivals:
            # Who connected first was accepted first: some servers serve only so many.
            self._class.idle.reverse()
            self.arrivals.begin(at_ns)
        else:
            self._class.go.set()

    def warm_up(self) -> None:
        """For `warmup_s` at least; a closed load, until every user has had an answer.

        Until then a server may still be filling its pools (256 connections, 256 threads), and
        those who wait for that are not yet in the records.
        """
        self.run_until(self._began_ns + int(self.job.warmup_s * NS_PER_S))
        if self._open:
            return
        end_ns = time.perf_counter_ns() + LONGEST_WARM_UP_S * NS_PER_S
        while not self.collapsed and time.perf_counter_ns() < end_ns:
            if not self.users_without_response():
                return
            self.run_until(time.perf_counter_ns() + int(LOOK_S * NS_PER_S))

    def run_until(self, until_ns: int) -> None:
        """Let the load run until then; `collapsed` if the server stops answering."""
        while not self.collapsed and (left_ns := until_ns - time.perf_counter_ns()) > 0:
            gevent.sleep(min(LOOK_S, left_ns / NS_PER_S))
            self._look()

    def drain(self) -> None:
        """Send no more, and wait until every request in flight is answered.

        Bounded even if answers trickle: what is unanswered after twice the limit stays so.
        """
        self._send_last()
        self._class.stopping = True
        began_ns = time.perf_counter_ns()
        silent_ns = began_ns - self.recorder.last_sign_ns
        was_silent = silent_ns > SILENT_BEFORE * self.job.collapse_s * NS_PER_S
        end_ns = began_ns + 2 * self.job.collapse_s * NS_PER_S
        while self.recorder.in_flight and time.perf_counter_ns() < end_ns and not self.collapsed:
            gevent.sleep(LOOK_S / 10)
            if self._silent():
                none_since = self.recorder.last_sign_ns < began_ns
                self.collapsed = was_silent or (none_since and self.recorder.in_flight >= MANY)
                return

    def _send_last(self) -> None:
        end_ns = time.perf_counter_ns() + LAST_ARRIVALS_S * NS_PER_S
        while self.arrivals and self.arrivals.due() and time.perf_counter_ns() < end_ns:
            gevent.sleep(LOOK_S / 50)

    def end(self) -> int:
        """Record what is still in flight as having had no answer; how many these are."""
        now_ns = time.perf_counter_ns()
        pending = [user.pending for user in self.users if user.pending]
        for request, intended_ns, sent_ns in pending:
            answer = Answer(sent_ns, 0, now_ns, NO_ANSWER, 0, NO_ANSWER_AT_END)
            self.recorder.add(request, FINAL_STATUS, intended_ns, answer)
        self.quit()
        return len(pending)

    def quit(self) -> None:
        """End all users. Twice is fine."""
        if self._runner is None:
            return
        if self.arrivals:
            self.arrivals.close()
        self._runner.quit()
        self._runner = None

    def users_without_response(self) -> int:
        """Users of a closed load without any answer yet."""
        return 0 if self._open else sum(not user.answers for user in self.users)

    def _look(self) -> None:
        self.collapsed = self.collapsed or self._silent()
        now_ns = time.perf_counter_ns()
        # Nobody can have waited for so long before.
        if now_ns - self._began_ns > self.job.timeout_s * NS_PER_S:
            for user in self.users:
                if user.pending and now_ns - user.pending[2] > self.job.timeout_s * NS_PER_S:
                    user.connection.expire()

    def _silent(self) -> bool:
        silent_ns = time.perf_counter_ns() - self.recorder.last_sign_ns
        return bool(self.recorder.in_flight) and silent_ns > self.job.collapse_s * NS_PER_S


def _user_class(job: Job, recorder: Recorder, drawn: Any) -> Any:
    attributes: dict[str, Any] = {
        "drawn": drawn,
        "sink": recorder,
        "timeout_s": job.timeout_s,
        "user_ids": itertools.count(job.process, job.of),
        "slots": itertools.count(),
        "connected": job.connected,
        "at_once": job.at_once,
        "there": [],
    }
    if job.load.kind == "open":
        return type("CellUser", (OpenUser,), attributes | {"idle": []})
    return type("CellUser", (ClosedUser,), attributes | {"go": Event()})


def _share(users: int, job: Job) -> int:
    return len(range(job.process, users, job.of))
