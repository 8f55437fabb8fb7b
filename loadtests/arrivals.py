"""When the requests of an open load are meant to be sent, and being told when that is.

The moments are drawn before the load begins. Waiting for them is left to the kernel (timerfd),
because gevent's own timers are whole milliseconds, and spinning starves the sockets.
"""

import bisect
import ctypes
import os
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import gevent
import numpy as np

from loadtests.wire import READ
from twinbench import plan
from twinbench.job import Job

if TYPE_CHECKING:  # importing locust changes the whole process
    from loadtests.users import OpenUser

NS_PER_S = 1_000_000_000
TIMER_BYTES = 8
TFD_NONBLOCK, TFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
TFD_TIMER_ABSTIME = 1
# More than are expected, by so many standard deviations of their number.
SPARE = 6
# From the warm-up's end to the window: the harness is asked when that begins, and answers at once.
LONGEST_PAUSE_S = 5.0


def schedule_ns(
    rate: int, arrivals: plan.Arrivals, seconds: float, seed: int, process: int = 0, of: int = 1
) -> list[int]:
    """Nanoseconds after the beginning at which to send `rate` requests a second for `seconds`,
    in order: every `of`th of them from number `process` on. Poisson: the gaps are independent
    and exponential with mean 1 / rate; constant: all gaps are equal."""
    expected = rate * seconds
    count = int(expected + SPARE * expected**0.5) + SPARE
    if arrivals == "poisson":
        # The rate is part of the seed: two loads of one block do not share their bursts.
        gaps = np.random.default_rng([seed, rate]).exponential(1 / rate, count)
    else:
        gaps = np.full(count, 1 / rate)
    moments = (np.cumsum(gaps) * NS_PER_S).astype(np.int64)
    found: list[int] = moments[moments < seconds * NS_PER_S][process::of].tolist()
    return found


class Arrivals:
    """Hands each request that is due to an idle user; drops it where there is none."""

    def __init__(self, job: Job, users: "type[OpenUser]", drawn: Any) -> None:
        self._longest_s = job.warmup_s + LONGEST_PAUSE_S + job.measure_s
        self._moments = schedule_ns(
            job.load.value, job.arrivals, self._longest_s, job.seed, job.process, job.of
        )
        self._drawn = drawn
        self._idle = users.idle
        self._users = users
        self._next = 0
        self._dropped: list[int] = []
        self._alarm = TimerFd(self._send_due)

    def begin(self, at_ns: int) -> None:
        self._drawn_until_ns = at_ns + int(self._longest_s * NS_PER_S)
        self._moments = [at_ns + moment for moment in self._moments]
        if self._moments:
            self._alarm.set(self._moments[0])

    def end_at(self, end_ns: int) -> None:
        """Nothing is due from then on. Raises RuntimeError if not so many were drawn."""
        if end_ns > self._drawn_until_ns:
            raise RuntimeError(f"the harness was silent for more than {LONGEST_PAUSE_S:g} s")
        self._moments = self._moments[: bisect.bisect_left(self._moments, end_ns)]

    def due(self) -> bool:
        """Whether something is to be sent yet."""
        return self._next < len(self._moments)

    def between(self, begin_ns: int, end_ns: int) -> tuple[int, int]:
        """How many were due in that time, and how many of these were dropped."""
        return _inside(self._moments, begin_ns, end_ns), _inside(self._dropped, begin_ns, end_ns)

    def close(self) -> None:
        self._alarm.close()

    def _send_due(self) -> None:
        """Called from the hub, to which users come back. What is due goes at once, however late."""
        while self._next < len(self._moments) and not self._users.stopping:
            intended_ns = self._moments[self._next]
            if intended_ns > time.perf_counter_ns():
                self._alarm.set(intended_ns)
                return
            drawn = self._drawn[self._next % len(self._drawn)]
            self._next += 1
            if self._idle:
                self._idle.pop()((drawn, intended_ns))
            else:
                self._dropped.append(intended_ns)


class TimerFd:
    """Calls `ring` from the hub, which must not block, at the moment that was set last."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._fd = _timerfd()
        self._watcher: Any = gevent.get_hub().loop.io(self._fd, READ)
        self._watcher.start(self._rung)
        self._ring = ring

    def set(self, at_ns: int) -> None:
        """Ring at `at_ns` on the monotonic clock; at once if that has passed."""
        _set_time(self._fd, max(at_ns, 1))

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._fd)

    def _rung(self) -> None:
        try:
            os.read(self._fd, TIMER_BYTES)
        except BlockingIOError:
            return  # set anew after it had expired
        self._ring()


def _inside(moments: list[int], begin_ns: int, end_ns: int) -> int:
    return sum(begin_ns <= moment < end_ns for moment in moments)


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


@cache  # it is asked with every arrival
def _libc() -> ctypes.CDLL:
    """os.timerfd_create came with Python 3.13. Other systems than Linux have no timerfd: twinbench
    refuses open loads there, before anything is started."""
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
