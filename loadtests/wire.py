"""One HTTP/1.1 keep-alive connection over a gevent socket, and the stamps of each exchange.

Written for measuring: Locust's own client costs so much CPU that on a fast route it would be
the bottleneck itself (see docs/decisions/0002-own-client.md). Whatever goes wrong on the wire
comes back as an answer with status 0 and the reason; nothing is raised.
"""

import socket
import time
from typing import Any, NamedTuple

import httptools
from gevent import socket as gevent_socket

RECV_BYTES = 65_536
NO_ANSWER = 0


class Answer(NamedTuple):
    """What came back: monotonic times in nanoseconds, body size in bytes."""

    sent_ns: int
    first_byte_ns: int
    done_ns: int
    status: int
    bytes: int
    error: str


class Connection:
    """Connects on first use, and again after the other side has closed."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: Any = None  # a gevent socket; gevent publishes no types
        self._parser: httptools.HttpResponseParser
        self._complete = False
        self._kept_open = False
        self._body_bytes = 0

    def connect(self) -> None:
        """Connect ahead of the first exchange; what fails here fails again there."""
        try:
            self._open()
        except OSError:
            self.close()

    def exchange(self, request: bytes) -> Answer:
        """Send `request` and read the whole answer."""
        sent_ns = time.perf_counter_ns()
        first_byte_ns = 0
        self._complete, self._body_bytes = False, 0
        try:
            if self._socket is None:
                self._open()
            self._socket.sendall(request)
            while not self._complete:
                data = self._socket.recv(RECV_BYTES)
                first_byte_ns = first_byte_ns or time.perf_counter_ns()
                if not data:
                    raise ConnectionError("closed before the answer was complete")
                self._parser.feed_data(data)
        except (OSError, httptools.HttpParserError) as error:
            self.close()
            done_ns = time.perf_counter_ns()
            return Answer(sent_ns, first_byte_ns, done_ns, NO_ANSWER, 0, _reason(error))
        done_ns = time.perf_counter_ns()
        status = self._parser.get_status_code()
        if not self._kept_open:
            self.close()
        return Answer(sent_ns, first_byte_ns, done_ns, status, self._body_bytes, "")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """Called by the parser; afterwards it has forgotten whether the connection stays."""
        self._complete = True
        self._kept_open = self._parser.should_keep_alive()

    def _open(self) -> None:
        self._socket = gevent_socket.create_connection(self._address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpResponseParser(self)


def _reason(error: Exception) -> str:
    """Without addresses and numbers, so that equal failures count as one."""
    if isinstance(error, httptools.HttpParserError):
        return "not HTTP: " + type(error).__name__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
