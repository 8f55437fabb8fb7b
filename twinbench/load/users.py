"""Locust users that send a scenario's requests: in a closed loop, or when an arrival is due."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust import User, task

from twinbench.load.connection import NO_RESPONSE, Connection, TimedResponse
from twinbench.load.requests import PreparedRequest, PreparedRequests
from twinbench.plan import MAX_USERS

# A refused connection returns at once: without a pause, users would spin on it.
PAUSE_AFTER_ERROR_S = 0.05
# Servers with a short queue of connections (socketserver: 5, asyncio: 100) drop those that come
# all at once, and the system retries only after a second.
PRECONNECT_INTERVAL_S = 0.005


class ResultSink(Protocol):
    """Receiver of responses: the recorder, or Locust's own statistics."""

    in_flight: int
    last_activity_ns: int

    def add(self, request: int, expected: int, intended_ns: int, response: TimedResponse) -> bool:
        """Take one response; return whether it is right."""


class ScenarioUser(User):
    """User with a connection of its own."""

    abstract = True
    requests: ClassVar[PreparedRequests]
    sink: ClassVar[ResultSink]
    timeout_s: ClassVar[float] = 30.0
    address: ClassVar[str] = ""  # to connect to, where it is not that of `host`
    # Ids are unique among all processes, slots count from 0 in each.
    user_ids: ClassVar[Iterator[int]]
    slots: ClassVar[Iterator[int]]
    active_users: ClassVar[list["ScenarioUser"]]
    preconnect: ClassVar[int] = MAX_USERS
    preconnect_batch: ClassVar[int] = 64

    def on_start(self) -> None:
        """Connect, if the user is one of those that connect before the load."""
        parts = urlsplit(self.host or "")
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self.connection = Connection(self.address or host, port, self.timeout_s)
        self.user_id = next(self.user_ids)
        self.slot = next(self.slots)
        self.pending: tuple[int, int, int] | None = None  # request, intended_ns, sent_ns
        self.responses = 0
        if self.slot < self.preconnect:
            gevent.sleep(self.slot // self.preconnect_batch * PRECONNECT_INTERVAL_S)
            self.connection.connect()
        self.active_users.append(self)

    def send(self, prepared: PreparedRequest, intended_ns: int | None = None) -> bool:
        """Send one request and record its response; return False if there was none.

        `intended_ns` is the time of sending by default, as in a closed load.
        """
        request, expected, payload = prepared
        sink = self.sink
        now_ns = time.perf_counter_ns()
        if intended_ns is None:
            intended_ns = now_ns
        if not sink.in_flight:
            sink.last_activity_ns = now_ns
        self.pending = (request, intended_ns, now_ns)
        sink.in_flight += 1
        response = self.connection.exchange(payload)
        sink.in_flight -= 1
        self.pending = None
        sink.add(request, expected, intended_ns, response)
        self.responses += 1
        return response.status != NO_RESPONSE

    def renew(self) -> None:
        """Connect again if the server has closed the connection between two turns."""
        self.connection.renew()

    def on_stop(self) -> None:
        self.connection.close()


class ClosedUser(ScenarioUser):
    """User that sends, waits for the response, and sends again without think time."""

    abstract = True
    # Set while the load runs. All users begin at the same time, connected: a load of N means N
    # from the first request.
    start_event: ClassVar[Event]

    @task
    def loop(self) -> None:
        may_send = self.start_event
        may_send.wait()
        for prepared in self.requests.of_user(self.user_id):
            if not self.send(prepared):
                gevent.sleep(PAUSE_AFTER_ERROR_S)
            if not may_send.is_set():
                self.connection.rest()
                may_send.wait()  # for the next turn


class OpenUser(ScenarioUser):
    """User that sends an arrival when it is given one; the last to become idle is the next."""

    abstract = True
    idle: ClassVar[list[Callable[[tuple[PreparedRequest, int]], Any]]]

    @task
    def loop(self) -> None:
        self.resume: Any = gevent.getcurrent().switch
        self._watch()
        while True:
            self.idle.append(self.resume)
            while not (due := self.connection.wait()):
                if self.connection.is_open:  # resumed because the server has closed it
                    self.connection.close()
                else:  # by `renew`
                    self._watch()
            self.send(*due)

    def renew(self) -> None:
        """Have the user connect again if the server has closed its idle connection."""
        if not self.connection.is_open:
            gevent.get_hub().loop.run_callback(self.resume, None)

    def _watch(self) -> None:
        if self.slot < self.preconnect:
            with contextlib.suppress(OSError):  # the first exchange will report it
                self.connection.watch()
