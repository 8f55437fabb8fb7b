"""The client on real sockets, against a server whose bytes are written here."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loadtests.wire import NO_ANSWER, Connection

TIMEOUT_S = 5.0
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
FIXED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"


class Script:
    """Answers the n-th request with the n-th entry; closes after an entry marked so."""

    def __init__(self, answers: list[tuple[list[bytes], bool]]) -> None:
        self._answers = answers
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        try:
            while self._answers:
                connection, _ = self._listener.accept()
                self.connections += 1
                with connection:
                    self._serve_one(connection)
        except OSError:
            return  # the listener was closed: the test is over

    def _serve_one(self, connection: socket.socket) -> None:
        while self._answers and connection.recv(65536):
            parts, close = self._answers.pop(0)
            for part in parts:
                connection.sendall(part)
            if close:
                return

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
    ("answer", "status", "size"), [(FIXED, 200, 5), (CHUNKED, 200, 5), (EMPTY, 204, 0)]
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


def test_a_refused_connection_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = Connection("127.0.0.1", port, TIMEOUT_S).exchange(REQUEST)
    assert (answer.status, answer.error) == (NO_ANSWER, "Connection refused")
