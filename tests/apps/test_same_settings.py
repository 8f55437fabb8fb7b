"""Guard 5: engine, pool, session, thread limit and HTTP client are set up alike.

What must differ stands in one table, with its reason.
"""

from typing import Any

import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, event

from apps.shared.settings import Settings, settings
from tests.apps.serving import TWINS, serving

from apps.async_app import database as async_database
from apps.async_app import main as async_main

# Sync, async, and why. Nothing else may differ; nothing here may be equal.
DECLARED: dict[str, tuple[Any, Any, str]] = {
    "driver": ("pysqlite", "aiosqlite", "the only one for SQLite that can be awaited"),
    "pool": ("QueuePool", "AsyncAdaptedQueuePool", "the same queue, waited for on the loop"),
    "session": ("Session", "AsyncSession", "the same session behind awaits"),
    "client": ("Client", "AsyncClient", "the same library in both colours"),
}
PRAGMAS = ("busy_timeout", "journal_mode", "synchronous", "foreign_keys")
# Left as they are, and what else decides how fast a connection is.
OTHER_PRAGMAS = (
    *("cache_size", "cache_spill", "mmap_size", "page_size", "temp_store", "threads"),
    *("automatic_index", "analysis_limit", "auto_vacuum", "secure_delete", "cell_size_check"),
    *("locking_mode", "wal_autocheckpoint", "journal_size_limit", "read_uncommitted"),
    *("query_only", "recursive_triggers", "reverse_unordered_selects", "checkpoint_fullfsync"),
)
# Counters that go up and down with use.
STATE = {"_overflow", "_invalidate_time"}
PLAIN = (bool, int, float, str, type(None))


def setup(name: str) -> dict[str, Any]:
    """Everything about the app `name` that could make it faster or slower than its twin."""
    pragmas: list[Any] = []

    def read(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS + OTHER_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
            pragmas.append((pragma, *(cursor.fetchone() or ())))
        cursor.close()

    with serving(name) as client:
        engine = TWINS[name].engine
        event.listen(engine, "connect", read)
        client.get("/api/posts/1")
        event.remove(engine, "connect", read)
        return {**of_engine(engine), "pragmas": pragmas, **of_session(name), **_at_run_time(client)}


def of_engine(engine: Engine) -> dict[str, Any]:
    """Every plain attribute of engine, pool and queue, so that a new option is not forgotten."""
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
        "isolation": engine.get_execution_options(),
        "pool": type(pool).__name__,
        "pool.size": pool.size(),
        "pool.reset": pool._reset_on_return,
    }


def of_session(name: str) -> dict[str, Any]:
    made: Any = TWINS[name].database.new_session
    depends: Any = TWINS[name].database.SessionDep.__metadata__[0]
    return {
        "session": made.class_.__name__,
        "session.options": {key: value for key, value in made.kw.items() if key != "bind"},
        "session.at_once": depends.max_concurrency,
        "session.scope": depends.scope,
    }


def _at_run_time(client: TestClient) -> dict[str, Any]:
    async def tokens() -> float:
        return current_default_thread_limiter().total_tokens

    portal: Any = client.portal
    upstream = client.app_state["upstream"]
    app: Any = client.app
    return {
        "thread tokens": portal.call(tokens),
        "client": type(upstream).__name__,
        "client.timeout": upstream.timeout,
        "client.address": upstream.base_url,
        "middleware": [middleware.cls for middleware in app.user_middleware],
    }


def undeclared(sync: dict[str, Any], asynchronous: dict[str, Any]) -> list[str]:
    """What differs and is not declared, or is declared and does not differ so."""
    found = [
        f"{key}: {sync.get(key)!r}, {asynchronous.get(key)!r}"
        for key in sync.keys() | asynchronous.keys()
        if key not in DECLARED and sync.get(key) != asynchronous.get(key)
    ]
    return found + [
        f"{key} is declared otherwise"
        for key, (one, other, _why) in DECLARED.items()
        if (sync.get(key), asynchronous.get(key)) != (one, other)
    ]


def test_both_are_set_up_alike() -> None:
    assert undeclared(setup("sync"), setup("async")) == []


def test_the_defaults_are_as_taught() -> None:
    found = setup("sync")
    assert (found["pool.size"], found["pool._max_overflow"], found["pool._timeout"]) == (5, 10, 30)
    assert found["thread tokens"] == 40
    # Whatever the environment says while this is run.
    declared = {name: field.default for name, field in Settings.model_fields.items()}
    assert (declared["pool_size"], declared["max_overflow"], declared["pool_timeout_s"]) == (
        5,
        10,
        30,
    )
    assert (declared["worker_threads"], declared["cpu_offload"]) == (40, "none")
    assert found["session.at_once"] is None
    assert found["pragmas"][: len(PRAGMAS)] == [
        *[("busy_timeout", 5000), ("journal_mode", "wal"), ("synchronous", 1), ("foreign_keys", 1)]
    ]


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
def test_an_engine_that_drifts_is_caught(option: dict[str, Any]) -> None:
    url = "sqlite+pysqlite:///never-opened.db"
    assert of_engine(create_engine(url)) == of_engine(create_engine(url))
    assert of_engine(create_engine(url, **option)) != of_engine(create_engine(url))


def test_a_session_that_drifts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(async_database.new_session.kw, "autoflush", False)
    [found] = undeclared(setup("sync"), setup("async"))
    assert found.startswith("session.options")


def test_a_thread_limit_that_drifts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    other = settings.model_copy(update={"worker_threads": 41})
    monkeypatch.setattr(async_main, "settings", other)
    assert undeclared(setup("sync"), setup("async")) == ["thread tokens: 40, 41"]


@pytest.mark.parametrize("pragma", ["synchronous = FULL", "cache_size = 0"])
def test_a_pragma_that_drifts_is_caught(pragma: str) -> None:
    def drifted(connection: Any, _record: object) -> None:
        connection.cursor().execute(f"PRAGMA {pragma}")

    engine = async_database.engine.sync_engine
    event.listen(engine, "connect", drifted)
    try:
        [found] = undeclared(setup("sync"), setup("async"))
    finally:
        event.remove(engine, "connect", drifted)
    assert found.startswith("pragmas")
