"""Both apps do the same work for the same requests.

Responses, SQL, commits, and the rows and files at the end are equal, while clock and random
values are fixed. The preflight compares the same aspects, but of real servers under load plans:
it sends each request three times to two starts of each app, which here would take minutes.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text

from apps.shared import images, models, security
from apps.shared.rendering import PAGE_HEADERS
from tests.apps.conftest import DATABASE, ON_POSTGRES
from tests.apps.requests import REQUESTS, Case
from tests.apps.serving import (
    APPS,
    PICTURES,
    on_postgres,
    outside,
    postgres_url,
    recorded,
    routes,
    serving,
)
from twinbench.measure.postgres import Databases

from apps.async_app import posts as async_posts
from apps.async_app import workload as async_workload

# Of files: the time when they were written.
VOLATILE_HEADERS = {"date", "last-modified", "etag"}
# All rows, and the next id of each table.
POSTGRES_ROWS = """
    SELECT users::text FROM users UNION ALL SELECT posts::text FROM posts
    UNION ALL SELECT nextval(pg_get_serial_sequence(name, 'id'))::text
    FROM unnest(ARRAY['users', 'posts']) AS name ORDER BY 1
"""
# Parameters as psycopg and asyncpg write them, some with a cast.
PARAMETER = re.compile(r"(%\(\w+\)s|\$\d+)(::[A-Z]+)?( WITHOUT TIME ZONE)?")


class Work(NamedTuple):
    """Result of one request."""

    case: Case
    status: int
    headers: dict[str, str]
    content: bytes
    statements: list[tuple[str, Any]]
    commits: int


class FixedClock:
    NOW = datetime.now(UTC)

    @classmethod
    def now(cls, _zone: object = None) -> datetime:
        return cls.NOW


@pytest.fixture(autouse=True)
def restart_random(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Fix the clock and random values; the result restarts the random values."""
    return fix_clock_and_random(monkeypatch, models, security, images)


def fix_clock_and_random(
    monkeypatch: pytest.MonkeyPatch, models: Any, security: Any, images: Any
) -> Callable[[], None]:
    monkeypatch.setattr(models, "datetime", FixedClock)
    monkeypatch.setattr(security, "datetime", FixedClock)
    hash_with = Argon2Hasher().hash
    salted = type("Salted", (), {"hash": staticmethod(lambda p: hash_with(p, salt=b"0" * 16))})
    salted.verify = staticmethod(security.password_hash.verify)  # type: ignore[attr-defined]
    monkeypatch.setattr(security, "password_hash", salted)

    def restart() -> None:
        numbers = count(1)
        monkeypatch.setattr(images, "uuid4", lambda: UUID(int=next(numbers)))

    return restart


def work(name: str, cases: Sequence[Case]) -> list[Work]:
    """Send `cases` to the app `name` on fresh data."""
    done = []
    with serving(name) as client, recorded(APPS[name].engine) as (statements, commits):
        for case in cases:
            statements.clear()
            commits.clear()
            response = case.send(client)
            headers = {k: v for k, v in response.headers.items() if k not in VOLATILE_HEADERS}
            result = (response.status_code, headers, response.content)
            done.append(Work(case, *result, [*statements], len(commits)))
    return done


def rows_and_files() -> tuple[list[str], dict[str, bytes]]:
    if postgres_url():
        with outside() as connection:
            rows = [str(row[0]) for row in connection.execute(text(POSTGRES_ROWS))]
    else:
        with closing(sqlite3.connect(DATABASE)) as database:
            rows = [*database.iterdump()]
    return rows, {path.name: path.read_bytes() for path in PICTURES.iterdir()}


def test_both_apps_do_the_same_work(restart_random: Callable[[], None]) -> None:
    done, left = {}, {}
    for name in APPS:
        restart_random()
        done[name] = work(name, REQUESTS)
        left[name] = rows_and_files()
    for one, other in zip(done["sync"], done["async"], strict=True):
        assert one == other, one.case
    assert left["sync"] == left["async"]
    assert [(w.case, w.status) for w in done["sync"]] == [(c, c.status) for c in REQUESTS]
    pages = [w for w in done["sync"] if w.headers.get("content-type", "").startswith("text/html")]
    assert len(pages) >= 12  # error pages of all kinds among them
    assert pages == [w for w in done["sync"] if "content-security-policy" in w.headers]
    expected = {name.lower(): value for name, value in PAGE_HEADERS.items()}
    assert all(expected.items() <= w.headers.items() for w in pages)


@pytest.mark.slow
@pytest.mark.postgres
def test_all_drivers_do_the_same_work(
    databases: Databases, restart_random: Callable[[], None]
) -> None:
    done, left = {}, {}
    for variant in ON_POSTGRES:
        app, driver = variant.split()
        restart_random()
        with on_postgres(databases, app, driver):
            done[variant] = work(app, REQUESTS)
            left[variant] = rows_and_files()
    restart_random()
    on_sqlite = work("sync", REQUESTS)
    sync_psycopg, async_psycopg, async_asyncpg = (done[variant] for variant in ON_POSTGRES)
    for one, other in zip(sync_psycopg, async_psycopg, strict=True):
        assert one == other, one.case
    for one, other in zip(sync_psycopg, async_asyncpg, strict=True):
        assert one[:4] == other[:4], one.case
        assert without_parameters(one) == without_parameters(other), one.case
    for one, other in zip(sync_psycopg, on_sqlite, strict=True):
        assert one[:4] == other[:4], one.case
        assert one.commits == other.commits, one.case
    assert left["sync psycopg"] == left["async psycopg"] == left["async asyncpg"]
    assert len(left["sync psycopg"][0]) > 1_900


def without_parameters(work: Work) -> tuple[list[str], int]:
    return [PARAMETER.sub("?", sql) for sql, _ in work.statements], work.commits


def test_every_route_has_a_request() -> None:
    for name, (app, *_) in APPS.items():
        missing = {
            (method, route.path)
            for route in routes(app)
            for method in route.methods or ()
            if not any(
                case.method == method and route.path_regex.match(case.path.partition("?")[0])
                for case in REQUESTS
            )
        }
        assert not missing, name


def _plant(monkeypatch: pytest.MonkeyPatch, extra: Callable[[Any], Any]) -> None:
    find = async_posts.find_post

    async def drifted(session: Any, post_id: int) -> Any:
        post = await find(session, post_id)
        await extra(session)
        return post

    monkeypatch.setattr(async_posts, "find_post", drifted)


DRIFTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "statement": lambda patch: _plant(patch, lambda session: session.execute(text("SELECT 1"))),
    "commit": lambda patch: _plant(patch, lambda session: session.commit()),
    "response": lambda patch: patch.setattr(async_workload, "digest", lambda n: n),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_found(
    drift: str, restart_random: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [Case("GET", "/api/posts/7", 200), Case("GET", "/workload/compute?n=10", 200)]
    restart_random()
    before = {name: work(name, cases) for name in APPS}
    assert before["sync"] == before["async"]
    DRIFTS[drift](monkeypatch)
    assert work("async", cases) != before["sync"]


def test_changed_row_and_extra_file_are_found(restart_random: Callable[[], None]) -> None:
    restart_random()
    work("sync", [])
    rows, files = rows_and_files()
    with APPS["sync"].engine.begin() as connection:
        connection.execute(text("UPDATE posts SET title = 'Other' WHERE id = 9"))
    APPS["sync"].engine.dispose()
    (PICTURES / "orphan.jpg").touch()
    assert rows_and_files()[0] != rows
    assert rows_and_files()[1] != files


def test_both_apps_have_the_same_openapi_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    def schema(name: str) -> Any:
        monkeypatch.setattr(APPS[name].app, "openapi_schema", None)  # it is cached
        return TestClient(APPS[name].app).get("/openapi.json").json()

    assert schema("sync") == schema("async")
    assert len(schema("sync")["paths"]) == 16
    monkeypatch.setattr(APPS["async"].app, "summary", "Other")
    assert schema("sync") != schema("async")
