"""Engine, pool, session, worker threads and HTTP client have equal settings in both apps.

Engines are compared as in the preflight, and by their options that a connection does not show.
"""

from pathlib import Path
from typing import Any

import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, event

from apps.shared.settings import Settings, settings
from apps.shared.sqlite import BUSY_TIMEOUT_MS
from tests.apps.conftest import ON_POSTGRES
from tests.apps.serving import APPS, on_postgres, serving
from twinbench.measure.observe import settings_of
from twinbench.measure.postgres import Databases

from apps.async_app import database as async_database
from apps.async_app import main as async_main

# The only differences, all of them required: in the sync app, in the async app.
EXPECTED: dict[str, tuple[str, str]] = {
    "session": ("Session", "AsyncSession"),
    "client": ("Client", "AsyncClient"),
}
# Not compared by the preflight, but decisive for the speed of a connection.
OTHER_PRAGMAS = (
    *("cache_spill", "threads", "automatic_index", "analysis_limit", "auto_vacuum"),
    *("secure_delete", "cell_size_check", "journal_size_limit", "read_uncommitted"),
    *("query_only", "recursive_triggers", "reverse_unordered_selects", "checkpoint_fullfsync"),
)
PLAIN = (bool, int, float, str, type(None))


def settings_of_app(name: str) -> dict[str, Any]:
    """Return settings of engine, session, threads, HTTP client and middleware of the app `name`."""
    found: dict[str, Any] = {}

    def on_execute(connection: Any, *_: object) -> None:
        found.update(of_connection(connection))

    with serving(name) as client:
        engine = APPS[name].engine
        event.listen(engine, "before_cursor_execute", on_execute)
        client.get("/api/posts/1")
        event.remove(engine, "before_cursor_execute", on_execute)
        return found | _of_session(name) | _of_lifespan(client)


def of_connection(connection: Any) -> dict[str, Any]:
    """Return all settings of its engine, and those of SQLite."""
    engine = connection.engine
    cursor = connection.connection.cursor()
    pragmas = [(cursor.execute(f"PRAGMA {p}"), p, cursor.fetchone())[1:] for p in OTHER_PRAGMAS]
    cursor.close()
    return {
        "engine": [*settings_of(connection), f"pool: reset={engine.pool._reset_on_return}"],
        "engine.options": {k: v for k, v in vars(engine).items() if isinstance(v, PLAIN)},
        "engine.pragmas": pragmas,
    }


def _of_session(name: str) -> dict[str, Any]:
    made: Any = APPS[name].database.new_session
    depends: Any = APPS[name].database.SessionDep.__metadata__[0]
    return {
        "session": made.class_.__name__,
        "session.options": {key: value for key, value in made.kw.items() if key != "bind"},
        "session.max_concurrency": depends.max_concurrency,
        "session.scope": depends.scope,
    }


def _of_lifespan(client: TestClient) -> dict[str, Any]:
    async def limit() -> float:
        return current_default_thread_limiter().total_tokens

    portal: Any = client.portal
    upstream = client.app_state["upstream"]
    app: Any = client.app
    return {
        "worker threads": portal.call(limit),
        "client": type(upstream).__name__,
        "client.timeout": upstream.timeout,
        "client.base_url": upstream.base_url,
        "middleware": [middleware.cls for middleware in app.user_middleware],
    }


def unexpected() -> set[str]:
    """Return the settings that differ otherwise than EXPECTED."""
    sync, asynchronous = settings_of_app("sync"), settings_of_app("async")
    return {
        key
        for key in sync.keys() | asynchronous.keys()
        if (found := (sync.get(key), asynchronous.get(key))) != EXPECTED.get(key, found[:1] * 2)
    }


def test_settings_are_equal() -> None:
    assert unexpected() == set()


def test_default_settings_are_as_documented() -> None:
    found = settings_of_app("sync")
    pool = {"queue: maxsize=5", "pool: max_overflow=10", "pool: timeout=30.0"}
    pragmas = ("busy_timeout = 5000", "journal_mode = wal", "synchronous = 1", "foreign_keys = 1")
    assert pool | {f"PRAGMA {pragma}" for pragma in pragmas} <= set(found["engine"])
    assert (found["worker threads"], found["session.max_concurrency"]) == (40, None)
    # Read from the model: the environment of the tests has no effect.
    names = ("pool_size", "max_overflow", "pool_timeout_s", "worker_threads", "cpu_offload")
    assert [Settings.model_fields[n].default for n in names] == [5, 10, 30, 40, "none"]


@pytest.mark.parametrize(
    "option",
    [
        *({"pool_size": 6}, {"max_overflow": 11}, {"pool_timeout": 31}, {"pool_recycle": 60}),
        *({"pool_pre_ping": True}, {"pool_use_lifo": True}, {"pool_reset_on_return": None}),
        {"echo": True},
    ],
    ids=str,
)
def test_drift_of_an_engine_is_found(option: dict[str, Any], tmp_path: Path) -> None:
    def of_engine(**options: Any) -> dict[str, Any]:
        with create_engine(f"sqlite:///{tmp_path / 'x.db'}", **options).connect() as connection:
            return of_connection(connection)

    assert of_engine() == of_engine()
    assert of_engine(**option) != of_engine()


def test_drift_of_the_session_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(async_database.new_session.kw, "autoflush", False)
    assert unexpected() == {"session.options"}


def test_drift_of_the_thread_limit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    other = settings.model_copy(update={"worker_threads": 41})
    monkeypatch.setattr(async_main, "settings", other)
    assert unexpected() == {"worker threads"}


@pytest.mark.parametrize(
    ("pragma", "where"),
    [("synchronous = FULL", "engine"), ("threads = 2", "engine.pragmas")],
)
def test_drift_of_a_pragma_is_found(pragma: str, where: str) -> None:
    def drifted(connection: Any, _record: object) -> None:
        connection.cursor().execute(f"PRAGMA {pragma}")

    engine = async_database.engine.sync_engine
    event.listen(engine, "connect", drifted)
    try:
        assert unexpected() == {where}
    finally:
        event.remove(engine, "connect", drifted)


@pytest.mark.slow
@pytest.mark.postgres
def test_sessions_of_all_drivers_have_equal_settings(databases: Databases) -> None:
    found = {}
    for variant in ON_POSTGRES:
        app, driver = variant.split()
        with on_postgres(databases, app, driver), serving(app) as client:
            found[variant] = session_settings(app, client)
    first = found["sync psycopg"]
    assert first["lock_timeout"] == str(BUSY_TIMEOUT_MS)
    assert first["default_transaction_isolation"] == "read committed"
    assert found == dict.fromkeys(ON_POSTGRES, first)


def session_settings(name: str, client: TestClient) -> dict[str, str]:
    """Return all settings of a session of the app `name`."""
    settings: dict[str, str] = {}

    def on_execute(connection: Any, *_: object) -> None:
        cursor = connection.connection.cursor()
        cursor.execute("SELECT name, setting FROM pg_settings")
        settings.update(cursor.fetchall())
        cursor.close()

    event.listen(APPS[name].engine, "before_cursor_execute", on_execute)
    client.get("/api/posts/1")
    return settings
