"""Questions to a server of ours, and its answers: a line each, JSON, over a socket pair."""

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
    """What a server did since it was asked last (twinbench/measure/observe.py fills it in).

    `observed` is False where the app does not use SQLAlchemy. `statements` are pairs of SQL and
    parameters; `styles` the ways in which its drivers write parameters into SQL. `files` are the
    SQLite files since its start, in the order of first use, `others` the databases that are none;
    `databases` are the SQLite files that anything in it has opened.
    `settings` are those of its engines, pools and sessions, a line each; `conditions` what else
    decides its speed and is no work (the event loop, debug modes, ...): name and value. `written`
    are the files that it has opened to write, SQLite files apart, and that are still there;
    `connected` the addresses that it has connected to, but for what uvloop connects.
    `unseen` is in what the observer has failed, and why; `partly` in what something was done that
    it does not see.
    """

    observed: bool
    statements: list[tuple[str, str]]
    commits: int
    rollbacks: int
    styles: list[str]
    files: list[str]
    databases: list[str]
    others: list[str]
    settings: list[str]
    conditions: dict[str, str]
    written: list[str]
    connected: list[str]
    unseen: dict[Aspect, str]
    partly: dict[Aspect, str]


class Control:
    """The harness's end of the socket pair."""

    def __init__(self, end: socket.socket, alive: Callable[[], bool]) -> None:
        self._socket = end
        self._alive = alive
        self._unanswered = 0  # questions; an answer that came too late is not the next one's
        self._read = bytearray()

    def ask(self, question: str, until: float) -> dict[str, Any]:
        """The answer; empty if the server is gone or does not answer in time."""
        try:
            self._socket.sendall(question.encode() + b"\n")
            self._unanswered += 1
            while self._alive() and time.monotonic() < until:
                if (answer := self._newest()) is not None:
                    return answer
                with interruptible():
                    ready = select.select([self._socket], [], [], POLL_S)[0]
                if ready:
                    if not (data := self._socket.recv(RECV_BYTES)):
                        break
                    self._read += data
        except (OSError, ValueError):
            pass
        return {}

    def close(self) -> None:
        self._socket.close()

    def _newest(self) -> dict[str, Any] | None:
        """The answer to the newest question, once its whole line is here."""
        lines = self._read.count(b"\n")
        if not lines or lines < self._unanswered:
            return None
        line = bytes(self._read).splitlines()[-1]
        self._unanswered = 0
        self._read.clear()
        answer: dict[str, Any] = json.loads(line)
        return answer
