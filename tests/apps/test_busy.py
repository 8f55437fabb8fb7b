"""What a server answers that has no connection free, or finds the database locked: 503.

With a pool of one connection, and with a second connection that holds SQLite's write lock.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from apps.shared import sqlite
from apps.shared.sqlite import is_locked, prepare_connection
from tests.apps.conftest import DATABASE
from tests.apps.requests import ADA, POST
from tests.apps.serving import (
    APPS,
    ME,
    PATH,
    credentials,
    logged_in,
    picture,
    uploaded_files,
)

# How long the pool, and SQLite, are waited for here.
SOON_S = 0.05
SMALL: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": SOON_S}


@pytest.fixture
def impatient(name: str, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The engine that the app `name` has for this test: one connection, and little patience."""
    monkeypatch.setattr(
        sqlite, "PRAGMAS", (*sqlite.PRAGMAS, f"busy_timeout = {int(SOON_S * 1_000)}")
    )
    engine: Any
    if name == "sync":
        engine = create_engine(f"sqlite+pysqlite:///{DATABASE}", **SMALL)
        listened = engine
    else:
        engine = create_async_engine(f"sqlite+aiosqlite:///{DATABASE}", **SMALL)
        listened = engine.sync_engine
    event.listen(listened, "connect", prepare_connection)
    monkeypatch.setitem(APPS[name].database.new_session.kw, "bind", engine)
    yield engine
    in_app(client, engine.dispose)


def in_app(client: TestClient, call: Callable[[], Any]) -> Any:
    """What `call` returns, awaited on the app's loop if it has to be."""

    async def run() -> Any:
        result = call()
        return await result if hasattr(result, "__await__") else result

    portal: Any = client.portal
    return portal.call(run)


@contextmanager
def all_connections_taken(client: TestClient, engine: Any) -> Iterator[None]:
    connection = in_app(client, engine.connect)
    try:
        yield
    finally:
        in_app(client, connection.close)


@contextmanager
def database_locked(mode: str = "NORMAL") -> Iterator[None]:
    """Hold the write lock; with the mode EXCLUSIVE, keep readers and new connections out too."""
    other = sqlite3.connect(DATABASE, isolation_level=None)
    other.execute(f"PRAGMA locking_mode = {mode}")
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def refused_for_now(answer: Response) -> bool:
    """Whether it is a 503 in the app's own format, that says when to come back."""
    if answer.status_code != 503 or not int(answer.headers["retry-after"]) > 0:
        return False
    message = "The server is busy. Please try again."
    if answer.request.url.path.startswith(("/api/", "/workload/")):
        return bool(answer.json() == {"detail": message})
    return answer.headers["content-type"].startswith("text/html") and message in answer.text


# First used in the route, in a dependency of the route, in the route of a page.
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/posts/1", {}),
        ("/api/users/me", ME),
        ("/workload/query?ms=0", {}),
        ("/", {}),
        ("/posts/1", {}),
    ],
)
def test_without_a_free_connection_it_is_a_503(
    client: TestClient, impatient: Any, path: str, headers: dict[str, str]
) -> None:
    with all_connections_taken(client, impatient):
        assert refused_for_now(client.get(path, headers=headers))
        assert client.get("/workload/noop").status_code == 200
        assert client.get("/login").status_code == 200
    assert client.get(path, headers=headers).status_code == 200


WRITES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "at the commit": ("POST", "/api/posts", {"json": POST, "headers": ME}),
    "at a commit that is caught": ("POST", "/api/users", {"json": ADA}),
    "in the route": ("DELETE", "/api/users/1", {"headers": ME}),
    "after a file was written": ("PATCH", PATH, {"files": {"file": picture()}, "headers": ME}),
}


@pytest.mark.parametrize("where", WRITES)
def test_a_locked_database_is_a_503(
    client: TestClient, impatient: Any, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    method, path, options = WRITES[where]
    with database_locked():
        assert refused_for_now(client.request(method, path, **options))
        assert client.get("/api/posts/1").status_code == 200  # who reads does not wait
    [said] = [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"]
    assert said == "Answered 503: (sqlite3.OperationalError) database is locked"
    assert uploaded_files() == []
    assert client.request(method, path, **options).status_code < 300


def test_a_database_that_cannot_be_opened_in_time_is_a_503(
    client: TestClient, impatient: Any
) -> None:
    with database_locked("EXCLUSIVE"):
        for path in ("/api/posts/1", "/posts/1"):
            assert refused_for_now(client.get(path))
    assert client.get("/api/posts/1").status_code == 200


@pytest.mark.parametrize("where", ["dependency", "exit"])
def test_it_is_a_503_wherever_it_is_raised(
    client: TestClient, name: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the dependency before the route, and when it rolls back what the route refused."""
    made = APPS[name].database.new_session.class_
    method = {"dependency": "execute", "exit": "rollback"}[where]

    def fail(*_: Any, **__: Any) -> Any:
        locked = sqlite3.OperationalError("database is locked")
        locked.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT
        raise OperationalError("COMMIT", None, locked)

    monkeypatch.setattr(made, method, fail)
    path = {"dependency": "/api/users/me", "exit": "/api/posts/999999"}[where]
    assert refused_for_now(client.get(path, headers=logged_in(1)))


def test_another_error_of_the_database_stays_a_500(client: TestClient) -> None:
    with sqlite3.connect(DATABASE) as database:
        database.execute("ALTER TABLE posts RENAME TO other")
    database.close()
    answer = client.get("/api/posts/1")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert "retry-after" not in answer.headers
    assert client.post("/api/users/token", data=credentials()).status_code == 200


@pytest.mark.parametrize(
    ("code", "locked"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_BUSY_RECOVERY, True),
        (sqlite3.SQLITE_LOCKED, True),
        (sqlite3.SQLITE_LOCKED_SHAREDCACHE, True),
        (sqlite3.SQLITE_IOERR, False),
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_READONLY, False),
        (None, False),
    ],
)
def test_locked_is_told_by_the_code(code: int | None, locked: bool) -> None:
    error = sqlite3.OperationalError("database is locked")
    if code is not None:
        error.sqlite_errorcode = code
    assert is_locked(OperationalError("SELECT 1", None, error)) == locked
