"""Single HTTP exchanges outside the load: blocking, each on a new connection.

Used by the preflight, and for the setup requests of a scenario (log in, keep the token). The load
has a client of its own (twinbench/load/connection.py).
"""

import http.client
import json
import random
import socket
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from twinbench.interruption import interruptible
from twinbench.plan import (
    Captures,
    Scenario,
    SetupRequest,
    render,
    rows_of_users,
)

# More than any response that is worth measuring.
MAX_BODY_BYTES = 1 << 28
CONTINUE, FIRST_FINAL_STATUS = 100, 200
# Beginning of http.client's message when a head has too many lines.
TOO_MANY_HEADERS = "got more than"


class ExchangeError(Exception):
    """What was received instead of a response, or what is wrong with the response."""


class EndlessError(ExchangeError):
    """Response that began and did not end; `timed_out`: a longer timeout may help."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Response(NamedTuple):
    """Complete HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def exchange(request: bytes, host: str, port: int, timeout_s: float) -> Response:
    """Send `request` and read the response, both within `timeout_s`. Raises ExchangeError."""
    try:
        with (
            interruptible(),
            socket.create_connection((host, port), timeout_s) as connected,
            _DeadlineSocket(connected.detach(), timeout_s) as connection,
        ):
            connection.sendall(request)
            return _read_response(connection)
    except TimeoutError:
        raise ExchangeError(f"no response within {timeout_s:g} s") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ExchangeError(f"no HTTP response ({reason})") from None


class Values(NamedTuple):
    """Values for a scenario's requests: those of the server, and those of each user."""

    server: Captures
    users: Sequence[Captures]


def send_setup(
    scenario: Scenario, host: str, port: int, timeout_s: float, seed: int, address: str = ""
) -> Values:
    """Send the setup requests of a scenario; return the captured values. Raises ExchangeError.

    Users follow one another: whatever they create gets the same ids in every target. `address`:
    to connect to, where it is not that of `host`.
    """
    rng = random.Random(seed)
    server: dict[str, str] = {}
    feed = scenario.feed if scenario.feed and scenario.feed.per == "user" else None
    users = rows_of_users(feed, scenario.identities)

    def send(request: SetupRequest, values: Captures) -> Captures:
        payload = render(request, f"{host}:{port}", rng, values).whole
        try:
            response = exchange(payload, address or host, port, timeout_s)
        except ExchangeError as error:
            raise ExchangeError(f"{request.label} was answered with {error}") from None
        if response.status != request.expect:
            raise ExchangeError(
                f"{request.label} was answered with {response.status}, the plan expects"
                f" {request.expect}"
            )
        return capture(request, response)

    for request in scenario.setup:
        if request.per == "server":
            server |= send(request, server)
            continue
        for number, own in enumerate(users, 1):
            try:
                own.update(send(request, {**server, **own}))
            except ExchangeError as error:
                raise ExchangeError(f"user {number} of {len(users)}, {error}") from None
    return Values(server, users)


def capture(request: SetupRequest, response: Response) -> Captures:
    """Return the values that `request` captures from `response`. Raises ExchangeError."""
    if not request.capture:
        return {}
    try:
        content = json.loads(response.body)
    except ValueError:
        raise ExchangeError(
            f"{request.label} has a capture, but its response is not JSON"
        ) from None
    return {name: _value(content, path, request.label) for name, path in request.capture.items()}


def _value(content: Any, path: str, label: str) -> str:
    value = content
    for key in path.split("."):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise ExchangeError(f"{label}: there is no '{path}' in its response to capture")
    # Of one line, because it may be sent in a header.
    if isinstance(value, str) and value.isprintable():
        return value
    if isinstance(value, int | float):
        return json.dumps(value)
    raise ExchangeError(f"{label}: '{path}' of its response is not a line of text or a number")


class _DeadlineSocket(socket.socket):
    """Connected socket with one timeout for all that it receives."""

    def __init__(self, fileno: int, timeout_s: float) -> None:
        super().__init__(fileno=fileno)
        self.settimeout(timeout_s)
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._has_received = False

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        try:
            if (left_s := self._deadline - time.monotonic()) <= 0:
                raise TimeoutError
            self.settimeout(left_s)
            size = super().recv_into(*args, **kwargs)
        except TimeoutError:
            if not self._has_received:
                raise
            message = f"a response that did not end within {self._timeout_s:g} s"
            raise EndlessError(message, timed_out=True) from None
        self._has_received = True
        return size


class _FinalResponse(http.client.HTTPResponse):
    """Response after any informational ones; http.client skips only 100 (Continue)."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, CONTINUE if status < FIRST_FINAL_STATUS else status, reason


def _read_response(connection: socket.socket) -> Response:
    with _FinalResponse(connection) as response:
        try:
            response.begin()
        except http.client.HTTPException as error:
            if str(error).startswith(TOO_MANY_HEADERS):
                raise EndlessError(f"a response whose headers did not end ({error})") from None
            raise
        return Response(response.status, tuple(response.getheaders()), _read_body(response))


def _read_body(response: http.client.HTTPResponse) -> bytes:
    length = response.length
    if length is None:  # chunked, or until the connection is closed
        body = response.read(MAX_BODY_BYTES + 1)
        length = len(body)
    elif length <= MAX_BODY_BYTES:
        body = response.read()  # raises IncompleteRead; with an argument it would not
    if length > MAX_BODY_BYTES:
        raise EndlessError(f"a response that did not end after {MAX_BODY_BYTES >> 20} MiB")
    return body
