"""Engine, pool, session, worker threads and HTTP client have equal settings in both apps."""

from typing import Any

import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, event

from apps.shared.settings import Settings, settings
from tests.apps.serving import APPS, serving

from apps.async_app import database as async_database
from apps.async_app import main as async_main

# The only differences, all of them required: in the sync app, in the async app.
EXPECTED: dict[str, tuple[str, str]] = {
    "driver": ("pysqlite", "aiosqlite"),
    "pool": ("QueuePool", "AsyncAdaptedQueuePool"),
    "session": ("Session", "AsyncSession"),
    "client": ("Client", "AsyncClient"),
}
PRAGMAS = ("busy_timeout", "journal_mode", "synchronous", "foreign_keys")
# Not set by the apps, but decisive for the speed of a connection.
OTHER_PRAGMAS = (
    *("cache_size", "cache_spill", "mmap_size", "page_size", "temp_store", "threads"),
    *("automatic_index", "analysis_limit", "auto_vacuum", "secure_delete", "cell_size_check"),
    *("locking_mode", "wal_autocheckpoint", "journal_size_limit", "read_uncommitted"),
    *("query_only", "recursive_triggers", "reverse_unordered_selects", "checkpoint_fullfsync"),
)
# State of a pool, not settings.
STATE = {"_overflow", "_invalidate_time"}
PLAIN = (bool, int, float, str, type(None))


def settings_of(name: str) -> dict[str, Any]:
    """Return everything in the app `name` that could make it faster or slower."""
    pragmas: list[Any] = []

    def on_connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS + OTHER_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
            pragmas.append((pragma, *(cursor.fetchone() or ())))
        cursor.close()

    with serving(name) as client:
        engine = APPS[name].engine
        event.listen(engine, "connect", on_connect)
        client.get("/api/posts/1")
        event.remove(engine, "connect", on_connect)
        return {
            **of_engine(engine),
            "pragmas": pragmas,
            **_of_session(name),
            **_of_lifespan(client),
        }


def of_engine(engine: Engine) -> dict[str, Any]:
    """Return every plain attribute of engine, pool and queue, so that no option is forgotten."""
    pool: Any = engine.pool
    parts = {"engine": engine, "pool": pool, "queue": pool._pool}
    attributes = {
        f"{part}.{key}": value
        for part, thing in parts.items()
        for key, value in vars(thing).items()
        if isinstance(value, PLAIN) and key not in STATE
    }
    return attributes | {
        "driver": engine.dialect.driver,
        "database": engine.url.database,
        "options": engine.get_execution_options(),
        "pool": type(pool).__name__,
        "pool.size": pool.size(),
        "pool.reset": pool._reset_on_return,
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


def unexpected() -> list[str]:
    """Return the settings that differ otherwise than EXPECTED."""
    sync, asynchronous = settings_of("sync"), settings_of("async")
    return [
        f"{key}: {sync.get(key)!r}, {asynchronous.get(key)!r}"
        for key in sync.keys() | asynchronous.keys() | EXPECTED.keys()
        if (found := (sync.get(key), asynchronous.get(key))) != EXPECTED.get(key, found[:1] * 2)
    ]


def test_settings_are_equal() -> None:
    assert unexpected() == []


def test_defaults_are_those_of_the_libraries() -> None:
    found = settings_of("sync")
    assert (found["pool.size"], found["pool._max_overflow"], found["pool._timeout"]) == (5, 10, 30)
    assert found["worker threads"] == 40
    assert found["session.max_concurrency"] is None
    pragmas = dict(found["pragmas"][: len(PRAGMAS)])
    assert pragmas == dict(zip(PRAGMAS, (5000, "wal", 1, 1), strict=True))
    # Whatever the environment of the tests sets.
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    pool = ("pool_size", "max_overflow", "pool_timeout_s", "worker_threads", "cpu_offload")
    assert [defaults[name] for name in pool] == [5, 10, 30, 40, "none"]


@pytest.mark.parametrize(
    "option",
    [
        {"pool_size": 6},
        {"max_overflow": 11},
        {"pool_timeout": 31},
        {"pool_recycle": 60},
        {"pool_pre_ping": True},
        {"pool_use_lifo": True},
        {"pool_reset_on_return": None},
        {"echo": True},
    ],
    ids=str,
)
def test_drift_of_an_engine_is_found(option: dict[str, Any]) -> None:
    url = "sqlite+pysqlite:///never-opened.db"
    assert of_engine(create_engine(url)) == of_engine(create_engine(url))
    assert of_engine(create_engine(url, **option)) != of_engine(create_engine(url))


def test_drift_of_the_session_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(async_database.new_session.kw, "autoflush", False)
    [found] = unexpected()
    assert found.startswith("session.options")


def test_drift_of_the_thread_limit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    other = settings.model_copy(update={"worker_threads": 41})
    monkeypatch.setattr(async_main, "settings", other)
    assert unexpected() == ["worker threads: 40, 41"]


@pytest.mark.parametrize("pragma", ["synchronous = FULL", "cache_size = 0"])
def test_drift_of_a_pragma_is_found(pragma: str) -> None:
    def drifted(connection: Any, _record: object) -> None:
        connection.cursor().execute(f"PRAGMA {pragma}")

    engine = async_database.engine.sync_engine
    event.listen(engine, "connect", drifted)
    try:
        [found] = unexpected()
    finally:
        event.remove(engine, "connect", drifted)
    assert found.startswith("pragmas")
