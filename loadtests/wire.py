"""One HTTP/1.1 keep-alive connection on the gevent hub, and the stamps of each exchange.

Written for measuring: Locust's own client costs so much CPU that on a fast route it would be
the bottleneck itself (docs/decisions/0002-own-client.md). One watcher a connection stays with
the hub for as long as the connection lives and switches straight into the user: a request is a
send, a switch, a read. Whatever goes wrong on the wire comes back as an answer with status 0
and the reason; nothing is raised.
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
READ = 1  # libev's name for it
NO_ANSWER = 0
# Informational answers come before the one that counts (100 Continue, 103 Early Hints).
FINAL_STATUS = 200
# Without Locust's patches: these sockets never block, and the hub is asked directly.
RawSocket = monkey.get_original("socket", "socket")
# What may go wrong; httptools' two have no ancestor of their own.
WRONG = (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade)
# Where Linux says how many bytes of a connection the other side's system has taken: a number of
# 64 bits in tcp_info (tcpi_bytes_acked, include/uapi/linux/tcp.h). It counts the SYN as one.
TCP_INFO, BYTES_ACKED_AT, TCP_INFO_BYTES = 11, 120, 128
INFORMATIONAL = re.compile(rb"HTTP/1\.\d 1\d\d")
BODY_LENGTH = re.compile(rb"\r\n(content-length|transfer-encoding):", re.IGNORECASE)


class Answer(NamedTuple):
    """What came back: monotonic times in nanoseconds, body size in bytes."""

    sent_ns: int
    first_byte_ns: int
    done_ns: int
    status: int
    bytes: int
    error: str


class Connection:
    """Connects on first use, and again after the other side has closed.

    Belongs to one greenlet. Once that has called `exchange` or `wake`, it is switched to whenever
    there is something to read, be it an answer or the end of an idle connection, until `close`:
    meanwhile it must not wait for anything but `wait`.
    """

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._address = (socket.gethostbyname(host), port)
        self._timeout_s = timeout_s
        hub = gevent.get_hub()
        self._watch: Callable[[int, int], Any] = hub.loop.io
        self.wait: Callable[[], Any] = hub.switch  # until something is to be read
        self._socket: Any = None
        self._watcher: Any = None
        self._awake = False
        self._parser: httptools.HttpResponseParser
        self._read = b""
        self._answers = 0
        self._kept_open = False
        self._body_bytes = 0
        self._expired = False
        self._taken_bytes = 0  # of the requests that were answered over this connection

    def connect(self) -> None:
        """Connect ahead of the first exchange; what fails here fails again there."""
        try:
            self._open()
        except OSError:
            self.close()

    def exchange(self, request: bytes) -> Answer:
        """Send `request` and read the whole answer."""
        sent_ns = time.perf_counter_ns()
        first_byte_ns = self._answers = self._body_bytes = 0
        self._read = b""
        try:
            if not self._awake:
                self.wake()
            sent = self._socket.send(request)
            if sent < len(request):
                self._send_rest(memoryview(request)[sent:])
            while not self._answers:
                self.wait()
                try:
                    data = self._socket.recv(RECV_BYTES)
                except BlockingIOError:
                    continue  # the hub may wake without cause
                if not data:
                    self._end()
                    break
                first_byte_ns = first_byte_ns or time.perf_counter_ns()
                self._take(data)
        except WRONG as error:
            if not first_byte_ns and self._never_taken(error):
                self.close()
                return self.exchange(request)._replace(sent_ns=sent_ns)
            return self._failed(sent_ns, first_byte_ns, _reason(error))
        done_ns = time.perf_counter_ns()
        self._taken_bytes += len(request)
        status = self._parser.get_status_code()
        if not self._kept_open or self._expired:
            self.close()
        return Answer(sent_ns, first_byte_ns, done_ns, status, self._body_bytes, "")

    def wake(self) -> None:
        """Connect where that is not yet done, and watch for something to read from now on.
        Raises OSError."""
        if self._socket is None:
            self._open()
        self._watcher.start(gevent.getcurrent().switch)
        self._awake = True

    def expire(self) -> None:
        """Give up the exchange in progress: its greenlet finds the connection ended."""
        if self._socket is not None:
            self._expired = True
            with contextlib.suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._socket is not None:
            self._watcher.stop()
            self._watcher.close()
            self._socket.close()
            self._socket, self._awake, self._taken_bytes = None, False, 0

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """Called by the parser; afterwards it has forgotten whether the connection stays."""
        if self._parser.get_status_code() >= FINAL_STATUS:
            self._answers += 1
            self._kept_open = self._parser.should_keep_alive()

    def _take(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self._answers > 1:
            raise ConnectionError("two answers to one request")
        # The beginning of an answer in pieces: how its body ends is written there.
        if not self._answers and len(self._read) < RECV_BYTES:
            self._read += data

    def _end(self) -> None:
        """The other side has closed, which ends a body of no given length."""
        if self._expired:
            raise TimeoutError(f"no whole answer within {self._timeout_s:g} s")
        head, complete, rest = self._read.partition(b"\r\n\r\n")
        while INFORMATIONAL.match(head):
            head, complete, rest = rest.partition(b"\r\n\r\n")
        said = self._parser.get_status_code() >= FINAL_STATUS
        if not (complete and said) or BODY_LENGTH.search(head):
            raise ConnectionError("closed before the answer was complete")
        self._answers, self._kept_open = 1, False

    def _never_taken(self, error: Exception) -> bool:
        """Whether the request met a connection that the other side had ended while it was idle,
        which it may at any time. Not even its system has taken a byte, then: sent again, it is
        the same request. What was taken, and then not answered, is an error of the server; so is
        a reset, which comes before it is told what was taken."""
        if not self._taken_bytes or self._expired or sys.platform != "linux":
            return False
        if isinstance(error, ConnectionResetError):
            return False
        info = self._socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES)
        (acked,) = struct.unpack_from("=Q", info, BYTES_ACKED_AT)
        return bool(acked <= 1 + self._taken_bytes)

    def _failed(self, sent_ns: int, first_byte_ns: int, reason: str) -> Answer:
        self.close()
        return Answer(sent_ns, first_byte_ns, time.perf_counter_ns(), NO_ANSWER, 0, reason)

    def _send_rest(self, rest: memoryview) -> None:
        """What the socket's buffer had no room for: uploads."""
        while rest:
            self._watcher.stop()  # an answer that comes early is read afterwards
            gevent_socket.wait_write(self._socket.fileno(), timeout=self._timeout_s)
            self._watcher.start(gevent.getcurrent().switch)
            rest = rest[self._socket.send(rest) :]

    def _open(self) -> None:
        self._socket = RawSocket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._watcher = self._watch(self._socket.fileno(), READ)
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
    """Without addresses and numbers, so that equal failures count as one."""
    if not isinstance(error, OSError):
        return "not HTTP: " + type(error).__name__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
