"""Requests to a server and its responses over a socket pair."""

import json
import socket
import time
from collections.abc import Iterator

import pytest

from twinbench.measure.control import Control

Ends = tuple[Control, socket.socket]
FOREVER = float("inf")


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The harness's end, and the server's."""
    ours, theirs = socket.socketpair()
    control = Control(ours, lambda: True)
    yield control, theirs
    control.close()
    theirs.close()


def test_a_response_longer_than_one_read_is_complete(ends: Ends) -> None:
    control, theirs = ends
    response = {"statements": ["x" * 20_000] * 3}
    theirs.sendall(json.dumps(response).encode() + b"\n")
    assert control.ask("work", FOREVER) == response
    assert theirs.recv(100) == b"work\n"


def test_a_late_response_is_not_taken_for_the_next(ends: Ends) -> None:
    control, theirs = ends
    assert control.ask("state", time.monotonic()) == {}
    theirs.sendall(b'{"n": 1}\n{"n": 2}\n')
    assert control.ask("work", FOREVER) == {"n": 2}


def test_an_empty_response_is_a_response(ends: Ends) -> None:
    control, theirs = ends
    theirs.sendall(b"{}\n")
    assert control.ask("work", FOREVER) == {}


def test_a_server_that_has_ended_gives_no_response(ends: Ends) -> None:
    control, theirs = ends
    theirs.close()
    assert control.ask("state", FOREVER) == {}
