"""What a server does in its database, seen from inside: for the preflight, never while measuring.

Self-contained like serve.py, which loads it: it runs under the interpreter of the app's own
environment, and needs nothing but the SQLAlchemy that the app has itself, if it has it.
"""

import gc
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from anyio.to_thread import current_default_thread_limiter

# Longer values (pictures, documents) are told by their digest.
LONGEST_BYTES = 256
# What goes up and down with use, and is no setting.
STATE = {"_overflow", "_invalidate_time"}
PRAGMAS = (
    *("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "cache_size", "mmap_size"),
    *("page_size", "temp_store", "locking_mode", "wal_autocheckpoint"),
)


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

    def listen(self) -> None:
        """Begin, if the app has imported SQLAlchemy by now. Twice is fine."""
        if self._listening or "sqlalchemy" not in sys.modules:
            return
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "before_cursor_execute", self._on_execute)
        event.listen(Engine, "commit", self._on_commit)
        event.listen(Engine, "rollback", self._on_rollback)
        if "sqlalchemy.orm" in sys.modules:
            from sqlalchemy.orm import Session

            event.listen(Session, "after_begin", self._on_begin)
        self._listening = True

    def work(self) -> dict[str, Any]:
        """What was done since the last call, as JSON has it (control.Work)."""
        self.listen()  # an app may import SQLAlchemy as late as in a request
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
            "others": list(self._others),
            "settings": [*_of_process(), *self._settings],
        }

    def _on_execute(
        self, connection: Any, _c: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        dialect = connection.dialect
        if connection.engine not in self._engines:
            self._engines[connection.engine] = None
            for line in settings_of(connection):
                self._settings[f"engine {len(self._engines)}: {line}"] = None
        self._styles[dialect.paramstyle] = None
        name = connection.engine.url.database
        file = _sqlite_file(name) if dialect.name == "sqlite" else None
        if file:
            self._files[file] = None
        else:
            in_memory = " in memory" if dialect.name == "sqlite" else ""
            self._others[dialect.name + in_memory] = None
        self._statements.append((statement, text_of(parameters)))

    def _on_begin(self, session: Any, *_: Any) -> None:
        options = f"autoflush={session.autoflush}, expire_on_commit={session.expire_on_commit}"
        self._settings[f"session: {options}"] = None

    def _on_commit(self, _: Any) -> None:
        self._commits += 1

    def _on_rollback(self, _: Any) -> None:
        self._rollbacks += 1


def _of_process() -> list[str]:
    collector = gc.get_threshold() if gc.isenabled() else "off"
    return [
        f"threads: {current_default_thread_limiter().total_tokens}",
        f"interpreter: collector {collector}, switch interval {sys.getswitchinterval():g} s",
    ]


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
            yield f"PRAGMA {pragma} = {cursor.fetchone()[0]}"
        cursor.close()


def text_of(value: Any) -> str:
    """`value` as text: the same for equal values, whatever the order of a dictionary was."""
    if isinstance(value, dict):
        items = sorted((str(name), text_of(item)) for name, item in value.items())
        return "{" + ", ".join(f"{name}: {text}" for name, text in items) + "}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(text_of(item) for item in value) + ")"
    if isinstance(value, bytes | bytearray | memoryview) and len(value) > LONGEST_BYTES:
        return f"<{len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}>"
    return repr(value)


def _sqlite_file(name: str | None) -> str | None:
    """The absolute path of a SQLite file; None for a database in memory."""
    if name and name.startswith("file:"):
        if "mode=memory" in urlsplit(name).query:
            return None
        name = unquote(urlsplit(name).path)
    if not name or name == ":memory:":
        return None
    return os.fspath(Path(name).absolute())
