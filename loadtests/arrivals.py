"""When the requests of an open load are meant to be sent, and being told when that is.

The moments are drawn before the load begins. Waiting for them is left to the kernel (timerfd),
because gevent's own timers are whole milliseconds, and spinning starves the sockets.
"""

import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

import gevent
import numpy as np

from twinbench.plan import Arrivals

NS_PER_S = 1_000_000_000
READ = 1  # libev's name for it
TIMER_BYTES = 8
TFD_NONBLOCK, TFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
TFD_TIMER_ABSTIME = 1
# More than are expected, by so many standard deviations of their number.
SPARE = 6


def moments_ns(
    rate: int, arrivals: Arrivals, seconds: float, seed: int, process: int = 0, of: int = 1
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


class Alarm:
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


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


# os.timerfd_create came with Python 3.13.
_libc = ctypes.CDLL(None, use_errno=True)


def _timerfd() -> int:
    fd: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create: open loads need Linux")
    return fd


def _set_time(fd: int, at_ns: int) -> None:
    spec = _Itimerspec(_Timespec(0, 0), _Timespec(*divmod(at_ns, NS_PER_S)))
    if _libc.timerfd_settime(fd, TFD_TIMER_ABSTIME, ctypes.byref(spec), None):
        raise OSError(ctypes.get_errno(), "timerfd_settime")
