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
from twinbench.measure.telemetry import (
    NO_INSIDE_TELEMETRY,
    MemoryLimit,
    ServerSampler,
    TelemetryBuffer,
)
from twinbench.plan import MAX_USERS, Target
from twinbench.plan.servers import command_line
from twinbench.remarks import remarked
from twinbench.scratch import make_scratch

SERVE = Path(__file__).with_name("serve.py")
HOST = "127.0.0.1"
BACKLOG, BACKLOG_OF_COMMAND = 2048, 5  # as of uvicorn, and of Python's socketserver
ENDS_CONNECTIONS = (
    "each request had a connection of its own: the server closes it after its response"
)
# Lines of servers' logs begin so; what an app or Python prints says why it does not start.
LOG_LINES = ("[", "]")
STOP_GRACE_S = 2.0
# Until the next question: a request is closed within a millisecond of its response.
PAUSE_S = 0.002
# A task or thread that outlives a response is waited for while it does something, and at most
# this long, since an app may start one that stays. What a start-up leaves running costs a second.
QUIET_S, LASTING_S = 1.0, 5.0
# Between two looks at what it prints, and at most until it prints no more.
OUTPUT_S, MOST_OUTPUT_S = 0.1, 2.0
# Without `Connection: close`: the response shows whether the server keeps its connections.
READY_REQUEST = "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n"
HEAD_BYTES = 4096
SUCCESS = (b"2", b"3")  # first digit of a status


class ServerFailedError(Exception):
    """Server that did not start, was never ready, or died; the message is about "it".

    `app_not_found`: the plan's import string is wrong.
    """

    def __init__(self, sentence: str, *, app_not_found: bool = False) -> None:
        super().__init__(sentence)
        self.app_not_found = app_not_found


class Server:
    """Server process: starts when created; call `wait_until_ready` before use, `stop` at the end.

    `port`: that of a command whose port is fixed; 0: a free one is chosen.
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
        self._preconnects = True
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
        own = self._environment()
        pass_fds: list[int] = []
        if target.server_name == "uvicorn":
            pass_fds = [listener.fileno(), control.fileno()]
            command = self._serve_command(*pass_fds)
            if self.telemetry:
                pass_fds.append(self.telemetry.fd)
        else:
            # Another program opens its own socket: the port is free for it now.
            listener.close()
            command = self._command()
            own = self._with_app_path(own) if target.app else own
        self.child = Child(
            command,
            log=self._scratch / "server.log",
            cores=self.cores,
            cwd=target.cwd or self.folder,
            env={**env, **own},
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

    def _command(self) -> list[str]:
        target, name, app = self.target, self.target.server_name, self.target.app
        if name and app:
            options = target.all_server_options
            return [self._python, *command_line(name, app, self.port, target.workers, options)]
        return self._filled(target.command or ())

    def _with_app_path(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return the variables `own` for a server that imports the app by itself."""
        path = own.get("PYTHONPATH", os.environ.get("PYTHONPATH"))
        return {
            # For gunicorn's control socket: servers must not share one, nor replace the user's.
            "XDG_RUNTIME_DIR": str(self._scratch),
            **own,
            "PYTHONPATH": os.pathsep.join(filter(None, (self._import_folder, path))),
        }

    def _serve_command(self, fd: int, control_fd: int) -> list[str]:
        target = self.target
        options = {
            "app": target.app,
            "folder": self._import_folder,
            "fd": fd,
            "control_fd": control_fd,
            "workers": target.workers,
            "limit_concurrency": target.limit_concurrency,
            "server_options": target.all_server_options,
            "observe": self._observe,
            "telemetry_fd": self.telemetry.fd if self.telemetry else None,
        }
        return [self._python, str(SERVE), json.dumps(options)]

    @property
    def _python(self) -> str:
        return str(self.target.python or sys.executable)

    @property
    def _other_python(self) -> str:
        """The end of an error: an app may need a module that twinbench's environment has not."""
        if not self.target.app or self.target.python:
            return ""
        return "; it ran in twinbench's own environment: set python to that of the app's"

    @property
    def _import_folder(self) -> str:
        return str((self.target.import_from or self.target.cwd or Path.cwd()).resolve())

    @property
    def folder(self) -> Path:
        """The fresh folder that `{scratch}` stands for."""
        return self._scratch / "work"

    @property
    def host(self) -> str:
        """The name of its host, for the Host header."""
        return HOST

    @property
    def address(self) -> str:
        """The IPv4 address to connect to."""
        return HOST

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def has_control(self) -> bool:
        """Whether it answers on a control socket: uvicorn with one worker does."""
        return self.target.server_name == "uvicorn" and self.target.workers == 1

    @property
    def max_connections(self) -> int:
        """Connections that may be open without a request.

        uvicorn counts idle ones towards its limit. A server that ends each connection after a
        response has none, and gunicorn's workers wait for a request on each, serving no other.
        """
        if not self._preconnects:
            return 0
        limit = self.target.limit_concurrency
        return MAX_USERS if limit is None else max(0, limit - 1)

    @property
    def backlog(self) -> int:
        """Connections that may wait until it accepts them."""
        return self.target.known_backlog or BACKLOG_OF_COMMAND

    def sampler(self, limit: MemoryLimit) -> ServerSampler:
        """Return a sampler of its telemetry, which ends it beyond `limit`."""
        return ServerSampler(self.child, self.cores, self.telemetry, limit)

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
                    f" its last output: {self.last_output()}"
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
        output, name = self.last_output(), self.target.server_name
        if code == APP_NOT_FOUND and name == "uvicorn":
            raise ServerFailedError(output, app_not_found=True)
        if name and output.endswith((f"No module named {name}", f"No module named '{name}'")):
            raise ServerFailedError(
                f"there is no {name} in its environment; {self._python} -m pip install {name}"
                f"{self._other_python}"
            )
        hint = self._other_python if "No module named" in output else ""
        raise ServerFailedError(f"it {self.child.exit_reason()}; its last output: {output}{hint}")

    def last_output(self) -> str:
        """Return the last line that it printed; of a server with a log, that is no log line."""
        without = () if self.target.server_name in ("", "uvicorn") else LOG_LINES
        return self.child.last_output(without)

    def wait_for_output(self) -> None:
        """Return once it prints nothing more: an error is logged after the response to it."""
        end, size = time.monotonic() + MOST_OUTPUT_S, -1
        while time.monotonic() < end and size != (size := self.child.log.stat().st_size):
            with interruptible():
                time.sleep(OUTPUT_S)

    def keep_log(self, folder: Path) -> None:
        """Copy what it printed to `folder`."""
        shutil.copyfile(self.child.log, folder / "server.log")

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

        A program of others gets time to clean up; a command does not, if it is to end at once.
        A server that is named does, always: hypercorn would leave files in shared memory.
        """
        name = self.target.server_name
        killed = name == "uvicorn" or (at_once and not name)
        self.child.stop(0.0 if killed else STOP_GRACE_S)
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
            with socket.create_connection((self.address, self.port), POLL_S) as connection:
                connection.sendall(READY_REQUEST.format(path, self.host).encode())
                while time.monotonic() < end and self._runs():
                    try:
                        return self._is_ready_response(connection.recv(HEAD_BYTES))
                    except TimeoutError:
                        continue
        except OSError:
            pass
        return False

    def _runs(self) -> bool:
        return self.child.exit_code() is None

    def _is_ready_response(self, response: bytes) -> bool:
        """Return whether a response that begins so is that of a server that is ready."""
        path = self.target.ready
        status, expected = response[9:12].decode("latin-1"), str(self.target.ready_status)
        if not response or (path and status != expected):
            if response:
                self._why_not_ready = f": GET {path} was answered with {status}, not {expected}"
            return False
        self._look_at_connection(response.lower())
        return True

    def _look_at_connection(self, response: bytes) -> None:
        """Find out, from a response in lower case, whether idle connections make sense."""
        is_gunicorn = b"\r\nserver: gunicorn" in response
        # Other servers may close a connection after an error only.
        says_so = is_gunicorn or response[9:10] in SUCCESS
        closes = says_so and b"\r\nconnection: close\r\n" in response
        closes = closes or response.startswith(b"http/1.0")
        self._preconnects = not closes and not is_gunicorn
        if closes:
            self.remarks.append(ENDS_CONNECTIONS)


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
