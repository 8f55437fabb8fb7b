"""The SQLite files that a server has left, as text: schema and every row of every table."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from twinbench.measure.observe import text_of

LOCKED_S = 5.0  # a server at rest holds no lock for long


class DatabaseError(Exception):
    """A database that cannot be read: one sentence."""


def contents(files: Sequence[str]) -> str:
    """What is in `files`, read-only: their server may still be running. Raises DatabaseError."""
    return "\n".join(line for n, file in enumerate(files, 1) for line in _file(n, Path(file)))


def _file(number: int, file: Path) -> Iterator[str]:
    # By number, because two targets may name their files differently.
    if not file.exists():
        yield f"database {number}: deleted"
        return
    yield f"database {number}"
    try:
        # Through SQLite, with the server's write-ahead log beside it: the newest rows are there.
        where = f"{file.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(where, uri=True, timeout=LOCKED_S)) as connection:
            connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
            yield from _schema_and_rows(connection)
    except sqlite3.Error as error:
        raise DatabaseError(f"the database {file} cannot be read ({error})") from None


def _schema_and_rows(connection: sqlite3.Connection) -> Iterator[str]:
    schema = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        " ORDER BY type, name"
    ).fetchall()
    for _, _, sql in schema:
        yield str(sql)
    for kind, name, _ in schema:
        if kind == "table":
            yield from _rows(connection, _quoted(name), name)


def _rows(connection: sqlite3.Connection, table: str, name: str) -> Iterator[str]:
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    order = "rowid"
    if "WITHOUT ROWID" in _sql_of(connection, name):
        key = sorted((place, column) for _, column, *_, place in columns if place)
        order = ", ".join(_quoted(column) for _, column in key)
    rows = connection.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608
    names = [column for column, *_ in rows.description]  # table_info leaves generated ones out
    for row in rows:
        values = (f"{n}={text_of(value)}" for n, value in zip(names, row, strict=True))
        yield f"{name}: {', '.join(values)}"


def _sql_of(connection: sqlite3.Connection, name: str) -> str:
    query = "SELECT upper(sql) FROM sqlite_master WHERE type = 'table' AND name = ?"
    return str(connection.execute(query, (name,)).fetchone()[0])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
