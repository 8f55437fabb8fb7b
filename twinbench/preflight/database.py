"""State that a server leaves behind, as text: its SQLite databases and its files."""

import contextlib
import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from twinbench.measure.observe import text_of

LOCK_TIMEOUT_S = 5.0  # a server at rest holds no lock for long
# Databases are compared by their rows: their bytes depend on when a page was written back.
SQLITE_MAGIC = b"SQLite format 3\0"
SQLITE_SUFFIXES = ("-wal", "-shm", "-journal")
# Shorter texts are compared as such, so that volatile values are found in them.
MAX_TEXT_BYTES = 65_536


class DatabaseError(Exception):
    """Database that cannot be read."""


def contents(files: Sequence[str]) -> str:
    """Return the schema and every row of the databases `files`. Raises DatabaseError.

    They are opened read-only: their server may still be running.
    """
    return "\n".join(line for n, file in enumerate(files, 1) for line in _database(n, Path(file)))


def read_files(folder: Path) -> dict[Path, str]:
    """Return the content of every regular file below `folder`, without databases, as one line."""
    found = {}
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names if not name.endswith(SQLITE_SUFFIXES)):
            with contextlib.suppress(OSError):  # removed meanwhile, or not readable
                if content := _file_content(path):
                    found[path] = content
    return found


def file_changes(before: Mapping[Path, str], after: Mapping[Path, str]) -> str:
    """Return a line for each file that is new, changed or gone: its suffix and its content.

    Names are left out, and the lines are sorted: an app may choose random names, or name a folder
    after itself.
    """
    lines = []
    for path in {**before, **after}:
        old, new = before.get(path), after.get(path)
        if old != new:
            what = "new" if old is None else "gone" if new is None else "changed"
            lines.append(f"{what} {path.suffix or 'file'}: {old if new is None else new}")
    return "\n".join(sorted(lines))


def _file_content(path: Path) -> str:
    """Return the content of a file as one line; empty for a database, a link or a pipe."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return ""
    with path.open("rb") as file:
        begin = file.read(MAX_TEXT_BYTES)
        if begin.startswith(SQLITE_MAGIC):
            return ""
        if status.st_size <= MAX_TEXT_BYTES:
            with contextlib.suppress(UnicodeDecodeError):
                return repr(begin.decode())
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"<{status.st_size} bytes, SHA-256 {digest}>"


def _database(number: int, file: Path) -> Iterator[str]:
    # By number: the targets may have named their files differently.
    if not file.exists():
        yield f"database {number}: deleted"
        return
    yield f"database {number}"
    try:
        # Through SQLite, which also reads the newest rows from the write-ahead log.
        uri = f"{file.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=LOCK_TIMEOUT_S)) as opened:
            opened.text_factory = lambda raw: raw.decode(errors="backslashreplace")
            yield from _schema_and_rows(opened)
    except sqlite3.Error as error:
        raise DatabaseError(f"the database {file} cannot be read ({error})") from None


def _schema_and_rows(connection: sqlite3.Connection) -> Iterator[str]:
    schema = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        " ORDER BY type, name"
    ).fetchall()
    for _, _, sql in schema:
        yield str(sql)
    for kind, name, sql in schema:
        if kind == "table":
            yield from _rows(connection, name, sql)


def _rows(connection: sqlite3.Connection, name: str, sql: str) -> Iterator[str]:
    table, order = _quoted(name), "rowid"
    if "WITHOUT ROWID" in sql.upper():
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        key = sorted((place, column) for _, column, *_, place in columns if place)
        order = ", ".join(_quoted(column) for _, column in key)
    rows = connection.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608
    names = [column for column, *_ in rows.description]
    for row in rows:
        values = (f"{n}={text_of(value)}" for n, value in zip(names, row, strict=True))
        yield f"{name}: {', '.join(values)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
