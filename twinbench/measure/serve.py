"""The server under test: one self-contained file, run by the interpreter of the app's own
environment. It needs only what the app has itself: uvicorn and anyio.

`python serve.py OPTIONS`, where OPTIONS is JSON: `app` (import string), `folder` (imported
from), `fd` (the listening socket), `control_fd` (where questions are answered), `workers`,
`limit_concurrency`, `observe` (tell what is done in the database: slower, so never while
measuring), `telemetry_fd` (where a probe writes what it sees; null: no probe). Exits with 2,
and one sentence, if `app` names nothing.
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
from anyio.to_thread import current_default_thread_limiter

NAMES_NOTHING = 2
OWN_FOLDER = str(Path(__file__).parent)


class Server(uvicorn.Server):
    """Answers each line on the control socket: `work` with what it did since the last time,
    `running` with what works since then, `answered` with how many requests it has answered,
    `telemetry` with why the probe failed, anything else with its state; all as JSON."""

    def __init__(
        self, config: uvicorn.Config, control_fd: int, observer: Any, telemetry_fd: int | None
    ) -> None:
        super().__init__(config)
        self._probe, self._unseen = probe(telemetry_fd)
        self._control = socket.socket(fileno=control_fd)
        self._observer = observer

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._observer:
            self._observer.listen()  # an app may import SQLAlchemy as late as in its lifespan
        if self._probe:
            try:
                self._probe.begin(asyncio.get_running_loop(), current_default_thread_limiter())
            except Exception as error:  # noqa: BLE001  # the app is served without telemetry
                self._probe, self._unseen = None, described(error)
        self._answering = asyncio.create_task(self._answer())

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
        found = beside("conditions").conditions(
            config.http_protocol_class, config.loaded_app, opened
        )
        return {**self._observer.work(), "conditions": found}

    def _running(self) -> dict[str, int]:
        return self._observer.running() if self._observer else {}

    def _answered(self) -> dict[str, int]:
        return {"answered": self.server_state.total_requests}

    def _telemetry(self) -> dict[str, Any]:
        return {"failed": self._probe.failed if self._probe else self._unseen}

    def _state(self) -> dict[str, int]:
        threads = current_default_thread_limiter().statistics()
        state = {
            "open_requests": len(self.server_state.tasks),
            "busy_threads": int(threads.borrowed_tokens),
            "waiting_for_thread": threads.tasks_waiting,
        }
        if self._probe and self._probe.connections.attached:
            state["connections_used"], _ = self._probe.connections.counts()
        return state


def check(app: str) -> None:
    """Exit with a sentence if `app` names nothing; a module that fails raises as it is."""
    module_name, _, attribute = app.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that the app itself lacks is the app's failure, not the plan's.
        if error.name and (module_name + ".").startswith(error.name + "."):
            _refuse(f"there is no module '{error.name}'")
        raise
    found: Any = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            _refuse(f"module '{module_name}' has no '{attribute}'")
        found = getattr(found, name)


def probe(fd: int | None) -> tuple[Any, str]:
    """A probe that writes to `fd`, if that is asked for, and why there is none if it failed."""
    try:
        return (None if fd is None else beside("probe").Probe(fd)), ""
    except Exception as error:  # noqa: BLE001  # the app is served without telemetry
        return None, described(error)


def described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@functools.cache
def beside(name: str) -> Any:
    """The file `name` beside this one, as a module: under a name that no app has."""
    path = Path(__file__).with_name(f"{name}.py")
    spec: Any = importlib.util.spec_from_file_location(f"twinbench_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _refuse(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.exit(NAMES_NOTHING)


def main() -> None:
    options = json.loads(sys.argv[1])
    # Not this file's own folder, whose modules are none of the app's business.
    sys.path[:] = [path for path in sys.path if path != OWN_FOLDER]
    sys.path.insert(0, options["folder"])
    # Workers are fresh interpreters: they find the app in the same place.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (options["folder"], os.environ.get("PYTHONPATH")))
    )
    # Before the app is imported: what it opens then counts as well.
    seen = beside("observe").Observer() if options["observe"] else None
    check(options["app"])
    told = {
        "log_level": "warning",
        "access_log": False,
        "limit_concurrency": options["limit_concurrency"],
    }
    if options["workers"] > 1:
        uvicorn.run(options["app"], fd=options["fd"], workers=options["workers"], **told)
        return
    if seen:
        seen.listen()
    config = uvicorn.Config(options["app"], **told)
    server = Server(config, options["control_fd"], seen, options["telemetry_fd"])
    server.run([socket.socket(fileno=options["fd"])])
    if not server.started:
        sys.exit(1)


if __name__ == "__main__":
    main()
