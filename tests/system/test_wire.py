"""The client on real sockets, against a server whose bytes are written here."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.wire import NO_ANSWER, Connection

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


class Script:
    """Answers the n-th request with the n-th entry; closes after an entry marked so."""

    def __init__(self, answers: list[tuple[list[bytes], bool]]) -> None:
        self._answers = answers
        self.connections = 0
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        try:
            while self._answers:
                connection, _ = self._listener.accept()
                self.connections += 1
                with connection:
                    self._serve_one(connection)
                self._ended.set()
        except OSError:
            return  # the listener was closed: the test is over

    def _serve_one(self, connection: socket.socket) -> None:
        while self._answers and connection.recv(65536):
            parts, close = self._answers.pop(0)
            for part in parts:
                connection.sendall(part)
            if close:
                return

    def wait_until_ended(self) -> None:
        """Until the end of the first connection is on its way."""
        assert self._ended.wait(TIMEOUT_S)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def scripted(*answers: tuple[list[bytes], bool]) -> Iterator[Script]:
    script = Script(list(answers))
    thread = threading.Thread(target=script.serve)
    thread.start()
    try:
        yield script
    finally:
        script.close()
        thread.join()


def test_a_connection_is_kept_for_the_next_request() -> None:
    with scripted(([FIXED], False), ([FIXED], False), ([FIXED], False)) as script:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        answers = [connection.exchange(REQUEST) for _ in range(3)]
        connection.close()
    assert [(a.status, a.bytes, a.error) for a in answers] == [(200, 5, "")] * 3
    assert script.connections == 1


@pytest.mark.parametrize(
    ("answer", "status", "size"),
    [
        (FIXED, 200, 5),
        (CHUNKED, 200, 5),
        (EMPTY, 204, 0),
        (EARLY + FIXED, 200, 5),
        (ELSEWHERE, 307, 0),
    ],
)
def test_an_answer_in_pieces_is_read_whole(answer: bytes, status: int, size: int) -> None:
    pieces = [answer[n : n + 1] for n in range(len(answer))]
    with scripted((pieces, False)) as script:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        found = connection.exchange(REQUEST)
        connection.close()
    assert (found.status, found.bytes, found.error) == (status, size, "")
    assert found.sent_ns <= found.first_byte_ns <= found.done_ns


def test_a_server_that_closes_is_connected_to_again() -> None:
    with scripted(([CLOSING], True), ([FIXED], False)) as script:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        answers = [connection.exchange(REQUEST) for _ in range(2)]
        connection.close()
    assert [a.status for a in answers] == [200, 200]
    assert script.connections == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (SHORT, "closed before the answer was complete"),
        (HALF_A_CHUNK, "closed before the answer was complete"),
        (EARLY, "closed before the answer was complete"),
        (EARLY + SHORT, "closed before the answer was complete"),
        (EARLY + FIXED[:20], "closed before the answer was complete"),
        (FIXED + FIXED, "two answers to one request"),
        (FIXED + b"and more", "not HTTP"),
        (UPGRADE, "not HTTP"),
        (b"", "closed before the answer was complete"),
        (b"HTTP/9.9 what\r\n\r\n", "not HTTP"),
        (b"garbage\r\n\r\n", "not HTTP"),
    ],
)
def test_what_goes_wrong_is_an_answer_and_the_next_request_goes_on(
    answer: bytes, reason: str
) -> None:
    with scripted(([answer], True), ([FIXED], False)) as script:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        wrong, right = connection.exchange(REQUEST), connection.exchange(REQUEST)
        connection.close()
    assert wrong.status == NO_ANSWER
    assert reason in wrong.error
    assert right.status == 200


def test_a_body_of_no_given_length_ends_with_its_connection() -> None:
    with scripted(([UNTIL_THE_END], True), ([FIXED], False)) as script:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        answers = [connection.exchange(REQUEST) for _ in range(2)]
        connection.close()
    assert [(a.status, a.bytes, a.error) for a in answers] == [(200, 5, "")] * 2
    assert script.connections == 2


def test_a_big_request_is_sent_whole() -> None:
    body = bytes(20_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        took = threading.Thread(target=_take, args=[listener, len(REQUEST) + len(body)])
        took.start()
        connection = Connection("127.0.0.1", port, TIMEOUT_S)
        answer = connection.exchange(REQUEST + body)
        connection.close()
        took.join()
    assert (answer.status, answer.error) == (200, "")


def _take(listener: socket.socket, size: int) -> None:
    connection, _ = listener.accept()
    with connection:
        left = size
        while left > 0:
            left -= len(connection.recv(65536))
        connection.sendall(FIXED)


def test_an_exchange_can_be_given_up() -> None:
    with scripted(([SHORT], False), ([FIXED], False)) as script:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        gevent.spawn(_expire_once_begun, connection)
        late, right = connection.exchange(REQUEST), connection.exchange(REQUEST)
        connection.close()
    assert (late.status, late.error) == (NO_ANSWER, "no whole answer within 60 s")
    assert late.first_byte_ns > late.sent_ns
    assert right.status == 200


def _expire_once_begun(connection: Connection) -> None:
    while not connection._read:
        gevent.sleep(0.001)
    connection.expire()


def test_what_finds_a_connection_ended_is_sent_again() -> None:
    with scripted(([FIXED], True), ([FIXED], False)) as script:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        answers = [connection.exchange(REQUEST)]
        script.wait_until_ended()
        answers.append(connection.exchange(REQUEST))
        connection.close()
    assert [(a.status, a.error) for a in answers] == [(200, "")] * 2
    assert script.connections == 2


@pytest.mark.parametrize("reset", [False, True])
def test_what_was_taken_and_not_answered_is_an_error(reset: bool) -> None:
    """Be it ended or reset, over a connection that has answered before."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        port = listener.getsockname()[1]
        served = threading.Thread(target=_answer_one_of_two, args=[listener, reset])
        served.start()
        connection = Connection("127.0.0.1", port, TIMEOUT_S)
        answers = [connection.exchange(REQUEST) for _ in range(2)]
        connection.close()
        served.join()
    assert [a.status for a in answers] == [200, NO_ANSWER]
    assert answers[1].error in ("closed before the answer was complete", "Connection reset by peer")


def _answer_one_of_two(listener: socket.socket, reset: bool) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(FIXED)
        connection.recv(65536)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An answer with a piece of it replaced by something else."""
    whole = draw(st.sampled_from([FIXED, CHUNKED, EARLY + FIXED, UNTIL_THE_END, ELSEWHERE]))
    begin, end = sorted(draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    return whole[:begin] + draw(st.binary(max_size=20)) + whole[end:]


@given(damaged() | st.binary(max_size=200))
def test_nothing_that_a_server_says_is_raised(answer: bytes) -> None:
    with scripted(([answer], True), ([FIXED], True)) as script:
        connection = Connection("127.0.0.1", script.port, TIMEOUT_S)
        whatever, right = connection.exchange(REQUEST), connection.exchange(REQUEST)
        connection.close()
    assert bool(whatever.error) == (whatever.status == NO_ANSWER)
    # Or it crossed with the end of the connection, and was dropped unread.
    assert (right.status, right.error) in ((200, ""), (NO_ANSWER, "Connection reset by peer"))


def test_a_refused_connection_is_an_answer() -> None:
    with socket.socket() as bound:  # it listens to nobody, and nobody else gets its port
        bound.bind(("127.0.0.1", 0))
        answer = Connection("127.0.0.1", bound.getsockname()[1], TIMEOUT_S).exchange(REQUEST)
    assert (answer.status, answer.error) == (NO_ANSWER, "Connection refused")
