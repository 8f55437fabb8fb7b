"""A server under test, from its socket to its end."""

import contextlib
import json
import math
import shutil
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from twinbench.interruption import interruptible
from twinbench.measure.child import Child
from twinbench.measure.control import POLL_S, Control, Work
from twinbench.measure.inside import TelemetryBuffer
from twinbench.measure.serve import NAMES_NOTHING
from twinbench.plan import MAX_USERS, Target
from twinbench.remarks import remarked
from twinbench.scratch import make_scratch

SERVE = Path(__file__).with_name("serve.py")
HOST = "127.0.0.1"
BACKLOG = 2048  # uvicorn's own
STOP_GRACE_S = 2.0
# A task or thread after an answer is waited for as long as it does something, and no longer than
# this; an app may well start one that stays. What a start-up leaves running costs a second.
QUIET_S, LASTING_S = 1.0, 5.0
UNSEEN_INSIDE = "telemetry from inside the server is missing"
PROBE = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class ServerFailedError(Exception):
    """The server did not start, never became ready, or died: a sentence about "it".
    `names_nothing`: the plan's import string is wrong."""

    def __init__(self, sentence: str, *, names_nothing: bool = False) -> None:
        super().__init__(sentence)
        self.names_nothing = names_nothing


class Server:
    """Started on creation; `wait_until_ready` before use; `stop` at the end.

    `observe`: it can be asked for its `work`; slower, so never to be measured. `inside`: what
    its probe sees; None without one, which is so where it cannot be asked, or is observed, or
    where `remarks` say why.
    """

    def __init__(
        self,
        target: Target,
        *,
        cores: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        observe: bool = False,
        stopped_s: float = math.inf,
    ) -> None:
        self.target = target
        self._stopped_s = stopped_s
        self.cores = tuple(cores)
        self._observe = observe
        self._at_rest: dict[str, int] = {}
        probed = target.telemetry and self.can_be_asked and not observe
        self.remarks: list[str] = []
        self.inside: TelemetryBuffer | None = None
        if probed:
            with remarked(self.remarks, UNSEEN_INSIDE):
                self.inside = TelemetryBuffer()
        self._scratch = make_scratch()
        try:
            self._start(env or {})
        except BaseException:  # a full disk
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise

    def _start(self, env: Mapping[str, str]) -> None:
        target = self.target
        self.folder.mkdir()
        own = {
            name: value.replace("{scratch}", str(self.folder)) for name, value in target.env.items()
        }
        listener = socket.create_server((HOST, 0), backlog=BACKLOG)
        self.port: int = listener.getsockname()[1]
        ours, control = socket.socketpair()
        command, fds = self._command(listener, control)
        self.child = Child(
            command,
            log=self._scratch / "server.log",
            cores=self.cores,
            cwd=target.cwd or self.folder,
            env={**env, **own},
            pass_fds=fds,
            stopped_s=self._stopped_s,
        )
        self._control = Control(ours, lambda: self.child.exit_code() is None)
        listener.close()
        control.close()

    def _command(
        self, listener: socket.socket, control: socket.socket
    ) -> tuple[list[str], list[int]]:
        """What starts it, and the sockets that it is handed."""
        if self.target.command:
            # Another program opens its own socket: the port is free now, and told to it.
            listener.close()
            return [part.replace("{port}", str(self.port)) for part in self.target.command], []
        fds = [listener.fileno(), control.fileno()]
        command = self._serve_command(*fds)
        return command, [*fds, self.inside.fd] if self.inside else fds

    def _serve_command(self, fd: int, control_fd: int) -> list[str]:
        target = self.target
        options = {
            "app": target.app,
            "folder": str((target.cwd or Path.cwd()).resolve()),
            "fd": fd,
            "control_fd": control_fd,
            "workers": target.workers,
            "limit_concurrency": target.limit_concurrency,
            "observe": self._observe,
            "telemetry_fd": self.inside.fd if self.inside else None,
        }
        return [str(target.python or sys.executable), str(SERVE), json.dumps(options)]

    @property
    def folder(self) -> Path:
        """The fresh folder that `{scratch}` stands for."""
        return self._scratch / "work"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def can_be_asked(self) -> bool:
        """Of a command, or of several workers, nothing is known but its answers."""
        return self.target.command is None and self.target.workers == 1

    @property
    def most_connections(self) -> int:
        """How many connections may stay open without being refused for that alone: uvicorn counts
        idle ones towards its limit."""
        limit = self.target.limit_concurrency
        return MAX_USERS if limit is None else max(0, limit - 1)

    def wait_until_ready(self, seconds: float) -> Self:
        """Return once it has started. Raises ServerFailedError.

        A server that can be asked is asked; only another is sent a request (GET /), because
        the first request warms a server up, and how it fares cold is part of the result.
        """
        end = time.monotonic() + seconds
        while not (self._started(end) if self.can_be_asked else self._answers(end)):
            self.check_alive()
            if time.monotonic() > end:
                raise ServerFailedError(
                    f"it was not ready within {seconds:g} s (ready_s);"
                    f" its last output: {self.child.last_output()}"
                )
            _pause()
        return self

    def check_alive(self) -> None:
        """Raises ServerFailedError if the server has exited."""
        code = self.child.exit_code()
        if code is None:
            return
        last = self.child.last_output()
        if code == NAMES_NOTHING and self.target.app:
            raise ServerFailedError(last, names_nothing=True)
        raise ServerFailedError(f"it {self.child.ended()}; its last output: {last}")

    def drained(self, within_s: float) -> bool:
        """True once no request is open, no thread busy or waited for, no connection in use.

        Asked of the server itself; one that cannot be asked (a command, several workers)
        counts as drained, since the driver had an answer to everything it sent. What it held
        when it became ready, before any request, is its own: a connection that listens for
        notifications is no leak. One that was taken since is.
        """
        if not self.can_be_asked:
            return True
        end = time.monotonic() + within_s
        while (state := self.state(end)) and any(
            held > self._at_rest.get(what, 0) for what, held in state.items()
        ):
            _pause()
        return bool(state)

    def state(self, until: float) -> dict[str, int]:
        """What the server says of itself; empty if it is gone or does not answer in time."""
        return self._control.ask("state", until)

    def why_unseen(self, within_s: float) -> str:
        """Return why its probe failed; empty if it did not, or if the server does not answer."""
        answer = self._control.ask("telemetry", time.monotonic() + within_s) if self.inside else {}
        return str(answer.get("failed", ""))

    def work(self, within_s: float) -> Work | None:
        """What it did since it was asked last, background tasks included: it is asked once no
        request is open, and what it started has ended, or is seen to last. None if a request is
        open for too long, or if it was not started to be observed."""
        end = time.monotonic() + within_s
        while (state := self.state(end)) and state["open_requests"]:
            _pause()
        self._wait_for_started(end)
        said = self._control.ask("work", time.monotonic() + within_s) if state else {}
        return Work.model_validate(said) if said else None

    def _wait_for_started(self, end: float) -> None:
        """Return once the tasks and threads that it started since it was asked for its work have
        ended, or do nothing that is seen, or go on and on."""
        began = changed = time.monotonic()
        done = -1
        while (said := self._control.ask("running", end)).get("running"):
            now = time.monotonic()
            if said["done"] != done:
                done, changed = said["done"], now
            if now > min(changed + QUIET_S, began + LASTING_S, end):
                return
            _pause()

    def connected_to(self) -> set[str]:
        """The addresses of the connections that it has opened and not closed."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.child.pid).children(recursive=True)
            opened = [each for process in found for each in process.net_connections("inet")]
            return {
                f"{each.raddr.ip}:{each.raddr.port}"
                for each in opened
                if each.raddr and each.laddr.port != self.port
            }
        return set()

    def answered(self, within_s: float) -> int:
        """How many requests it has answered since its start; 0 if it does not say so in time."""
        return int(self._control.ask("answered", time.monotonic() + within_s).get("answered", 0))

    def stop(self, *, at_once: bool = False) -> None:
        """End it with all it started, and remove its scratch folder.

        Ours has nothing to put in order; a command of somebody else's may.
        """
        self.child.stop(0.0 if at_once or not self.target.command else STOP_GRACE_S)
        self._control.close()
        if self.inside:
            self.inside.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _started(self, end: float) -> bool:
        self._at_rest = self.state(end)
        return bool(self._at_rest)

    def _answers(self, end: float) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=POLL_S) as probe:
                probe.sendall(PROBE)
                while time.monotonic() < end and self.child.exit_code() is None:
                    try:
                        return bool(probe.recv(1))
                    except TimeoutError:
                        continue
        except OSError:
            pass
        return False


def _pause() -> None:
    with interruptible():
        time.sleep(POLL_S)
