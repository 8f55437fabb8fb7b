"""Each app answers 503 without a free connection, and while the database is locked.

The pool has one connection; a second connection holds SQLite's write lock, or locks the tables
of PostgreSQL for writers.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from apps.shared import dialects, sqlite
from apps.shared.dialects import is_busy as is_busy_error
from apps.shared.dialects import prepare_connection
from apps.shared.settings import settings
from tests.apps.conftest import DATABASE, only_postgres, only_sqlite
from tests.apps.requests import ADA, POST
from tests.apps.serving import (
    APPS,
    ME,
    PATH,
    credentials,
    execute,
    outside,
    picture,
    postgres_url,
    uploaded_files,
)

# Timeout of the pool and of the database.
SHORT_S = 0.05
SMALL: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": SHORT_S}

DRIVERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "sync": ("pysqlite", create_engine),
    "async": ("aiosqlite", create_async_engine),
}


@pytest.fixture
def engine(name: str, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give the app an engine with one connection and short timeouts."""
    timeout_ms = int(SHORT_S * 1_000)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", timeout_ms)
    pragmas = (f"busy_timeout = {timeout_ms}", *sqlite.PRAGMAS[1:])
    monkeypatch.setattr(sqlite, "PRAGMAS", pragmas)
    driver, make = DRIVERS[name]
    made = make(postgres_url() or f"sqlite+{driver}:///{DATABASE}", **SMALL)
    event.listen(getattr(made, "sync_engine", made), "connect", prepare_connection)
    monkeypatch.setitem(APPS[name].database.new_session.kw, "bind", made)
    yield made
    in_app(client, made.dispose)


def in_app(client: TestClient, call: Callable[[], Any]) -> Any:
    """Return the result of `call`, awaited on the event loop of the app if necessary."""

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
    """Hold the write lock; in the mode EXCLUSIVE also block readers and new connections."""
    if postgres_url():
        with outside() as other:
            other.execute(text("LOCK TABLE users, posts IN SHARE ROW EXCLUSIVE MODE"))
            yield
        return
    database = sqlite3.connect(DATABASE, isolation_level=None)
    database.execute(f"PRAGMA locking_mode = {mode}")
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        database.close()


def is_busy(response: Response) -> bool:
    """Return whether it is a 503 with Retry-After, as JSON or as a page."""
    if response.status_code != 503 or not int(response.headers["retry-after"]) > 0:
        return False
    message = "The server is busy. Please try again."
    if response.request.url.path.startswith(("/api/", "/workload/")):
        return bool(response.json() == {"detail": message})
    return response.headers["content-type"].startswith("text/html") and message in response.text


def test_busy_without_a_free_connection(client: TestClient, engine: Any) -> None:
    # The connection is needed by the route, by its dependency, by a page.
    paths = ("/api/posts/1", "/api/users/me", "/workload/query?ms=0", "/", "/posts/1")
    with all_connections_taken(client, engine):
        assert [path for path in paths if not is_busy(client.get(path, headers=ME))] == []
        assert client.get("/workload/noop").status_code == 200
        assert client.get("/login").status_code == 200
    assert {client.get(path, headers=ME).status_code for path in paths} == {200}


WRITES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "commit": ("POST", "/api/posts", {"json": POST, "headers": ME}),
    "commit in try": ("POST", "/api/users", {"json": ADA}),
    "statement": ("DELETE", "/api/users/1", {"headers": ME}),
    "after writing a file": ("PATCH", PATH, {"files": {"file": picture()}, "headers": ME}),
}


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("where", WRITES)
def test_busy_while_the_database_is_locked(
    client: TestClient, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    method, path, options = WRITES[where]
    with database_locked():
        assert is_busy(client.request(method, path, **options))
        assert client.get("/api/posts/1").status_code == 200  # readers do not wait
    [line] = [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"]
    assert line.startswith("Answered 503: (")
    assert ("lock timeout" if postgres_url() else "database is locked") in line
    assert "\n" not in line
    assert uploaded_files() == []
    assert client.request(method, path, **options).status_code < 300


@only_sqlite
@pytest.mark.usefixtures("engine")
def test_busy_while_the_database_cannot_be_opened(client: TestClient) -> None:
    with database_locked("EXCLUSIVE"):
        for path in ("/api/posts/1", "/posts/1"):
            assert is_busy(client.get(path))
    assert client.get("/api/posts/1").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("execute", "/api/users/me"), ("rollback", "/api/posts/999999")]
)
def test_busy_in_a_dependency_and_in_its_exit(
    client: TestClient, name: str, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise refused("40001") if postgres_url() else locked("BUSY_SNAPSHOT")

    monkeypatch.setattr(APPS[name].database.new_session.class_, method, fail)
    assert is_busy(client.get(path, headers=ME))


def test_other_database_error_is_a_500(client: TestClient) -> None:
    execute("ALTER TABLE posts RENAME TO other")
    response = client.get("/api/posts/1")
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert "retry-after" not in response.headers
    assert client.post("/api/users/token", data=credentials()).status_code == 200


LOCKED = ("BUSY", "BUSY_SNAPSHOT", "BUSY_RECOVERY", "LOCKED", "LOCKED_SHAREDCACHE")


def locked(code: str | None) -> OperationalError:
    error = sqlite3.OperationalError("database is locked")
    if code is not None:
        error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{code}")
    return OperationalError("SELECT 1", None, error)


@pytest.mark.parametrize("code", [*LOCKED, "IOERR", "FULL", "READONLY", None])
def test_locked_database_is_recognised_by_its_code(code: str | None) -> None:
    assert is_busy_error(locked(code)) == (code in LOCKED)


def refused(state: str | None, message: str = "refused") -> OperationalError:
    """Return an error of PostgreSQL with a SQLSTATE."""
    error = Exception(message)
    vars(error)["sqlstate"] = state
    return OperationalError("SELECT 1", None, error)


@pytest.mark.parametrize(
    ("state", "message", "busy"),
    [
        *((state, "", True) for state in ("40001", "40P01", "53300", "55P03", "57P03")),
        *((state, "too many columns", False) for state in ("54011", "23505", "57P01", "08003")),
        (None, "FATAL:  sorry, too many clients already", True),
        (None, 'FATAL:  too many connections for role "blog"', True),
        (None, "FATAL:  remaining connection slots are reserved for roles", True),
        (None, "connection failed: Connection refused", False),
    ],
)
def test_busy_server_is_recognised_by_its_code(
    state: str | None, message: str, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_server = settings.model_copy(update={"database_url": "postgresql+psycopg://"})
    monkeypatch.setattr(dialects, "settings", on_server)
    assert is_busy_error(refused(state, message)) == busy


@only_postgres
def test_busy_when_the_server_refuses_more_connections(
    client: TestClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute("CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    made = DRIVERS[name][1](make_url(postgres_url() or "").set(username="few"))
    with monkeypatch.context() as patch:
        patch.setitem(APPS[name].database.new_session.kw, "bind", made)
        try:
            assert is_busy(client.get("/api/posts/1"))
        finally:
            execute("DROP ROLE few")
    assert client.get("/api/posts/1").status_code == 200
