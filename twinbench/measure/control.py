"""Requests to a server under test and its responses, one line of JSON each, on a socket pair."""

import json
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from twinbench.interruption import interruptible
from twinbench.plan import Aspect

POLL_S = 0.02
RECV_BYTES = 65_536


class Work(BaseModel):
    """Work of a server since the last request for it, as measure/observe.py collects it.

    `statements`: SQL and parameters; `param_styles`: how the drivers write parameters in SQL.
    Since the start of the server, in the order of first use: `sqlite_files` and
    `other_databases` that SQLAlchemy used, `opened_databases` (SQLite files that anything
    opened), `settings` of engines, pools and sessions, `written_files` without databases,
    `connections` (addresses; not those that uvloop made). `conditions` decide its speed and are
    not work. `failed`: aspects that the observer failed to observe, and why; `unobserved`: what
    was done that it cannot observe.
    """

    uses_sqlalchemy: bool
    statements: list[tuple[str, str]]
    commits: int
    rollbacks: int
    param_styles: list[str]
    sqlite_files: list[str]
    other_databases: list[str]
    opened_databases: list[str]
    settings: list[str]
    conditions: dict[str, str]
    written_files: list[str]
    connections: list[str]
    failed: dict[Aspect, str]
    unobserved: dict[Aspect, str]


class Control:
    """Harness's end of the socket pair."""

    def __init__(self, end: socket.socket, alive: Callable[[], bool]) -> None:
        self._socket = end
        self._alive = alive
        self._pending = 0  # a late response must not be taken for that to the next request
        self._received = bytearray()

    def ask(self, request: str, until: float) -> dict[str, Any]:
        """Return the response; empty if the server has ended or does not respond in time."""
        try:
            self._socket.sendall(request.encode() + b"\n")
            self._pending += 1
            while self._alive() and time.monotonic() < until:
                if (response := self._newest()) is not None:
                    return response
                with interruptible():
                    ready = select.select([self._socket], [], [], POLL_S)[0]
                if ready:
                    if not (data := self._socket.recv(RECV_BYTES)):
                        break
                    self._received += data
        except (OSError, ValueError):
            pass
        return {}

    def close(self) -> None:
        self._socket.close()

    def _newest(self) -> dict[str, Any] | None:
        """Return the response to the newest request, once its line is complete."""
        lines = self._received.count(b"\n")
        if not lines or lines < self._pending:
            return None
        line = bytes(self._received).splitlines()[-1]
        self._pending = 0
        self._received.clear()
        response: dict[str, Any] = json.loads(line)
        return response
