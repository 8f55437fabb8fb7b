"""Connection on real sockets, against scripted responses."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbench.load.connection import NO_RESPONSE, Connection, TimedResponse

pytestmark = pytest.mark.smoke
TIMEOUT_S = 60.0
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
FIXED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
HALF_A_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
UNTIL_THE_END = b"HTTP/1.0 200 OK\r\n\r\nhello"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
ELSEWHERE = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
INCOMPLETE = "closed before the response was complete"


class Script:
    """Server that sends the n-th entry for the n-th request, and closes after it if so marked."""

    def __init__(self, responses: list[tuple[list[bytes], bool]], request_bytes: int) -> None:
        self._responses = responses
        self._request_bytes = request_bytes
        self.resets = False  # closes with a reset
        self.connections = 0
        self.closed_one = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        try:
            while self._responses:
                connection, _ = self._listener.accept()
                self.connections += 1
                with connection:
                    self._serve_one(connection)
                self.closed_one.set()
        except OSError:
            return  # the listener was closed: the test is over

    def _serve_one(self, connection: socket.socket) -> None:
        while self._responses:
            left = self._request_bytes
            while left and (data := connection.recv(left)):
                left -= len(data)
            if left:
                return
            parts, close = self._responses.pop(0)
            for part in parts:
                connection.sendall(part)
            if close:
                linger = struct.pack("ii", self.resets, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def scripted(
    *responses: tuple[list[bytes], bool], request_bytes: int = len(REQUEST)
) -> Iterator[tuple[Script, Connection]]:
    script = Script(list(responses), request_bytes)
    thread = threading.Thread(target=script.serve)
    thread.start()
    try:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        yield script, connection
        connection.close()
    finally:
        script.close()
        thread.join()


def brief(response: TimedResponse) -> tuple[int, int, str]:
    return response.status, response.bytes, response.error


@pytest.mark.parametrize(
    ("response", "closes", "connections"),
    # The last one: a body without a length ends with its connection.
    [(FIXED, False, 1), (CLOSING, True, 2), (UNTIL_THE_END, True, 2)],
)
def test_a_connection_is_kept_until_the_server_closes(
    response: bytes, closes: bool, connections: int
) -> None:
    with scripted(([response], closes), ([FIXED], False)) as (script, connection):
        responses = [connection.exchange(REQUEST) for _ in range(2)]
    assert [brief(r) for r in responses] == [(200, 5, "")] * 2
    assert script.connections == connections


@pytest.mark.parametrize(
    ("response", "status", "size"),
    [
        (FIXED, 200, 5),
        (CHUNKED, 200, 5),
        (EMPTY, 204, 0),
        (EARLY + FIXED, 200, 5),
        (ELSEWHERE, 307, 0),
    ],
)
def test_a_response_in_pieces_is_read_whole(response: bytes, status: int, size: int) -> None:
    pieces = [response[n : n + 1] for n in range(len(response))]
    with scripted((pieces, False)) as (_, connection):
        found = connection.exchange(REQUEST)
    assert brief(found) == (status, size, "")
    assert found.sent_ns <= found.first_byte_ns <= found.done_ns


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (SHORT, INCOMPLETE),
        (HALF_A_CHUNK, INCOMPLETE),
        (EARLY, INCOMPLETE),
        (EARLY + SHORT, INCOMPLETE),
        (EARLY + FIXED[:20], INCOMPLETE),
        (b"", INCOMPLETE),
        (FIXED + FIXED, "two responses to one request"),
        (FIXED + b"and more", "not HTTP"),
        (UPGRADE, "not HTTP"),
        (b"HTTP/9.9 what\r\n\r\n", "not HTTP"),
        (b"garbage\r\n\r\n", "not HTTP"),
    ],
)
def test_an_error_is_a_response_and_the_next_request_works(response: bytes, reason: str) -> None:
    with scripted(([response], True), ([FIXED], False)) as (_, connection):
        wrong, right = connection.exchange(REQUEST), connection.exchange(REQUEST)
    assert wrong.status == NO_RESPONSE
    assert reason in wrong.error
    assert right.status == 200


def test_a_big_request_is_sent_whole() -> None:
    whole = REQUEST + bytes(20_000_000)
    with scripted(([FIXED], False), request_bytes=len(whole)) as (_, connection):
        assert brief(connection.exchange(whole)) == (200, 5, "")


def test_an_exchange_can_be_aborted() -> None:
    with scripted(([SHORT], False), ([FIXED], False)) as (_, connection):
        gevent.spawn(_expire_once_begun, connection)
        late, right = connection.exchange(REQUEST), connection.exchange(REQUEST)
    assert brief(late) == (NO_RESPONSE, 0, "no complete response within 60 s")
    assert late.first_byte_ns > late.sent_ns
    assert right.status == 200


def _expire_once_begun(connection: Connection) -> None:
    while not connection._head:
        gevent.sleep(0.001)
    connection.expire()


def test_a_request_on_a_closed_connection_is_sent_again() -> None:
    with scripted(([FIXED], True), ([FIXED], False)) as (script, connection):
        responses = [connection.exchange(REQUEST)]
        assert script.closed_one.wait(TIMEOUT_S)
        responses.append(connection.exchange(REQUEST))
    assert [brief(r) for r in responses] == [(200, 5, "")] * 2
    assert script.connections == 2


@pytest.mark.parametrize("reset", [False, True])
def test_an_acknowledged_request_is_not_sent_again(reset: bool) -> None:
    with scripted(([FIXED], False), ([], True), ([FIXED], False)) as (script, connection):
        script.resets = reset
        responses = [connection.exchange(REQUEST) for _ in range(2)]
    assert [r.status for r in responses] == [200, NO_RESPONSE]
    assert responses[1].error in (INCOMPLETE, "Connection reset by peer")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a response with a part of it replaced."""
    whole = draw(st.sampled_from([FIXED, CHUNKED, EARLY + FIXED, UNTIL_THE_END, ELSEWHERE]))
    begin, end = sorted(draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    return whole[:begin] + draw(st.binary(max_size=20)) + whole[end:]


@given(damaged() | st.binary(max_size=200))
def test_nothing_that_a_server_sends_raises(response: bytes) -> None:
    with scripted(([response], True), ([FIXED], True)) as (_, connection):
        first, right = connection.exchange(REQUEST), connection.exchange(REQUEST)
    assert bool(first.error) == (first.status == NO_RESPONSE)
    # Or it crossed with the end of the connection.
    assert (right.status, right.error) in ((200, ""), (NO_RESPONSE, "Connection reset by peer"))


def test_a_refused_connection_is_a_response() -> None:
    with socket.socket() as bound:  # it does not listen, and keeps its port
        bound.bind(("127.0.0.1", 0))
        connection = Connection("127.0.0.1", bound.getsockname()[1], TIMEOUT_S)
        assert brief(connection.exchange(REQUEST)) == (NO_RESPONSE, 0, "Connection refused")
