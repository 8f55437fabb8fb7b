"""HTTP/1.1 keep-alive connection on the gevent hub, which timestamps each exchange.

Written for measuring: Locust's own client uses so much CPU that on a fast route it would be the
bottleneck (docs/decisions/0002-own-client.md). Each connection keeps one watcher with the hub,
which switches straight into the user: a request is a send, a switch, a read. Network and
protocol errors are returned as a response with status 0 and the reason, never raised.
"""

import contextlib
import errno
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent
import httptools
from gevent import monkey
from gevent import socket as gevent_socket

RECV_BYTES = 65_536
READ = 1  # of libev
NO_RESPONSE = 0
# Informational responses come before the final one (100 Continue, 103 Early Hints).
FINAL_STATUS = 200
# Without Locust's patches: these sockets never block, and the hub is used directly.
RawSocket = monkey.get_original("socket", "socket")
# httptools' two have no common base class.
ERRORS = (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade)
# Linux reports how many bytes the peer's system has acknowledged as a 64-bit number in tcp_info
# (tcpi_bytes_acked, include/uapi/linux/tcp.h). It counts the SYN as one.
TCP_INFO, BYTES_ACKED_AT, TCP_INFO_BYTES = 11, 120, 128
INFORMATIONAL = re.compile(rb"HTTP/1\.\d 1\d\d")
BODY_LENGTH = re.compile(rb"\r\n(content-length|transfer-encoding):", re.IGNORECASE)


class TimedResponse(NamedTuple):
    """Times on the monotonic clock, status, body size, and the reason if there is no response."""

    sent_ns: int
    first_byte_ns: int
    done_ns: int
    status: int
    bytes: int
    error: str


class Connection:
    """Connection of one user, which connects on first use, and again after the server has closed.

    Belongs to one greenlet. From `exchange` or `watch` until `rest` or `close`, the hub switches
    to it whenever there is something to read, a response or the end of an idle connection:
    meanwhile it must not wait for anything but `wait`.
    """

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._address = (socket.gethostbyname(host), port)
        self._timeout_s = timeout_s
        hub = gevent.get_hub()
        self._new_watcher: Callable[[int, int], Any] = hub.loop.io
        self.wait: Callable[[], Any] = hub.switch  # until there is something to read
        self._socket: Any = None
        self._watcher: Any = None
        self._watching = False
        self._parser: httptools.HttpResponseParser
        self._head = b""
        self._responses = 0
        self._kept_open = False
        self._body_bytes = 0
        self._expired = False
        self._acked_bytes = 0  # of the answered requests on this connection

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def connect(self) -> None:
        """Connect before the first exchange, which reports a failure."""
        try:
            self._open()
        except OSError:
            self.close()

    def exchange(self, request: bytes) -> TimedResponse:
        """Send `request` and read the whole response."""
        sent_ns = time.perf_counter_ns()
        first_byte_ns = self._responses = self._body_bytes = 0
        self._head = b""
        try:
            if not self._watching:
                self.watch()
            sent = self._socket.send(request)
            if sent < len(request):
                self._send_rest(memoryview(request)[sent:])
            while not self._responses:
                self.wait()
                try:
                    data = self._socket.recv(RECV_BYTES)
                except BlockingIOError:
                    continue  # the hub may wake without cause
                if not data:
                    self._on_eof()
                    break
                first_byte_ns = first_byte_ns or time.perf_counter_ns()
                self._feed(data)
        except ERRORS as error:
            if not first_byte_ns and self._never_acked(error):
                self.close()
                return self.exchange(request)._replace(sent_ns=sent_ns)
            self.close()
            done_ns = time.perf_counter_ns()
            return TimedResponse(sent_ns, first_byte_ns, done_ns, NO_RESPONSE, 0, _reason(error))
        done_ns = time.perf_counter_ns()
        self._acked_bytes += len(request)
        status = self._parser.get_status_code()
        if not self._kept_open or self._expired:
            self.close()
        return TimedResponse(sent_ns, first_byte_ns, done_ns, status, self._body_bytes, "")

    def watch(self) -> None:
        """Connect if necessary, and watch for something to read. Raises OSError."""
        if self._socket is None:
            self._open()
        self._watcher.start(gevent.getcurrent().switch)
        self._watching = True

    def rest(self) -> None:
        """Stop watching until the next exchange."""
        if self._watching:
            self._watcher.stop()
            self._watching = False

    def renew(self) -> None:
        """Connect again if the server has closed the connection while it was at rest."""
        if self._socket is not None:
            try:
                closed = not self._socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return
            except OSError:
                closed = True
            if closed:
                self.close()
                self.connect()

    def expire(self) -> None:
        """Abort the exchange in progress: its greenlet finds the connection closed."""
        if self._socket is not None:
            self._expired = True
            with contextlib.suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next exchange opens another one."""
        if self._socket is not None:
            self._watcher.stop()
            self._watcher.close()
            self._socket.close()
            self._socket, self._watching, self._acked_bytes = None, False, 0

    def on_body(self, body: bytes) -> None:
        """Count bytes; the parser calls it."""
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """Count responses; the parser calls it, and resets `should_keep_alive` afterwards."""
        if self._parser.get_status_code() >= FINAL_STATUS:
            self._responses += 1
            self._kept_open = self._parser.should_keep_alive()

    def _feed(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self._responses > 1:
            raise ConnectionError("two responses to one request")
        # The head of a response in pieces says how its body ends.
        if not self._responses and len(self._head) < RECV_BYTES:
            self._head += data

    def _on_eof(self) -> None:
        """Handle the end of the connection, which ends a body without a length."""
        if self._expired:
            raise TimeoutError(f"no complete response within {self._timeout_s:g} s")
        head, complete, rest = self._head.partition(b"\r\n\r\n")
        while INFORMATIONAL.match(head):
            head, complete, rest = rest.partition(b"\r\n\r\n")
        final = self._parser.get_status_code() >= FINAL_STATUS
        if not (complete and final) or BODY_LENGTH.search(head):
            raise ConnectionError("closed before the response was complete")
        self._responses, self._kept_open = 1, False

    def _never_acked(self, error: Exception) -> bool:
        """Return whether the request met a connection that the server had closed while idle.

        A server may do that at any time. Its system has acknowledged no byte then, and the request
        is sent again. A request that was acknowledged and not answered is an error of the server;
        so is a reset, which leaves no count of what was acknowledged.
        """
        if not self._acked_bytes or self._expired or sys.platform != "linux":
            return False
        if isinstance(error, ConnectionResetError):
            return False
        info = self._socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES)
        (acked,) = struct.unpack_from("=Q", info, BYTES_ACKED_AT)
        return bool(acked <= 1 + self._acked_bytes)

    def _send_rest(self, rest: memoryview) -> None:
        """Send what did not fit into the socket's buffer: uploads."""
        while rest:
            self._watcher.stop()  # an early response is read afterwards
            gevent_socket.wait_write(self._socket.fileno(), timeout=self._timeout_s)
            self._watcher.start(gevent.getcurrent().switch)
            rest = rest[self._socket.send(rest) :]

    def _open(self) -> None:
        self._socket = RawSocket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._watcher = self._new_watcher(self._socket.fileno(), READ)
        code = self._socket.connect_ex(self._address)
        if code == errno.EINPROGRESS:
            gevent_socket.wait_write(self._socket.fileno(), timeout=self._timeout_s)
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpResponseParser(self)
        self._expired = False


def _reason(error: Exception) -> str:
    """Return the reason without addresses and numbers, so that equal failures count as one."""
    if not isinstance(error, OSError):
        return "not HTTP: " + type(error).__name__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
