"""One HTTP exchange outside the load: blocking, on a connection of its own, read whole.

For what comes before a load: the preflight, and what a scenario sends to a fresh server (log in,
keep the token). The load itself has a client of its own (loadtests/connection.py).
"""

import http.client
import io
import json
import random
import socket
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from twinbench.interruption import interruptible
from twinbench.plan import Captures, SetupRequest, render

# More than any answer that is worth measuring: one without end shall not fill the memory.
MOST_BYTES = 1 << 28
# Informational answers come before the one that counts.
FINAL_STATUS = 200
# How http.client begins to say that the lines of a head do not end.
TOO_MANY_HEADERS = "got more than"


class ExchangeError(Exception):
    """What came instead of an answer, or what is wrong with it."""


class EndlessError(ExchangeError):
    """A response that began and did not end; `late`: in time, so that it may yet."""

    def __init__(self, what: str, *, late: bool = False) -> None:
        super().__init__(what)
        self.late = late


class Answer(NamedTuple):
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def exchange(request: bytes, host: str, port: int, timeout_s: float) -> Answer:
    """Send `request` and read the whole answer, within `timeout_s`. Raises ExchangeError."""
    try:
        with (
            interruptible(),
            socket.create_connection((host, port), timeout=timeout_s) as connection,
        ):
            read = io.BufferedReader(_Received(connection, timeout_s))
            connection.sendall(request)
            answer = _begun(connection, read)
            while answer.status < FINAL_STATUS:  # http.client passes over 100 alone
                answer = _begun(connection, read)
            return Answer(answer.status, tuple(answer.getheaders()), answer.read())
    except (MemoryError, OverflowError):  # a length was announced for which there is no room
        raise _too_long() from None
    except TimeoutError:
        raise ExchangeError(f"no answer within {timeout_s:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        said = " ".join(str(error).split())
        raise ExchangeError(f"no HTTP answer ({said or type(error).__name__})") from None


def _begun(connection: socket.socket, read: Any) -> http.client.HTTPResponse:
    """The next answer, its head read."""
    answer = http.client.HTTPResponse(connection)
    answer.fp.close()
    answer.fp = read
    try:
        answer.begin()
    except http.client.HTTPException as error:
        if str(error).startswith(TOO_MANY_HEADERS):
            raise EndlessError(f"a response whose headers did not end ({error})") from None
        raise
    return answer


def _too_long() -> EndlessError:
    return EndlessError(f"a response that did not end after {MOST_BYTES >> 20} MiB")


class _Received(io.RawIOBase):
    """What comes over a connection until `timeout_s` from now, be it a byte a second."""

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s
        self._bytes_left = MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            size = self._receive(buffer)
        except TimeoutError:
            if self._bytes_left == MOST_BYTES:
                raise
            what = f"a response that did not end within {self._timeout_s:g} s"
            raise EndlessError(what, late=True) from None
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise _too_long()
        return size

    def _receive(self, buffer: Any) -> int:
        if (left_s := self._end - time.monotonic()) <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


def send_setup(
    requests: Sequence[SetupRequest], host: str, port: int, timeout_s: float, seed: int
) -> dict[str, str]:
    """Send a scenario's setup requests in order; the values taken. Raises ExchangeError."""
    rng = random.Random(seed)
    captures: dict[str, str] = {}
    for request in requests:
        try:
            payload = render(request, f"{host}:{port}", rng, captures).whole
            answer = exchange(payload, host, port, timeout_s)
        except ExchangeError as error:
            raise ExchangeError(f"{request.label} was answered with {error}") from None
        if answer.status != request.expect:
            raise ExchangeError(
                f"{request.label} was answered with {answer.status}, the plan expects"
                f" {request.expect}"
            )
        captures |= capture(request, answer)
    return captures


def capture(request: SetupRequest, answer: Answer) -> Captures:
    """The values that `request` takes from its `answer`. Raises ExchangeError."""
    if not request.capture:
        return {}
    try:
        said = json.loads(answer.body)
    except ValueError:
        raise ExchangeError(f"{request.label} has a capture, but its answer is not JSON") from None
    return {name: _value(said, path, request.label) for name, path in request.capture.items()}


def _value(said: Any, path: str, label: str) -> str:
    found = said
    for key in path.split("."):
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise ExchangeError(f"{label}: there is no '{path}' in its answer to capture")
    # One line: it may go into a header.
    if isinstance(found, str) and found.isprintable():
        return found
    if isinstance(found, int | float):
        return json.dumps(found)
    raise ExchangeError(f"{label}: '{path}' of its answer is neither a line of text nor a number")
