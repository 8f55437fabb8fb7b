"""Server under test, from its socket to its end."""

import contextlib
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from twinbench.interruption import interruptible
from twinbench.measure.control import POLL_S, Control, Work
from twinbench.measure.processes import Child
from twinbench.measure.serve import APP_NOT_FOUND
from twinbench.measure.telemetry import NO_INSIDE_TELEMETRY, TelemetryBuffer
from twinbench.plan import MAX_USERS, Target
from twinbench.remarks import remarked
from twinbench.scratch import make_scratch

SERVE = Path(__file__).with_name("serve.py")
HOST = "127.0.0.1"
BACKLOG, BACKLOG_OF_COMMAND = 2048, 5  # as of uvicorn, and of Python's socketserver
STOP_GRACE_S = 2.0
# Until the next question: a request is closed within a millisecond of its response.
PAUSE_S = 0.002
# A task or thread that outlives a response is waited for while it does something, and at most
# this long, since an app may start one that stays. What a start-up leaves running costs a second.
QUIET_S, LASTING_S = 1.0, 5.0
READY_REQUEST = "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
STATUS_LINE_BYTES = 64


class ServerFailedError(Exception):
    """Server that did not start, was never ready, or died; the message is about "it".

    `app_not_found`: the plan's import string is wrong.
    """

    def __init__(self, sentence: str, *, app_not_found: bool = False) -> None:
        super().__init__(sentence)
        self.app_not_found = app_not_found


class Server:
    """Server process: starts when created; call `wait_until_ready` before use, `stop` at the end.

    `port`: that of a command which cannot be told one; 0: a free one is chosen.
    `observe` makes `work` available; that is slower, so never while measuring. `telemetry` is
    what its probe writes; None without control socket, with `observe`, or as `remarks` say.
    """

    def __init__(
        self,
        target: Target,
        *,
        cores: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        observe: bool = False,
        port: int = 0,
    ) -> None:
        self.target = target
        self.cores = tuple(cores)
        self._observe = observe
        self._initial_state: dict[str, int] = {}
        self._why_not_ready = ""
        self._is_prepared = not target.prepare
        self.remarks: list[str] = []
        self.telemetry: TelemetryBuffer | None = None
        if target.telemetry and self.has_control and not observe:
            with remarked(self.remarks, NO_INSIDE_TELEMETRY):
                self.telemetry = TelemetryBuffer()
        self._scratch = make_scratch()
        try:
            self._start(env or {}, port)
        except BaseException:  # such as a full disk
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise

    def _start(self, env: Mapping[str, str], port: int) -> None:
        target = self.target
        self.folder.mkdir()
        listener = socket.create_server((HOST, 0), backlog=BACKLOG)
        self.port: int = port or listener.getsockname()[1]
        ours, control = socket.socketpair()
        if target.command:
            # Another program opens its own socket: the port is free for it now.
            listener.close()
            command = self._filled(target.command)
            pass_fds = []
        else:
            pass_fds = [listener.fileno(), control.fileno()]
            command = self._serve_command(*pass_fds)
            if self.telemetry:
                pass_fds.append(self.telemetry.fd)
        self.child = Child(
            command,
            log=self._scratch / "server.log",
            cores=self.cores,
            cwd=target.cwd or self.folder,
            env={**env, **self._environment()},
            pass_fds=pass_fds,
            prepare=self._filled(target.prepare),
        )
        self._control = Control(ours, lambda: self.child.exit_code() is None)
        listener.close()
        control.close()

    def _filled(self, texts: Iterable[str]) -> list[str]:
        """Return `texts` with the server's own folder and port."""
        folder, port = str(self.folder), str(self.port)
        return [text.replace("{scratch}", folder).replace("{port}", port) for text in texts]

    def _environment(self) -> dict[str, str]:
        """Return the target's variables; programs beside its interpreter are found first."""
        target = self.target
        own = dict(zip(target.env, self._filled(target.env.values()), strict=True))
        python = target.python or (Path(sys.executable) if target.app else None)
        if python:
            path = own.get("PATH", os.environ.get("PATH", os.defpath))
            own["PATH"] = os.pathsep.join((str(python.parent.absolute()), path))
        return own

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
            "telemetry_fd": self.telemetry.fd if self.telemetry else None,
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
    def has_control(self) -> bool:
        """Whether it answers on a control socket: an app with one worker does."""
        return self.target.command is None and self.target.workers == 1

    @property
    def max_connections(self) -> int:
        """Connections that may stay open: uvicorn counts idle ones towards its limit."""
        limit = self.target.limit_concurrency
        return MAX_USERS if limit is None else max(0, limit - 1)

    @property
    def backlog(self) -> int:
        """Connections that may wait until it accepts them."""
        return BACKLOG if self.target.app else self.target.backlog or BACKLOG_OF_COMMAND

    def wait_until_ready(self, timeout_s: float) -> Self:
        """Return once it is prepared and has started. Raises ServerFailedError.

        `timeout_s` is for each of the two. Only a server without control socket, or whose target
        has `ready`, is sent a request: the first request warms a server up, and how it performs
        cold is part of the result.
        """
        self._wait_until_prepared(timeout_s)
        end = time.monotonic() + timeout_s
        while not self._is_ready(end):
            self.check_alive()
            if time.monotonic() > end:
                raise ServerFailedError(
                    f"it was not ready within {timeout_s:g} s (ready_s){self._why_not_ready};"
                    f" its last output: {self.child.last_output()}"
                )
            _pause()
        return self

    @property
    def not_started(self) -> str:
        """The beginning of a sentence that says why it did not start."""
        what = "started" if self._is_prepared else "prepared"
        return f"'{self.target.name}' could not be {what}"

    def _wait_until_prepared(self, timeout_s: float) -> None:
        """Return once the target's `prepare` has succeeded. Raises ServerFailedError."""
        end = time.monotonic() + timeout_s
        while not self._is_prepared:
            why = self.child.exit_reason()
            self._is_prepared = self.child.is_prepared()
            if time.monotonic() > end:
                why = why or f"did not end within {timeout_s:g} s (ready_s)"
            if why and not self._is_prepared:
                name = Path(self.target.prepare[0]).name
                raise ServerFailedError(
                    f"{name} {why}; its last output: {self.child.last_output()}"
                )
            _pause()

    def check_alive(self) -> None:
        """Raise ServerFailedError if it has exited."""
        code = self.child.exit_code()
        if code is None:
            return
        output = self.child.last_output()
        if code == APP_NOT_FOUND and self.target.app:
            raise ServerFailedError(output, app_not_found=True)
        raise ServerFailedError(f"it {self.child.exit_reason()}; its last output: {output}")

    def drained(self, timeout_s: float) -> bool:
        """Return whether no request is open, no thread busy or waited for, no connection in use.

        A server without control socket counts as drained: the generator had a response to each
        of its requests. What it held before the first request, such as a connection that listens
        for notifications, is no leak.
        """
        if not self.has_control:
            return True
        end = time.monotonic() + timeout_s
        while (state := self.state(end)) and any(
            count > self._initial_state.get(name, 0) for name, count in state.items()
        ):
            _pause()
        return bool(state)

    def state(self, end: float) -> dict[str, int]:
        """Return the server's counts of what is in use; empty if it does not answer until `end`."""
        return self._control.ask("state", end)

    def telemetry_error(self, timeout_s: float) -> str:
        """Return why its probe failed; empty if it did not, or if the server does not answer."""
        if not self.telemetry:
            return ""
        answer = self._control.ask("telemetry", time.monotonic() + timeout_s)
        return str(answer.get("error", ""))

    def work(self, timeout_s: float) -> Work | None:
        """Return what it did since the last call, background tasks included.

        Asks once no request is open, and what it started has ended or does not end. None if a
        request stays open, or without `observe`.
        """
        end = time.monotonic() + timeout_s
        while (state := self.state(end)) and state["open_requests"]:
            _pause()
        self._wait_for_background(end)
        answer = self._control.ask("work", time.monotonic() + timeout_s) if state else {}
        return Work.model_validate(answer) if answer else None

    def _wait_for_background(self, end: float) -> None:
        """Return once tasks and threads started since the last `work` have ended, idle or last."""
        began = changed = time.monotonic()
        done = -1
        while (answer := self._control.ask("running", end)).get("running"):
            now = time.monotonic()
            if answer["done"] != done:
                done, changed = answer["done"], now
            if now > min(changed + QUIET_S, began + LASTING_S, end):
                return
            _pause()

    def connected_to(self) -> set[str]:
        """Return the addresses of connections that it has opened and not closed."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.child.pid).children(recursive=True)
            opened = [each for process in found for each in process.net_connections("inet")]
            return {
                f"{each.raddr.ip}:{each.raddr.port}"
                for each in opened
                if each.raddr and each.laddr.port != self.port
            }
        return set()

    def answered(self, timeout_s: float) -> int:
        """Return the number of requests answered since its start; 0 if it does not report it."""
        return int(self._control.ask("answered", time.monotonic() + timeout_s).get("answered", 0))

    def move_to(self, cores: Sequence[int]) -> None:
        """Pin it to `cores`, with all its threads and processes."""
        if tuple(cores) != self.cores:
            self.child.pin(cores)
            self.cores = tuple(cores)

    def stop(self, *, at_once: bool = False) -> None:
        """End it with its descendants, and remove its scratch folder.

        Only a command of others gets time to clean up.
        """
        self.child.stop(0.0 if at_once or not self.target.command else STOP_GRACE_S)
        self._control.close()
        if self.telemetry:
            self.telemetry.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _started(self, end: float) -> bool:
        self._initial_state = self.state(end)
        return bool(self._initial_state)

    def _is_ready(self, end: float) -> bool:
        if self.has_control and not self._started(end):
            return False
        return (self.has_control and not self.target.ready) or self._responds(end)

    def _responds(self, end: float) -> bool:
        path = self.target.ready or "/"
        self._why_not_ready = self._why_not_ready or f": GET {path} was not answered"
        try:
            with socket.create_connection((HOST, self.port), timeout=POLL_S) as connection:
                connection.sendall(READY_REQUEST.format(path).encode())
                while time.monotonic() < end and self.child.exit_code() is None:
                    try:
                        return self._is_ready_response(connection.recv(STATUS_LINE_BYTES))
                    except TimeoutError:
                        continue
        except OSError:
            pass
        return False

    def _is_ready_response(self, response: bytes) -> bool:
        """Return whether a response that begins so is that of a server that is ready."""
        path = self.target.ready
        if not response or not path:
            return bool(response)
        status, expected = response[9:12].decode("latin-1"), str(self.target.ready_status)
        self._why_not_ready = f": GET {path} was answered with {status}, not {expected}"
        return status == expected


def _pause() -> None:
    with interruptible():
        time.sleep(PAUSE_S)


def ready_or_stopped(server: Server, timeout_s: float) -> Server:
    """Return `server` once it is ready; stop it if it fails. Raises ServerFailedError."""
    try:
        return server.wait_until_ready(timeout_s)
    except ServerFailedError as error:
        server.stop(at_once=True)
        raise ServerFailedError(
            f"{server.not_started}: {error}", app_not_found=error.app_not_found
        ) from None
    except BaseException:
        server.stop(at_once=True)
        raise
