"""Questions and answers over a socket pair, both ends in hand."""

import json
import socket
import time
from collections.abc import Iterator

import pytest

from twinbench.measure.control import Control

Ends = tuple[Control, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The harness's end, and the server's."""
    ours, theirs = socket.socketpair()
    control = Control(ours, lambda: True)
    yield control, theirs
    control.close()
    theirs.close()


def soon() -> float:
    return time.monotonic() + 10


def test_an_answer_longer_than_one_read_is_read_to_its_end(ends: Ends) -> None:
    control, theirs = ends
    said = {"statements": ["x" * 20_000] * 3}
    theirs.sendall(json.dumps(said).encode() + b"\n")
    assert control.ask("work", soon()) == said
    assert theirs.recv(100) == b"work\n"


def test_an_answer_that_came_too_late_is_not_the_next_ones(ends: Ends) -> None:
    control, theirs = ends
    assert control.ask("state", time.monotonic()) == {}
    theirs.sendall(b'{"n": 1}\n{"n": 2}\n')
    assert control.ask("work", soon()) == {"n": 2}


def test_an_empty_answer_is_an_answer(ends: Ends) -> None:
    control, theirs = ends
    theirs.sendall(b"{}\n")
    began = time.monotonic()
    assert control.ask("work", began + 60) == {}
    assert time.monotonic() < began + 60


def test_a_server_that_is_gone_says_nothing(ends: Ends) -> None:
    control, theirs = ends
    theirs.close()
    assert control.ask("state", soon()) == {}
