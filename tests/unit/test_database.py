"""SQLite files as text."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from twinbench.preflight.database import DatabaseError, contents


def made(path: Path, *statements: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    return connection


def test_schema_and_rows_are_read_while_the_server_still_holds_the_file(tmp_path: Path) -> None:
    statements = (
        'CREATE TABLE "a b" (id INTEGER PRIMARY KEY, name TEXT)',
        "CREATE TABLE pairs (b TEXT, a TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
        'CREATE INDEX by_name ON "a b" (name)',
        "INSERT INTO \"a b\" VALUES (2, 'two'), (1, NULL), (3, x'00ff')",
        "INSERT INTO pairs VALUES ('1', 'y'), ('2', 'x')",
        "CREATE TABLE twice (a INTEGER, b INTEGER AS (a * 2))",
        "INSERT INTO twice VALUES (1)",
    )
    with closing(made(tmp_path / "one.db", *statements)):
        assert (tmp_path / "one.db-wal").stat().st_size > 0
        assert contents([str(tmp_path / "one.db")]).splitlines() == [
            "database 1",
            'CREATE INDEX by_name ON "a b" (name)',
            'CREATE TABLE "a b" (id INTEGER PRIMARY KEY, name TEXT)',
            "CREATE TABLE pairs (b TEXT, a TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
            "CREATE TABLE twice (a INTEGER, b INTEGER AS (a * 2))",
            "a b: id=1, name=None",
            "a b: id=2, name='two'",
            "a b: id=3, name=<2 bytes, 00ff>",
            "pairs: b='2', a='x'",
            "pairs: b='1', a='y'",
            "twice: a=1, b=2",
        ]


def test_what_the_twins_named_their_files_makes_no_difference(tmp_path: Path) -> None:
    for name in ("sync.db", "async.db"):
        made(tmp_path / name, "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)").close()
    assert contents([str(tmp_path / "sync.db")]) == contents([str(tmp_path / "async.db")])


def test_a_long_value_is_told_by_its_digest(tmp_path: Path) -> None:
    made(tmp_path / "x.db", "CREATE TABLE t (x)", "INSERT INTO t VALUES (zeroblob(5000))").close()
    assert "t: x=<5000 bytes, SHA-256 " in contents([str(tmp_path / "x.db")])


def test_a_file_that_the_app_has_deleted_is_said(tmp_path: Path) -> None:
    made(tmp_path / "x.db").close()
    files = [str(tmp_path / name) for name in ("gone.db", "x.db")]
    assert contents(files).splitlines() == ["database 1: deleted", "database 2"]
    assert not (tmp_path / "gone.db").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("no database" * 100)
    with pytest.raises(DatabaseError, match=r"no\.db cannot be read"):
        contents([str(tmp_path / "no.db")])
