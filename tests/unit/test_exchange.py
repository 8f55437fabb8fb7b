"""Single HTTP exchanges, and the values captured from a response."""

import json
import socket
from contextlib import closing

import pytest

from twinbench import exchange
from twinbench.exchange import ExchangeError, Response, capture
from twinbench.plan import SetupRequest

CONTENT = {"access": "a.b-c", "user": {"ids": [7, 8]}, "ok": True, "rows": [], "lines": "a\r\nb"}


def captured(path: str, body: bytes = json.dumps(CONTENT).encode()) -> str:
    request = SetupRequest(path="/token", capture={"value": path})
    return capture(request, Response(200, (), body))["value"]


@pytest.mark.parametrize(
    ("path", "value"), [("access", "a.b-c"), ("user.ids.1", "8"), ("ok", "true")]
)
def test_a_value_is_found_by_its_dotted_path(path: str, value: str) -> None:
    assert captured(path) == value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("user.ids.2", "setup: GET /token: there is no 'user.ids.2' in its response to capture"),
        ("access.x", "there is no 'access.x'"),
        ("rows", "'rows' of its response is not a line of text or a number"),
        ("lines", "'lines' of its response is not a line"),
    ],
)
def test_a_value_that_cannot_be_captured_is_named(path: str, message: str) -> None:
    with pytest.raises(ExchangeError, match=message):
        captured(path)


def test_values_are_captured_from_json_only() -> None:
    with pytest.raises(ExchangeError, match="its response is not JSON"):
        captured("access", b"\xff<html>")
    assert capture(SetupRequest(path="/"), Response(200, (), b"<html>")) == {}


def received(content: bytes) -> Response:
    ours, theirs = socket.socketpair()
    with closing(theirs), exchange._DeadlineSocket(ours.detach(), 60) as connection:
        theirs.sendall(content)
        theirs.shutdown(socket.SHUT_WR)
        return exchange._read_response(connection)


def test_informational_responses_are_skipped() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    content = early + b"HTTP/1.1 100 Continue\r\n\r\n" + early
    content += b"HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok"
    assert received(content) == Response(201, (("X-A", "b"), ("Content-Length", "2")), b"ok")


@pytest.mark.parametrize("head", ["Transfer-Encoding: chunked", "Content-Length: 99999999", "X: y"])
def test_a_body_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch, head: str) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 1 << 10)
    content = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n401\r\n{'x' * 1025}\r\n0\r\n\r\n"
    with pytest.raises(exchange.EndlessError):
        received(content.encode())
