"""State that a server leaves behind, as text: its databases and its files."""

import contextlib
import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from twinbench.measure.observe import text_of
from twinbench.text import one_line

if TYPE_CHECKING:
    import psycopg

LOCK_TIMEOUT_S = 5.0  # a server at rest holds no lock for long
# Databases are compared by their rows: their bytes depend on when a page was written back.
SQLITE_MAGIC = b"SQLite format 3\0"
SQLITE_SUFFIXES = ("-wal", "-shm", "-journal")
# Shorter texts are compared as such, so that volatile values are found in them.
MAX_TEXT_BYTES = 65_536
# Of PostgreSQL: what is the user's, and in which order the rows of a table are read.
OF_USER = "NOT IN ('pg_catalog', 'information_schema')"
COLUMNS = f"""
    SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema {OF_USER}
    ORDER BY table_schema, table_name, ordinal_position
"""
INDEXES = f"SELECT indexdef FROM pg_indexes WHERE schemaname {OF_USER} ORDER BY indexdef"
SEQUENCES = f"""
    SELECT schemaname, sequencename, last_value
    FROM pg_sequences WHERE schemaname {OF_USER} ORDER BY schemaname, sequencename
"""
TABLES = f"""
    SELECT format('%I.%I', n.nspname, c.relname), coalesce((
        SELECT string_agg(format('%I', a.attname), ', ' ORDER BY array_position(i.indkey, a.attnum))
        FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = c.oid AND i.indisprimary
    ), 't::text')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname {OF_USER} ORDER BY 1
"""


class DatabaseError(Exception):
    """Database that cannot be read."""


def contents(files: Sequence[str]) -> str:
    """Return the schema and every row of the databases `files`. Raises DatabaseError.

    They are opened read-only: their server may still be running.
    """
    return "\n".join(line for n, file in enumerate(files, 1) for line in _database(n, Path(file)))


def postgres_contents(connection: "psycopg.Connection") -> str:
    """Return every table of a PostgreSQL database: columns, indexes and rows; and its sequences.

    Raises DatabaseError.
    """
    import psycopg  # of an extra

    try:
        return "\n".join(_postgres_lines(connection))
    except psycopg.Error as error:
        raise DatabaseError(f"the database cannot be read ({one_line(str(error))})") from None


def _postgres_lines(connection: "psycopg.Connection") -> Iterator[str]:
    yield "database of PostgreSQL"
    for query in (COLUMNS, INDEXES, SEQUENCES):
        for row in connection.execute(query):
            yield " ".join(map(str, row))
    for name, order in connection.execute(TABLES).fetchall():
        found = connection.execute(f"SELECT * FROM {name} AS t ORDER BY {order}".encode())
        names = [column.name for column in found.description or ()]
        for row in found:
            values = (f"{n}={_value_text(value)}" for n, value in zip(names, row, strict=True))
            yield f"{name}: {', '.join(values)}"


def _value_text(value: object) -> str:
    """Return a value as text; a time with all its digits, so that volatile ones look alike."""
    if isinstance(value, datetime | time):
        return value.isoformat(timespec="microseconds")
    return text_of(value)


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
    rows = connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
    names = [column for column, *_ in rows.description]
    for row in rows:
        values = (f"{n}={text_of(value)}" for n, value in zip(names, row, strict=True))
        yield f"{name}: {', '.join(values)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
