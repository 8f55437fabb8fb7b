"""Servers with known answers: they record when each request arrived, was begun and was answered.

    python -m tests.instrument.servers PORT LOG_PREFIX KIND [ARGUMENT...]

    null | frozen AFTER_S FOR_S | delay (as the path asks) | waiting MS | erring EVERY
    | queue SLOTS SERVICE MEAN_MS SEED

They import the standard library only: an error of the load generator cannot be shared with them.
Each has one thread, so that what it records does not depend on a scheduler of threads. SIGTERM
ends them.
"""

import gc
import heapq
import json
import os
import random
import re
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno"
# Sent by whoever waits for the server to be ready; answered, and not part of the load.
PROBE = b"Connection: close"
BACKLOG = 4096  # a frozen server must not refuse connections
READ_BYTES = 65_536
# Edge-triggered, connections are listed as they became ready; level-triggered, one that was
# listed before keeps its old place, and the order of arrival would be lost.
ARRIVALS = select.EPOLLIN | select.EPOLLET | select.EPOLLRDHUP
# A sleeping process wakes up 0.05 to 0.1 ms late: it wakes up earlier by this, and polls.
AHEAD_S = 0.00012
UNLIMITED = 1_000_000  # slots: more than there are connections
SEED = 7  # for random numbers that need not differ between servers
MS_IN_PATH = re.compile(rb"ms=([0-9.]+)")
# Three of four services take half of the mean, the fourth two and a half times the mean: the
# second moment is 1.75 times the squared mean, between a constant (1) and an exponential (2).
TWO_POINTS = (0.5, 0.5, 0.5, 2.5)
# arrived_ns, began_ns, ended_ns, status, on the monotonic clock. A frozen server has one row
# without an arrival: the freeze.
Row = tuple[int, int, int, int]
# From a request (its bytes, whether it is the first of its connection) to its service time in
# seconds, its status and the response.
Draw = Callable[[bytes, bool], tuple[float, int, bytes]]
Waiting = tuple[int, socket.socket, float, int, bytes]
InService = tuple[int, int, int, int, socket.socket, int, bytes]


class Connections:
    """Listening socket and open connections.

    A request is a GET without a body: it arrives in one piece. A client sends the next one after
    the response (ours do).
    """

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server((HOST, port), backlog=BACKLOG)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._open: dict[int, socket.socket] = {}

    def arrived(self, wait_s: float | None) -> list[tuple[socket.socket, bytes]]:
        """Return requests in the order of arrival; wait up to `wait_s` (None: until there is one).

        `select` waits, as it counts in microseconds; `epoll` counts in whole milliseconds.
        """
        if wait_s != 0.0:
            select.select([self._epoll], [], [], wait_s)
        found = []
        for number, _ in self._epoll.poll(0):
            if number == self._listener.fileno():
                self._accept()
            elif data := self._read(number):
                found.append((self._open[number], data))
        return found

    def _read(self, number: int) -> bytes:
        try:
            data = self._open[number].recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._open.pop(number).close()
        return data

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open[connection.fileno()] = connection
            self._epoll.register(connection, ARRIVALS)


def respond(connection: socket.socket, data: bytes) -> None:
    """Send a small response, which leaves whole; a client that has gone does not matter."""
    try:  # noqa: SIM105  # contextlib.suppress would cost as much as the response
        connection.send(data)
    except OSError:
        pass


def serve_at_once(
    port: int, rows: list[Row], prefix: str, freeze_after_s: float, freeze_s: float
) -> None:
    """Respond at once, for ever; freeze once, `freeze_after_s` after the load began (0: never).

    The file `<prefix>.started` shows other processes that the load has begun.
    """
    connections = Connections(port)
    freeze_ns = 0
    while True:
        for connection, data in connections.arrived(None):
            respond(connection, OK)
            if not freeze_ns and PROBE not in data:
                freeze_ns = time.perf_counter_ns() + int(freeze_after_s * 1e9)
                Path(f"{prefix}.started").touch()
        if freeze_s and freeze_ns and time.perf_counter_ns() >= freeze_ns:
            frozen_ns = time.perf_counter_ns()
            time.sleep(freeze_s)
            freeze_s = 0.0
            rows.append((0, frozen_ns, time.perf_counter_ns(), 0))


class QueueingServer:
    """A queue in order of arrival in front of `slots`, with drawn service times.

    One slot is a serial queue, 40 are a thread pool, UNLIMITED are a mere delay.
    """

    def __init__(self, port: int, slots: int, draw: Draw, rows: list[Row]) -> None:
        self._connections = Connections(port)
        self._free, self._draw, self._rows = slots, draw, rows
        self._queue: deque[Waiting] = deque()
        self._in_service: list[InService] = []  # a heap by the time at which each is due
        self._count = 0
        self._known: set[socket.socket] = set()

    def run(self) -> None:
        while True:
            self._respond_due()
            for connection, data in self._connections.arrived(self._idle_s()):
                if PROBE in data:
                    respond(connection, OK)
                else:
                    self._receive(connection, data)

    def _receive(self, connection: socket.socket, data: bytes) -> None:
        arrived_ns = time.perf_counter_ns()
        service_s, status, response = self._draw(data, connection not in self._known)
        self._known.add(connection)
        waiting = (arrived_ns, connection, service_s, status, response)
        if self._free:
            self._free -= 1
            self._begin(waiting, arrived_ns)
        else:
            self._queue.append(waiting)

    def _begin(self, waiting: Waiting, now_ns: int) -> None:
        arrived_ns, connection, service_s, status, response = waiting
        self._count += 1
        due_ns = now_ns + int(service_s * 1e9)
        item = (due_ns, self._count, arrived_ns, now_ns, connection, status, response)
        heapq.heappush(self._in_service, item)

    def _respond_due(self) -> None:
        """Respond to what is due; the head of the queue takes the slot at the same moment."""
        while self._in_service and self._in_service[0][0] <= time.perf_counter_ns():
            _, _, arrived_ns, began_ns, connection, status, response = heapq.heappop(
                self._in_service
            )
            respond(connection, response)
            now_ns = time.perf_counter_ns()
            self._rows.append((arrived_ns, began_ns, now_ns, status))
            if self._queue:
                self._begin(self._queue.popleft(), now_ns)
            else:
                self._free += 1

    def _idle_s(self) -> float | None:
        """Return how long nothing is due; None if nothing is in service."""
        if not self._in_service:
            return None
        return max(0.0, (self._in_service[0][0] - time.perf_counter_ns()) / 1e9 - AHEAD_S)


def delay(always_ms: float = 0.0) -> Draw:
    """Take as many ms as the path says, or `always_ms`.

    The first request of a connection takes a random share more: users who begin together would
    otherwise return together for ever, in bursts whose place in the window decides how many of
    them are counted.
    """
    rng = random.Random(SEED)

    def draw(data: bytes, first: bool) -> tuple[float, int, bytes]:
        found = None if always_ms else MS_IN_PATH.search(data)
        service_s = (float(found[1]) if found else always_ms) / 1e3
        return service_s * (1 + rng.random() * first), 200, OK

    return draw


def service_times(distribution: str, mean_s: float, seed: int) -> Draw:
    """Draw service times: `exponential`, `constant` or `two_points`."""
    rng = random.Random(seed)
    draws: dict[str, Callable[[], float]] = {
        "exponential": lambda: rng.expovariate(1 / mean_s),
        "constant": lambda: mean_s,
        "two_points": lambda: mean_s * rng.choice(TWO_POINTS),
    }
    service_s = draws[distribution]
    return lambda data, first: (service_s(), 200, OK)


def erring(every: int) -> Draw:
    """Take as long as the path says, but fail each `every`th request at once."""
    inner, count = delay(), 0

    def draw(data: bytes, first: bool) -> tuple[float, int, bytes]:
        nonlocal count
        count += 1
        return (0.0, 500, BROKEN) if count % every == 0 else inner(data, first)

    return draw


def serve(port: int, rows: list[Row], prefix: str, kind: str, arguments: list[str]) -> None:
    if kind in ("null", "frozen"):
        after_s, for_s = (float(argument) for argument in arguments or ("0", "0"))
        serve_at_once(port, rows, prefix, after_s, for_s)
    slots, draw = UNLIMITED, delay()
    if kind == "queue":
        slots_, distribution, mean_ms, seed = arguments
        slots, draw = int(slots_), service_times(distribution, float(mean_ms) / 1e3, int(seed))
    elif kind == "erring":
        draw = erring(int(arguments[0]))
    elif kind == "waiting":
        draw = delay(float(arguments[0]))
    QueueingServer(port, slots, draw, rows).run()


def main() -> None:
    port, prefix, kind, *arguments = sys.argv[1:]
    rows: list[Row] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gc.disable()  # there are no cycles here, and a collection is a pause that nobody records
    try:
        serve(int(port), rows, prefix, kind, arguments)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not cut the log short
        Path(f"{prefix}-{os.getpid()}.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
