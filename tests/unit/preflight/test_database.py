"""SQLite databases and files as text."""

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from twinbench.measure.conditions import file_systems
from twinbench.measure.observe import text_of
from twinbench.preflight.database import DatabaseError, contents, file_changes, read_files

MOUNTS = r"""22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
25 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw
26 25 0:24 / /dev/shm rw,nosuid - tmpfs tmpfs rw
40 22 8:2 / /srv/my\040data rw - xfs /dev/sdb rw
41 22 0:41 / /srv/my\040data/cache rw master:1 - tmpfs none rw
"""


def database(path: Path, *statements: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    return connection


def test_schema_and_rows_are_read_while_the_file_is_open(tmp_path: Path) -> None:
    statements = (
        'CREATE TABLE "a b" (id INTEGER PRIMARY KEY, name TEXT)',
        "CREATE TABLE pairs (b TEXT, a TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
        'CREATE INDEX by_name ON "a b" (name)',
        "INSERT INTO \"a b\" VALUES (2, 'two'), (1, NULL), (3, x'00ff')",
        "INSERT INTO pairs VALUES ('1', 'y'), ('2', 'x')",
        "CREATE TABLE twice (a INTEGER, b INTEGER AS (a * 2))",
        "INSERT INTO twice VALUES (1)",
        "CREATE TABLE zeros (x)",
        "INSERT INTO zeros VALUES (zeroblob(5000))",
    )
    digest = hashlib.sha256(bytes(5000)).hexdigest()
    with closing(database(tmp_path / "one.db", *statements)):
        assert (tmp_path / "one.db-wal").stat().st_size > 0
        assert contents([str(tmp_path / "one.db")]).splitlines() == [
            "database 1",
            'CREATE INDEX by_name ON "a b" (name)',
            'CREATE TABLE "a b" (id INTEGER PRIMARY KEY, name TEXT)',
            "CREATE TABLE pairs (b TEXT, a TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
            "CREATE TABLE twice (a INTEGER, b INTEGER AS (a * 2))",
            "CREATE TABLE zeros (x)",
            "a b: id=1, name=None",
            "a b: id=2, name='two'",
            "a b: id=3, name=<2 bytes, 00ff>",
            "pairs: b='2', a='x'",
            "pairs: b='1', a='y'",
            "twice: a=1, b=2",
            f"zeros: x=<5000 bytes, SHA-256 {digest}>",
        ]


def test_a_deleted_database_is_listed_without_its_name(tmp_path: Path) -> None:
    assert contents([str(tmp_path / "gone.db")]) == "database 1: deleted"
    assert not (tmp_path / "gone.db").exists()


def test_a_database_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("no database" * 100)
    with pytest.raises(DatabaseError, match=r"no\.db cannot be read"):
        contents([str(tmp_path / "no.db")])


def test_files_are_compared_by_content_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    picture = tmp_path / "media" / "a1b2.jpg"
    picture.write_bytes(b"\xff" * 1_000)
    (tmp_path / "log").write_text("one\n")
    for name, content in (("own.db", b"SQLite format 3\0"), ("own.db-wal", b"a")):
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    digest = hashlib.sha256(b"\xff" * 1_000).hexdigest()
    shown = f"<1000 bytes, SHA-256 {digest}>"
    first = read_files(tmp_path)
    assert file_changes({}, first).splitlines() == [f"new .jpg: {shown}", r"new file: 'one\n'"]
    assert file_changes(first, read_files(tmp_path)) == ""
    picture.unlink()
    (tmp_path / "log").write_text("two\n")
    assert file_changes(first, read_files(tmp_path)).splitlines() == [
        r"changed file: 'two\n'",
        f"gone .jpg: {shown}",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"text", "b'text'"),
        (b"\x00ext", "<4 bytes, 00657874>"),
        (memoryview(b"\xff"), "<1 bytes, ff>"),
        (b"a\n", "<2 bytes, 610a>"),
    ],
)
def test_bytes_that_are_no_text_are_one_token(value: bytes | memoryview, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("paths", "mounts", "found"),
    [
        (["/dev/shm/a.db"], MOUNTS, {"tmpfs"}),  # noqa: S108
        (["/srv/my data/a.db"], MOUNTS, {"xfs"}),
        (["/srv/my data/cache/b/c.jpg", "/srv/my database/a"], MOUNTS, {"tmpfs", "ext4"}),
        (["/dev/null"], MOUNTS, set()),
        (["/srv/a.db"], "", {"unknown"}),
    ],
)
def test_file_systems_are_found_by_mount_point(
    paths: list[str], mounts: str, found: set[str]
) -> None:
    assert file_systems(paths, mounts) == found
