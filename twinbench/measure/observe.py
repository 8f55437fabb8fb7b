"""Observer of an app's database work, files and connections, inside its server.

Used by the preflight only: a server that is measured is never observed. Self-contained like
serve.py, which loads it: it runs under the interpreter of the app's own environment, and needs
only the SQLAlchemy that the app itself has, if it has it.
"""

import asyncio
import contextlib
import hashlib
import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote, urlsplit

MAX_BYTES = 256  # longer values (pictures, documents) are shown by their digest
PRINTABLE_ASCII = range(0x20, 0x7F)
# Attributes of a pool that change with use, and are no settings.
POOL_STATE = {"_overflow", "_invalidate_time"}
PRAGMAS = (
    *("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "cache_size", "mmap_size"),
    *("page_size", "temp_store", "locking_mode", "wal_autocheckpoint"),
)
# Tasks of uvicorn and of serve.py.
SERVER_TASKS = {"Server.serve", "Server._serve", "Server._answer", "LifespanOn.main"}
# Functions in which threads of executors, AnyIO and aiosqlite wait for work.
IDLE = (
    *("/concurrent/futures/thread.py:_worker", "/anyio/_backends/_asyncio.py:run"),
    *("/aiosqlite/core.py:_connection_worker_thread", "/aiosqlite/core.py:run"),
)
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR
# Fields of control.Work that hold distinct values, in the order of their first use.
DISTINCT = (
    *("param_styles", "sqlite_files", "other_databases", "opened_databases"),
    *("settings", "written_files", "connections"),
)


class Observer:
    """Listener to every SQLAlchemy engine, and to the audit events, of this process."""

    def __init__(self) -> None:
        self._listening = self._listening_to_pools = False
        self._statements: list[tuple[str, str]] = []
        self._commits = self._rollbacks = 0
        # Dictionaries, because sets have no order.
        self._distinct: dict[str, dict[str, None]] = {name: {} for name in DISTINCT}
        self._engines: dict[Any, None] = {}
        # Connections of sqlite3 minus those of pools; checkouts from pools minus those on which
        # SQLAlchemy executes.
        self._outside_pools = self._outside_engines = 0
        self._failed: dict[str, str] = {}
        # Number of observed events; tasks and threads that were active at the last `work`.
        self._events = 0
        self._lasting: set[int] = set()
        sys.addaudithook(self._on_audit)

    def listen(self) -> None:
        """Start to listen, if the app has imported SQLAlchemy; may be called again."""
        if self._listening or "sqlalchemy" not in sys.modules:
            return
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from sqlalchemy.pool import Pool

        self._listen_to_pools()
        event.listen(Pool, "checkout", self._on_checkout)
        event.listen(Engine, "engine_connect", self._on_connect)
        event.listen(Engine, "before_cursor_execute", self._on_execute)
        event.listen(Engine, "commit", self._on_commit)
        event.listen(Engine, "rollback", self._on_rollback)
        if "sqlalchemy.orm" in sys.modules:
            from sqlalchemy.orm import Session

            event.listen(Session, "after_begin", self._on_begin)
        self._listening = True

    def _listen_to_pools(self) -> None:
        if not self._listening_to_pools and "sqlalchemy.pool" in sys.modules:
            from sqlalchemy import event
            from sqlalchemy.pool import Pool

            event.listen(Pool, "connect", self._on_pool_connect)
            self._listening_to_pools = True

    def opened(self) -> dict[str, list[str]]:
        """Return the paths of the files that were opened, by their kind."""
        return {
            "SQLite files": list(self._distinct["opened_databases"]),
            "other files": list(self._distinct["written_files"]),
        }

    def work(self) -> dict[str, Any]:
        """Return what was done since the last call: control.Work without its conditions.

        Call it on the event loop.
        """
        self.listen()  # an app may import SQLAlchemy as late as in a request
        self._lasting = active()
        statements, self._statements = self._statements, []
        commits, self._commits = self._commits, 0
        rollbacks, self._rollbacks = self._rollbacks, 0
        distinct = {name: list(values) for name, values in self._distinct.items()}
        distinct["written_files"] = [
            path
            for path in distinct["written_files"]
            if os.path.isfile(path)  # noqa: PTH113
        ]
        return {
            "uses_sqlalchemy": self._listening,
            "statements": statements,
            "commits": commits,
            "rollbacks": rollbacks,
            **distinct,
            "failed": self._failed,
            "unobserved": self._unobserved(),
        }

    def running(self) -> dict[str, int]:
        """Return the number of tasks and threads started since the last `work`, and of events.

        Call it on the event loop.
        """
        now = active()
        self._lasting &= now
        return {"running": len(now - self._lasting), "done": self._events}

    def _unobserved(self) -> dict[str, str]:
        counts = {
            "those of connections to SQLite past SQLAlchemy": self._outside_pools,
            "those of raw connections": self._outside_engines,
        }
        what = " and ".join(what for what, count in counts.items() if count > 0)
        return dict.fromkeys(("SQL", "commits"), what) if what else {}

    @contextlib.contextmanager
    def _observing(self, *aspects: str) -> Iterator[None]:
        """Note an error as the reason why `aspects` cannot be compared.

        An error raised in a listener would be raised by the app's own call.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001  # an app's own classes may raise anything
            for aspect in aspects:
                self._failed[aspect] = f"the observer failed: {type(error).__name__}"

    def _add(self, name: str, value: str) -> None:
        self._distinct[name][value] = None

    def _on_audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Note files and connections that the process opens (PEP 578)."""
        if event == "open":
            with self._observing("files"):
                self._on_open(*args)
        elif event == "sqlite3.connect":
            self._events += 1
            with self._observing("final database"):
                if file := _sqlite_file(os.fsdecode(args[0])):
                    self._add("opened_databases", file)
        elif event == "sqlite3.connect/handle":  # it is open now
            with self._observing("SQL"):
                self._listen_to_pools()
                self._outside_pools += 1
        elif event == "socket.connect":
            with self._observing("upstream requests"):
                is_inet = isinstance(args[1], tuple)
                address = ":".join(map(str, args[1][:2])) if is_inet else str(args[1])
                self._add("connections", address)

    def _on_open(self, path: Any, _mode: Any, flags: int) -> None:
        if not isinstance(path, int) and flags & WRITE_FLAGS:
            self._events += 1
            path = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # it may be bytes
            if "__pycache__" not in path:  # written at the first start only
                self._add("written_files", path)

    def _on_pool_connect(self, connection: Any, _: Any) -> None:
        with self._observing("SQL"):
            sqlite3 = sys.modules.get("sqlite3")
            # An adapter wraps aiosqlite's connection, which wraps the connection itself.
            while connection and sqlite3 and not isinstance(connection, sqlite3.Connection):
                connection = getattr(connection, "_connection", None)
            self._outside_pools -= bool(connection)

    def _on_checkout(self, *_: Any) -> None:
        self._outside_engines += 1

    def _on_connect(self, *_: Any) -> None:
        self._outside_engines -= 1

    def _on_execute(
        self, connection: Any, _c: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        self._events += 1
        with self._observing("SQL"):
            self._statements.append((statement, text_of(parameters)))
        with self._observing("settings"):
            self._note_settings(connection)
        with self._observing("final database"):
            self._note_database(connection)

    def _note_settings(self, connection: Any) -> None:
        self._add("param_styles", connection.dialect.paramstyle)
        if connection.engine not in self._engines:
            self._engines[connection.engine] = None
            for line in settings_of(connection):
                self._add("settings", f"engine {len(self._engines)}: {line}")

    def _note_database(self, connection: Any) -> None:
        name, is_sqlite = connection.engine.url.database, connection.dialect.name == "sqlite"
        if is_sqlite and (file := _sqlite_file(name)):
            self._add("sqlite_files", file)
        else:
            self._add("other_databases", connection.dialect.name + " in memory" * is_sqlite)

    def _on_begin(self, session: Any, *_: Any) -> None:
        with self._observing("settings"):
            options = f"autoflush={session.autoflush}, expire_on_commit={session.expire_on_commit}"
            self._add("settings", f"session: {options}")

    def _on_commit(self, _: Any) -> None:
        self._commits += 1

    def _on_rollback(self, _: Any) -> None:
        self._rollbacks += 1


def active() -> set[int]:
    """Return the app's tasks, and its threads that do not wait for work, by their identifiers."""
    tasks = {
        id(task)
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__qualname__", "") not in SERVER_TASKS
    }
    frames = sys._current_frames()
    frames.pop(threading.main_thread().ident or 0, None)
    return tasks | {thread for thread, frame in frames.items() if not _waits_for_work(frame)}


def _waits_for_work(frame: FrameType | None) -> bool:
    while frame and frame.f_code.co_filename in (queue.__file__, threading.__file__):
        frame = frame.f_back
    where = f"{frame.f_code.co_filename}:{frame.f_code.co_name}" if frame else ""
    return where.endswith(IDLE)


def settings_of(connection: Any) -> Iterator[str]:
    """Yield the settings of the engine and the pool of a connection, and its SQLite pragmas."""
    engine, pool = connection.engine, connection.engine.pool
    options = {**engine.get_execution_options(), **engine.url.query}
    cache = getattr(engine, "_compiled_cache", None)
    yield f"options: {text_of(options)}, cached statements: {getattr(cache, 'capacity', None)}"
    # AsyncAdaptedQueuePool is the same queue, awaited on the event loop.
    yield f"pool: {type(pool).__name__.removeprefix('AsyncAdapted')}"
    for name, thing in (("pool", pool), ("queue", getattr(pool, "_pool", None))):
        for key, value in sorted(getattr(thing, "__dict__", {}).items()):
            if isinstance(value, bool | int | float | str | None) and key not in POOL_STATE:
                yield f"{name}: {key.lstrip('_')}={value}"
    if connection.dialect.name == "sqlite":
        cursor = connection.connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
            row = cursor.fetchone()  # none for mmap_size in memory
            yield f"PRAGMA {pragma} = {row[0] if row else 'none'}"
        cursor.close()


def text_of(value: Any) -> str:
    """Return `value` as text, the same for equal values whatever the order of a dictionary."""
    if isinstance(value, dict):
        items = sorted((str(name), text_of(item)) for name, item in value.items())
        return "{" + ", ".join(f"{name}: {text}" for name, text in items) + "}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(text_of(item) for item in value) + ")"
    if isinstance(value, bytes | bytearray | memoryview):
        return text_of_bytes(bytes(value))
    return repr(value)


def text_of_bytes(value: bytes) -> str:
    """Return `value` as text; bytes that are no text as one token, whatever their value."""
    if len(value) > MAX_BYTES:
        return f"<{len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}>"
    if all(byte in PRINTABLE_ASCII for byte in value):
        return repr(value)
    return f"<{len(value)} bytes, {value.hex()}>"


def _sqlite_file(name: str | None) -> str | None:
    """Return the absolute path of a SQLite file, None for a database in memory."""
    if name and name.startswith("file:"):
        if "mode=memory" in urlsplit(name).query:
            return None
        name = unquote(urlsplit(name).path)
    if not name or name == ":memory:":
        return None
    return os.fspath(Path(name).absolute())
