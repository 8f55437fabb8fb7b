"""Locust users that send a scenario's requests, one after the other, without think time."""

import time
from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust import User, task
from locust.exception import StopUser

from loadtests.draw import Drawn
from loadtests.wire import NO_ANSWER, Answer, Connection

# A refused connection comes back at once: without a pause, users would spin on it.
PAUSE_AFTER_NO_ANSWER_S = 0.05
# A prime: users do not start where others have just been.
RING_STEP = 1009


class Keeper(Protocol):
    """Who is told of each answer: the recorder, or Locust's own statistics."""

    in_flight: int

    def add(self, request: int, answer: Answer, expected: int) -> bool: ...


class ScenarioUser(User):
    """Draws a request by weight, sends it, waits for the answer, and goes on."""

    abstract = True
    drawn: ClassVar[Sequence[Drawn]]
    keeper: ClassVar[Keeper]
    stopping: ClassVar[bool] = False
    born: ClassVar[Iterator[int]]
    # All users begin at the same moment, connected: a load of N means N from the first request.
    go: ClassVar[Event]
    waiting: ClassVar[int] = 0

    def on_start(self) -> None:
        parts = urlsplit(self.host or "")
        self._connection = Connection(parts.hostname or "127.0.0.1", parts.port or 80)
        # Each user walks the same ring of requests from a place of its own.
        start = next(self.born) * RING_STEP % len(self.drawn)
        self._ring = (*self.drawn[start:], *self.drawn[:start])
        self.pending: tuple[int, int] | None = None  # request, sent_ns
        self.answers = 0
        self._connection.connect()
        type(self).waiting += 1
        self.go.wait()

    @task
    def loop(self) -> None:
        cls, exchange, keeper = type(self), self._connection.exchange, self.keeper
        while not cls.stopping:
            for request, expected, payload in self._ring:
                self.pending = (request, time.perf_counter_ns())
                keeper.in_flight += 1
                answer = exchange(payload)
                keeper.in_flight -= 1
                self.pending = None
                keeper.add(request, answer, expected)
                self.answers += 1
                if cls.stopping:
                    break
                if answer.status == NO_ANSWER:
                    gevent.sleep(PAUSE_AFTER_NO_ANSWER_S)
        raise StopUser

    def on_stop(self) -> None:
        self._connection.close()
