"""The server under test, run by the interpreter of the app's own environment.

One self-contained file that needs only what the app has: uvicorn, and AnyIO if the app uses it.

`python serve.py OPTIONS`, where OPTIONS is JSON: `app` (import string), `folder` (imported
from), `fd` (listening socket), `control_fd` (control socket), `workers`, `limit_concurrency`,
`server_options` (more arguments of uvicorn.Config), `observe` (record database work and files:
slower, so never while measuring), `telemetry_fd` (memory for a probe; null: no probe). Exits with
2, and one sentence, if there is no such app.
"""

import asyncio
import functools
import importlib
import importlib.util
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

APP_NOT_FOUND = 2
OWN_FOLDER = str(Path(__file__).parent)


class Config(uvicorn.Config):
    """Uvicorn's, which loads the app on the event loop: an app may ask for that as it is imported.

    An app that cannot be found ends the process with APP_NOT_FOUND.
    """

    def load(self) -> None:
        check(str(self.app))
        super().load()


class Server(uvicorn.Server):
    """Uvicorn with a control socket that answers each line with JSON.

    `work`: what it did since the last time; `running`: what still runs of that; `answered`: the
    number of requests answered; `telemetry`: why the probe failed; anything else: its state.
    """

    def __init__(
        self, config: uvicorn.Config, control_fd: int, observer: Any, telemetry_fd: int | None
    ) -> None:
        super().__init__(config)
        self._telemetry_fd = telemetry_fd
        self._control = socket.socket(fileno=control_fd)
        self._observer = observer

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start uvicorn, then the probe and the control socket."""
        # The app is imported, its lifespan has not begun: connections that this opens count.
        self._probe, self._telemetry_error = make_probe(self._telemetry_fd)
        if self._observer:
            self._observer.listen()
        await super().startup(sockets)
        if self._observer:
            self._observer.listen()  # an app may import SQLAlchemy as late as in its lifespan
        if self._probe:
            try:
                self._probe.start(asyncio.get_running_loop(), thread_limiter())
            except Exception as error:  # noqa: BLE001  # the app is served without telemetry
                self._probe, self._telemetry_error = None, describe(error)
        self._control_task = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._control)
        while question := await reader.readline():
            answers = {
                b"work\n": self._work,
                b"running\n": self._running,
                b"answered\n": self._answered,
                b"telemetry\n": self._telemetry,
            }
            answer = answers.get(question, self._state)()
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()

    def _work(self) -> dict[str, Any]:
        if not self._observer:
            return {}
        opened = self._observer.opened()
        config = self.config
        found = load_sibling("conditions").conditions(
            config.http_protocol_class, config.loaded_app, opened, thread_limiter()
        )
        return {**self._observer.work(), "conditions": found}

    def _running(self) -> dict[str, int]:
        return self._observer.running() if self._observer else {}

    def _answered(self) -> dict[str, int]:
        return {"answered": self.server_state.total_requests}

    def _telemetry(self) -> dict[str, Any]:
        return {"error": self._probe.error if self._probe else self._telemetry_error}

    def _state(self) -> dict[str, int]:
        state = {"open_requests": len(self.server_state.tasks)}
        if limiter := thread_limiter():
            threads = limiter.statistics()
            state["busy_threads"] = int(threads.borrowed_tokens)
            state["waiting_for_thread"] = threads.tasks_waiting
        if self._probe and self._probe.connections.attached:
            state["connections_used"], _ = self._probe.connections.counts()
        return state


def check(app: str) -> None:
    """Exit with a sentence if there is no `app`; a module that fails raises as it does."""
    module_name, _, attribute = app.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that the app itself lacks is the app's failure, not the plan's.
        if error.name and (module_name + ".").startswith(error.name + "."):
            _exit_not_found(f"there is no module '{error.name}'")
        raise
    for name in attribute.split("."):
        if not hasattr(found, name):
            _exit_not_found(f"module '{module_name}' has no '{attribute}'")
        found = getattr(found, name)


async def check_on_loop(app: str) -> None:
    """Check on an event loop, where workers import the app."""
    check(app)


def thread_limiter() -> Any:
    """Return AnyIO's limiter of threads on this event loop; None where AnyIO is not installed.

    Quart, Django and plain ASGI apps do without it.
    """
    try:
        from anyio.to_thread import current_default_thread_limiter
    except ModuleNotFoundError:
        return None
    return current_default_thread_limiter()


def make_probe(fd: int | None) -> tuple[Any, str]:
    """Return a probe that writes to `fd`, if there is one, and why it could not be made."""
    try:
        return (None if fd is None else load_sibling("probe").Probe(fd)), ""
    except Exception as error:  # noqa: BLE001  # the app is served without telemetry
        return None, describe(error)


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@functools.cache
def load_sibling(name: str) -> Any:
    """Return the file `name` beside this one as a module, under a name that no app uses."""
    path = Path(__file__).with_name(f"{name}.py")
    spec: Any = importlib.util.spec_from_file_location(f"twinbench_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _exit_not_found(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.exit(APP_NOT_FOUND)


def main() -> None:
    """Serve the app until the process is ended."""
    options = json.loads(sys.argv[1])
    # The app must not import modules of this file's own folder.
    sys.path[:] = [path for path in sys.path if path != OWN_FOLDER]
    sys.path.insert(0, options["folder"])
    # Workers are fresh interpreters: they find the app in the same place.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (options["folder"], os.environ.get("PYTHONPATH")))
    )
    # Before the app is imported: what it opens then counts as well.
    observer = load_sibling("observe").Observer() if options["observe"] else None
    settings = {
        "log_level": "warning",
        "access_log": False,
        "limit_concurrency": options["limit_concurrency"],
        **options["server_options"],
    }
    if options["workers"] > 1:
        asyncio.run(check_on_loop(options["app"]))
        uvicorn.run(options["app"], fd=options["fd"], workers=options["workers"], **settings)
        return
    config = Config(options["app"], **settings)
    server = Server(config, options["control_fd"], observer, options["telemetry_fd"])
    server.run([socket.socket(fileno=options["fd"])])
    if not server.started:
        sys.exit(1)


if __name__ == "__main__":
    main()
