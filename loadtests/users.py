"""Locust users that send a scenario's requests: each after its last answer, or when one is due."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust import User, task
from locust.exception import StopUser

from loadtests.draw import PreparedRequest
from loadtests.wire import NO_ANSWER, Answer, Connection
from twinbench.plan import MAX_USERS

# A refused connection comes back at once: without a pause, users would spin on it.
PAUSE_AFTER_NO_ANSWER_S = 0.05
# A prime: users do not start where others have just been.
RING_STEP = 1009
# Servers with a short queue of connections (socketserver: 5, asyncio: 100) drop those that come
# all at once, and the system tries again only after a second.
NEXT_AFTER_S = 0.005


class ResultSink(Protocol):
    """Who is told of each answer: the recorder, or Locust's own statistics."""

    in_flight: int
    last_sign_ns: int

    def add(self, request: int, expected: int, intended_ns: int, answer: Answer) -> bool: ...


class ScenarioUser(User):
    """Has a connection of its own, and knows what it is waiting for."""

    abstract = True
    drawn: ClassVar[Sequence[PreparedRequest]]
    sink: ClassVar[ResultSink]
    timeout_s: ClassVar[float] = 30.0
    stopping: ClassVar[bool] = False
    # The number of each user; every `of`th is of this process.
    user_ids: ClassVar[Iterator[int]]
    # Their slots among those of this process, from 0 on.
    slots: ClassVar[Iterator[int]]
    there: ClassVar[list["ScenarioUser"]]
    connected: ClassVar[int] = MAX_USERS
    at_once: ClassVar[int] = 64

    def on_start(self) -> None:
        parts = urlsplit(self.host or "")
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self.connection = Connection(host, port, self.timeout_s)
        self.number = next(self.user_ids)
        self.slot = next(self.slots)
        self.pending: tuple[int, int, int] | None = None  # request, intended_ns, sent_ns
        self.answers = 0
        if self.slot < self.connected:
            gevent.sleep(self.slot // self.at_once * NEXT_AFTER_S)
            self.connection.connect()
        self.there.append(self)

    def send(self, drawn: PreparedRequest, intended_ns: int | None = None) -> bool:
        """Send one request and keep its answer; False if there was none."""
        request, expected, payload = drawn
        sink = self.sink
        now_ns = time.perf_counter_ns()
        if intended_ns is None:  # in a closed load it is meant to be sent when it is sent
            intended_ns = now_ns
        if not sink.in_flight:
            sink.last_sign_ns = now_ns
        self.pending = (request, intended_ns, now_ns)
        sink.in_flight += 1
        answer = self.connection.exchange(payload)
        sink.in_flight -= 1
        self.pending = None
        sink.add(request, expected, intended_ns, answer)
        self.answers += 1
        return answer.status != NO_ANSWER

    def on_stop(self) -> None:
        self.connection.close()


class ClosedUser(ScenarioUser):
    """Sends, waits for the answer, and sends again without think time."""

    abstract = True
    # All users begin at the same moment, connected: a load of N means N from the first request.
    go: ClassVar[Event]

    @task
    def loop(self) -> None:
        # Each user walks the same ring of requests from a place of its own.
        start = self.number * RING_STEP % len(self.drawn)
        ring = (*self.drawn[start:], *self.drawn[:start])
        self.go.wait()
        while not self.stopping:
            for drawn in ring:
                answered = self.send(drawn)
                if self.stopping:
                    break
                if not answered:
                    gevent.sleep(PAUSE_AFTER_NO_ANSWER_S)
        raise StopUser


class OpenUser(ScenarioUser):
    """Sends what is due, once it is told so; the one that was answered last is told first."""

    abstract = True
    idle: ClassVar[list[Callable[[tuple[PreparedRequest, int]], Any]]]

    @task
    def loop(self) -> None:
        resume: Any = gevent.getcurrent().switch
        if self.slot < self.connected:
            with contextlib.suppress(OSError):  # the first exchange will say so
                self.connection.wake()
        while not self.stopping:
            self.idle.append(resume)
            # Woken without anything to send: the other side has ended an idle connection.
            while not (due := self.connection.wait()):
                self.connection.close()
            self.send(*due)
        raise StopUser
