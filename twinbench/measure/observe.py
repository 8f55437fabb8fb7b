"""What a server does in its database, seen from inside: for the preflight, never while measuring.

Self-contained like serve.py, which loads it: it runs under the interpreter of the app's own
environment, and needs nothing but the SQLAlchemy that the app has itself, if it has it.
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

# Longer values (pictures, documents) are told by their digest.
LONGEST_BYTES = 256
# Of ASCII: bytes of these are shown as they are.
PRINTABLE = range(0x20, 0x7F)
# What goes up and down with use, and is no setting.
STATE = {"_overflow", "_invalidate_time"}
PRAGMAS = (
    *("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "cache_size", "mmap_size"),
    *("page_size", "temp_store", "locking_mode", "wal_autocheckpoint"),
)
# Of the server, and of serve.py.
OWN_TASKS = {"Server.serve", "Server._serve", "Server._answer", "LifespanOn.main"}
# Where threads wait for work: those of executors, of AnyIO and of aiosqlite.
IDLE = (
    *("/concurrent/futures/thread.py:_worker", "/anyio/_backends/_asyncio.py:run"),
    *("/aiosqlite/core.py:_connection_worker_thread", "/aiosqlite/core.py:run"),
)
WRITES = os.O_WRONLY | os.O_RDWR


class Observer:
    """Listens to every engine of the process, those made before it among them."""

    def __init__(self) -> None:
        self._listening = False
        self._statements: list[tuple[str, str]] = []
        self._commits = self._rollbacks = 0
        # Dictionaries for their order: that of first use.
        self._files: dict[str, None] = {}
        self._others: dict[str, None] = {}
        self._styles: dict[str, None] = {}
        self._engines: dict[Any, None] = {}
        self._settings: dict[str, None] = {}
        # Paths that were opened for writing, and SQLite files, through SQLAlchemy or past it.
        self._written: dict[str, None] = {}
        self._databases: dict[str, None] = {}
        # Addresses that were connected to.
        self._connected: dict[str, None] = {}
        # Connections of sqlite3 less those that a pool has; those that were taken from a pool less
        # those that SQLAlchemy executes on.
        self._past_pools = self._past_engines = 0
        self._watching = False
        # In what (Aspect) something may have been missed, and why.
        self._unseen: dict[str, str] = {}
        # How much was seen; which tasks and threads were at work when `work` was called last.
        self._done = 0
        self._lasting: set[int] = set()
        sys.addaudithook(self._on_audit)

    def listen(self) -> None:
        """Begin, if the app has imported SQLAlchemy by now. Twice is fine."""
        if self._listening or "sqlalchemy" not in sys.modules:
            return
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from sqlalchemy.pool import Pool

        self._watch_pools()
        event.listen(Pool, "checkout", self._on_checkout)
        event.listen(Engine, "engine_connect", self._on_connect)
        event.listen(Engine, "before_cursor_execute", self._on_execute)
        event.listen(Engine, "commit", self._on_commit)
        event.listen(Engine, "rollback", self._on_rollback)
        if "sqlalchemy.orm" in sys.modules:
            from sqlalchemy.orm import Session

            event.listen(Session, "after_begin", self._on_begin)
        self._listening = True

    def _watch_pools(self) -> None:
        """Begin to tell SQLAlchemy's connections of sqlite3 from others. Twice is fine."""
        if not self._watching and "sqlalchemy.pool" in sys.modules:
            from sqlalchemy import event
            from sqlalchemy.pool import Pool

            event.listen(Pool, "connect", self._on_pooled)
            self._watching = True

    def opened(self) -> dict[str, list[str]]:
        """Return the paths of files that were opened, by what they are."""
        return {"SQLite files": list(self._databases), "other files": list(self._written)}

    def work(self) -> dict[str, Any]:
        """Return what was done since the last call, as JSON has it (control.Work) but for the
        conditions. Call it on the event loop."""
        self.listen()  # an app may import SQLAlchemy as late as in a request
        self._lasting = at_work()
        statements, self._statements = self._statements, []
        commits, self._commits = self._commits, 0
        rollbacks, self._rollbacks = self._rollbacks, 0
        return {
            "observed": self._listening,
            "statements": statements,
            "commits": commits,
            "rollbacks": rollbacks,
            "styles": list(self._styles),
            "files": list(self._files),
            "databases": list(self._databases),
            "others": list(self._others),
            "settings": list(self._settings),
            "written": [path for path in self._written if os.path.isfile(path)],  # noqa: PTH113
            "connected": list(self._connected),
            "unseen": self._unseen,
            "partly": self._partly(),
        }

    def _partly(self) -> dict[str, str]:
        """In what (Aspect) something was done that is not seen, and what."""
        past = {
            "those of connections to SQLite past SQLAlchemy": self._past_pools,
            "those of raw connections": self._past_engines,
        }
        why = " and ".join(what for what, number in past.items() if number > 0)
        return dict.fromkeys(("SQL", "commits"), why) if why else {}

    @contextlib.contextmanager
    def _seeing(self, *aspects: str) -> Iterator[None]:
        """Note an error as a reason why `aspects` were not wholly seen: what is raised in a
        listener, the app's own call raises."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # an app's own classes may raise anything
            for aspect in aspects:
                self._unseen[aspect] = f"the observer failed: {type(error).__name__}"

    def running(self) -> dict[str, int]:
        """Return how many tasks and threads work that did not when `work` was called last, and
        how much was done since the start. Call it on the event loop."""
        now = at_work()
        self._lasting &= now
        return {"running": len(now - self._lasting), "done": self._done}

    def _on_audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Note the files that the process writes (PEP 578)."""
        if event == "open":
            with self._seeing("files"):
                self._on_open(*args)
        elif event == "sqlite3.connect":
            self._done += 1
            with self._seeing("final database"):
                if file := _sqlite_file(os.fsdecode(args[0])):
                    self._databases[file] = None
        elif event == "socket.connect":
            with self._seeing("upstream requests"):
                is_inet = isinstance(args[1], tuple)
                self._connected[":".join(map(str, args[1][:2])) if is_inet else str(args[1])] = None
        elif event == "sqlite3.connect/handle":  # it is open now
            with self._seeing("SQL"):
                self._watch_pools()
                self._past_pools += 1

    def _on_pooled(self, connection: Any, _: Any) -> None:
        with self._seeing("SQL"):
            sqlite3 = sys.modules.get("sqlite3")
            # An adapter holds aiosqlite's connection, and that one the connection itself.
            while connection and sqlite3 and not isinstance(connection, sqlite3.Connection):
                connection = getattr(connection, "_connection", None)
            self._past_pools -= bool(connection)

    def _on_checkout(self, *_: Any) -> None:
        self._past_engines += 1

    def _on_connect(self, *_: Any) -> None:
        self._past_engines -= 1

    def _on_open(self, path: Any, _mode: Any, flags: int) -> None:
        if not isinstance(path, int) and flags & WRITES:
            self._done += 1
            path = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # it may be bytes
            if "__pycache__" not in path:  # written at the first start, and read at the next
                self._written[path] = None

    def _on_execute(
        self, connection: Any, _c: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        self._done += 1
        with self._seeing("SQL"):
            self._statements.append((statement, text_of(parameters)))
        with self._seeing("settings"):
            self._note_settings(connection)
        with self._seeing("final database"):
            self._note_database(connection)

    def _note_settings(self, connection: Any) -> None:
        self._styles[connection.dialect.paramstyle] = None
        if connection.engine not in self._engines:
            self._engines[connection.engine] = None
            for line in settings_of(connection):
                self._settings[f"engine {len(self._engines)}: {line}"] = None

    def _note_database(self, connection: Any) -> None:
        name, is_sqlite = connection.engine.url.database, connection.dialect.name == "sqlite"
        if is_sqlite and (file := _sqlite_file(name)):
            self._files[file] = None
        else:
            self._others[connection.dialect.name + " in memory" * is_sqlite] = None

    def _on_begin(self, session: Any, *_: Any) -> None:
        with self._seeing("settings"):
            options = f"autoflush={session.autoflush}, expire_on_commit={session.expire_on_commit}"
            self._settings[f"session: {options}"] = None

    def _on_commit(self, _: Any) -> None:
        self._commits += 1

    def _on_rollback(self, _: Any) -> None:
        self._rollbacks += 1


def at_work() -> set[int]:
    """Return which tasks and threads work for the app, or wait for other than work."""
    tasks = {
        id(task)
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__qualname__", "") not in OWN_TASKS
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
    """How the pool of a connection, and for SQLite the connection itself, is set up."""
    engine, pool = connection.engine, connection.engine.pool
    options = {**engine.get_execution_options(), **engine.url.query}
    cache = getattr(engine, "_compiled_cache", None)
    yield f"options: {text_of(options)}, cached statements: {getattr(cache, 'capacity', None)}"
    # The same queue, waited for on the loop.
    yield f"pool: {type(pool).__name__.removeprefix('AsyncAdapted')}"
    for name, thing in (("pool", pool), ("queue", getattr(pool, "_pool", None))):
        for key, value in sorted(getattr(thing, "__dict__", {}).items()):
            if isinstance(value, bool | int | float | str | None) and key not in STATE:
                yield f"{name}: {key.lstrip('_')}={value}"
    if connection.dialect.name == "sqlite":
        cursor = connection.connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
            row = cursor.fetchone()  # none where it means nothing: mmap_size in memory
            yield f"PRAGMA {pragma} = {row[0] if row else 'none'}"
        cursor.close()


def text_of(value: Any) -> str:
    """`value` as text: the same for equal values, whatever the order of a dictionary was."""
    if isinstance(value, dict):
        items = sorted((str(name), text_of(item)) for name, item in value.items())
        return "{" + ", ".join(f"{name}: {text}" for name, text in items) + "}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(text_of(item) for item in value) + ")"
    if isinstance(value, bytes | bytearray | memoryview):
        return text_of_bytes(bytes(value))
    return repr(value)


def text_of_bytes(value: bytes) -> str:
    """`value` as text; what is no text in a form whose structure does not depend on it, so that
    random bytes are one volatile value."""
    if len(value) > LONGEST_BYTES:
        return f"<{len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}>"
    if all(byte in PRINTABLE for byte in value):
        return repr(value)
    return f"<{len(value)} bytes, {value.hex()}>"


def _sqlite_file(name: str | None) -> str | None:
    """The absolute path of a SQLite file; None for a database in memory."""
    if name and name.startswith("file:"):
        if "mode=memory" in urlsplit(name).query:
            return None
        name = unquote(urlsplit(name).path)
    if not name or name == ":memory:":
        return None
    return os.fspath(Path(name).absolute())
