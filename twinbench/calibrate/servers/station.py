"""A server as queueing theory has it: so many places, a queue in order of arrival, services drawn.

One place is a serial queue, 40 are a pool of threads, more than there are requests a mere delay.
"""

import heapq
import socket
import time
from collections import deque
from collections.abc import Callable

from twinbench.calibrate.servers.log import Log
from twinbench.calibrate.servers.sockets import OK, PROBE, Sockets, answer

# Woken so much ahead, the rest is spent looking: a sleeper comes back 0.05 to 0.1 ms late.
AHEAD_S = 0.00012

# From a request (its bytes, whether it is the first on its connection) to how long it is to
# take, in seconds, and its answer with its status.
Draw = Callable[[bytes, bool], tuple[float, int, bytes]]
Waiting = tuple[int, socket.socket, float, int, bytes]
Served = tuple[int, int, int, int, socket.socket, int, bytes]


class Station:
    """Serves for ever; `log` has a row for each request: arrived, begun, answered."""

    def __init__(self, port: int, places: int, draw: Draw, log: Log) -> None:
        self._sockets = Sockets(port)
        self._free, self._draw, self._log = places, draw, log
        self._queue: deque[Waiting] = deque()
        self._serving: list[Served] = []  # by the time at which each is due
        self._count = 0
        self._known: set[socket.socket] = set()

    def run(self) -> None:
        while True:
            self._answer_due()
            for connection, data in self._sockets.arrived(self._idle_s()):
                if PROBE in data:
                    answer(connection, OK)
                else:
                    self._take(connection, data)

    def _take(self, connection: socket.socket, data: bytes) -> None:
        arrived_ns = time.perf_counter_ns()
        takes_s, status, reply = self._draw(data, connection not in self._known)
        self._known.add(connection)
        waiting = (arrived_ns, connection, takes_s, status, reply)
        if self._free:
            self._free -= 1
            self._begin(waiting, arrived_ns)
        else:
            self._queue.append(waiting)

    def _begin(self, waiting: Waiting, now_ns: int) -> None:
        arrived_ns, connection, takes_s, status, reply = waiting
        self._count += 1
        due_ns = now_ns + int(takes_s * 1e9)
        served = (due_ns, self._count, arrived_ns, now_ns, connection, status, reply)
        heapq.heappush(self._serving, served)

    def _answer_due(self) -> None:
        """Answer who is due; who has waited longest takes the place at that very moment."""
        while self._serving and self._serving[0][0] <= time.perf_counter_ns():
            _, _, arrived_ns, began_ns, connection, status, reply = heapq.heappop(self._serving)
            answer(connection, reply)
            now_ns = time.perf_counter_ns()
            self._log.add((arrived_ns, began_ns, now_ns, status))
            if self._queue:
                self._begin(self._queue.popleft(), now_ns)
            else:
                self._free += 1

    def _idle_s(self) -> float | None:
        """How long nothing is due; None: for ever."""
        if not self._serving:
            return None
        return max(0.0, (self._serving[0][0] - time.perf_counter_ns()) / 1e9 - AHEAD_S)
