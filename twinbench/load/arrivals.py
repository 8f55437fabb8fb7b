"""Arrivals of an open load: their schedule, and the timer that sends them.

The schedule is drawn before the load begins. The kernel (timerfd) waits for each arrival:
gevent's own timers have whole milliseconds, and spinning starves the sockets.
"""

import bisect
import ctypes
import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import gevent
import numpy as np

from twinbench.job import Job
from twinbench.load.connection import READ
from twinbench.load.requests import PreparedRequest
from twinbench.plan import Arrivals

if TYPE_CHECKING:  # importing locust patches the whole process
    from twinbench.load.users import OpenUser

NS_PER_S = 1_000_000_000
TIMER_BYTES = 8
TFD_NONBLOCK, TFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
TFD_TIMER_ABSTIME = 1
# Standard deviations by which the drawn arrivals exceed the expected number.
SPARE = 6
# Longest pause between warm-up and window: the harness sends the start of the window at once.
MAX_PAUSE_S = 5.0


def schedule_ns(
    rate: int,
    arrivals: Arrivals,
    seconds: float,
    seed: int,
    process: int = 0,
    processes: int = 1,
) -> list[int]:
    """Return when to send `rate` requests a second for `seconds`: ns after the start, in order.

    Every `processes`-th of them from number `process` on. Poisson: the gaps are independent and
    exponential with mean 1 / rate; constant: all gaps are equal.
    """
    expected = rate * seconds
    count = int(expected + SPARE * expected**0.5) + SPARE
    if arrivals == "poisson":
        # The rate is part of the seed: two loads of one block do not share their bursts.
        gaps = np.random.default_rng([seed, rate]).exponential(1 / rate, count)
    else:
        gaps = np.full(count, 1 / rate)
    times = (np.cumsum(gaps) * NS_PER_S).astype(np.int64)
    found: list[int] = times[times < seconds * NS_PER_S][process::processes].tolist()
    return found


class ArrivalDispatcher:
    """Dispatcher of due requests to idle users; without an idle user, a request is dropped.

    Each turn goes on in one schedule where the last one ended.
    """

    def __init__(
        self, job: Job, users: "type[OpenUser]", requests: Sequence[PreparedRequest]
    ) -> None:
        # A pause may be part of every turn.
        span_s = job.load_s + job.turns * MAX_PAUSE_S
        self._schedule = schedule_ns(
            job.load.value, job.arrivals, span_s, job.seed, job.process, job.processes
        )
        self._span_ns = int(span_s * NS_PER_S)
        self._shift_ns = 0  # from the schedule to the clock
        self._ended_ns = 0  # of the schedule, when the last turn ended
        self._requests = requests
        self._idle = users.idle
        self._next = 0
        self._end = 0
        self._due_ns: list[int] = []
        self._dropped: list[int] = []
        self._timer = TimerFd(self._send_due)

    def begin(self, at_ns: int) -> None:
        """Send what is due from then on."""
        self._shift_ns = at_ns - self._ended_ns
        self._end = len(self._schedule)
        if self.due():
            self._timer.set(self._schedule[self._next] + self._shift_ns)

    def end_at(self, end_ns: int) -> None:
        """End the turn then. Raises RuntimeError if the schedule is too short."""
        self._ended_ns = end_ns - self._shift_ns
        if self._ended_ns > self._span_ns:
            raise RuntimeError(f"the harness sent no start for more than {MAX_PAUSE_S:g} s")
        self._end = bisect.bisect_left(self._schedule, self._ended_ns)

    def due(self) -> bool:
        """Return whether something is still to be sent in this turn."""
        return self._next < self._end

    def pause(self) -> None:
        """Send nothing until the next turn, not even what is due."""
        self._due_ns += [t + self._shift_ns for t in self._schedule[self._next : self._end]]
        self._next = self._end

    def within(self, windows_ns: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """Return how many were due in the windows, and how many of these were dropped."""
        return _count(self._due_ns, windows_ns), _count(self._dropped, windows_ns)

    def close(self) -> None:
        self._timer.close()

    def _send_due(self) -> None:
        """Send what is due, however late. Runs in the hub, to which users switch back."""
        while self.due():
            intended_ns = self._schedule[self._next] + self._shift_ns
            if intended_ns > time.perf_counter_ns():
                self._timer.set(intended_ns)
                return
            prepared = self._requests[self._next % len(self._requests)]
            self._next += 1
            self._due_ns.append(intended_ns)
            if self._idle:
                self._idle.pop()((prepared, intended_ns))
            else:
                self._dropped.append(intended_ns)


class TimerFd:
    """Timer that calls `callback` from the hub, where it must not block."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._fd = _timerfd()
        self._watcher: Any = gevent.get_hub().loop.io(self._fd, READ)
        self._watcher.start(self._expired)
        self._callback = callback

    def set(self, at_ns: int) -> None:
        """Expire at `at_ns` on the monotonic clock, at once if that has passed."""
        _set_time(self._fd, max(at_ns, 1))

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._fd)

    def _expired(self) -> None:
        try:
            os.read(self._fd, TIMER_BYTES)
        except BlockingIOError:
            return  # set again after it had expired
        self._callback()


def _count(times_ns: Sequence[int], windows_ns: Sequence[tuple[int, int]]) -> int:
    return sum(begin <= time_ns < end for begin, end in windows_ns for time_ns in times_ns)


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


@cache  # used at every arrival
def _libc() -> ctypes.CDLL:
    """Return the C library: os.timerfd_create came with Python 3.13.

    Only Linux has timerfd; elsewhere twinbench refuses open loads.
    """
    return ctypes.CDLL(None, use_errno=True)


def _timerfd() -> int:
    fd: int = _libc().timerfd_create(time.CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    return fd


def _set_time(fd: int, at_ns: int) -> None:
    spec = _Itimerspec(_Timespec(0, 0), _Timespec(*divmod(at_ns, NS_PER_S)))
    if _libc().timerfd_settime(fd, TFD_TIMER_ABSTIME, ctypes.byref(spec), None):
        raise OSError(ctypes.get_errno(), "timerfd_settime")
