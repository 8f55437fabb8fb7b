"""What a server does in its database, seen from inside: for the preflight, never while measuring.

Self-contained like serve.py, which loads it: it runs under the interpreter of the app's own
environment, and needs nothing but the SQLAlchemy that the app has itself, if it has it.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

# Longer values (pictures, documents) are told by their digest.
LONGEST_BYTES = 256


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

    def listen(self) -> None:
        """Begin, if the app has imported SQLAlchemy by now. Twice is fine."""
        if self._listening or "sqlalchemy" not in sys.modules:
            return
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "before_cursor_execute", self._on_execute)
        event.listen(Engine, "commit", self._on_commit)
        event.listen(Engine, "rollback", self._on_rollback)
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
        }

    def _on_execute(
        self, connection: Any, _c: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        dialect = connection.dialect
        self._styles[dialect.paramstyle] = None
        name = connection.engine.url.database
        file = _sqlite_file(name) if dialect.name == "sqlite" else None
        if file:
            self._files[file] = None
        else:
            in_memory = " in memory" if dialect.name == "sqlite" else ""
            self._others[dialect.name + in_memory] = None
        self._statements.append((statement, text_of(parameters)))

    def _on_commit(self, _: Any) -> None:
        self._commits += 1

    def _on_rollback(self, _: Any) -> None:
        self._rollbacks += 1


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
