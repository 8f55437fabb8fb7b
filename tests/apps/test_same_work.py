"""Guard 4: the same requests give the same answers, SQL, commits, and leave the same behind.

The clock and chance are held still, so that equal means equal: of bodies no byte is left out, of
headers only when an answer was sent, and when a file was written.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine, event, text

from apps.shared import images, models, security
from tests.apps.conftest import DATABASE
from tests.apps.requests import REQUESTS, Ask
from tests.apps.serving import PICTURES, TWINS, routes, serving

from apps.async_app import posts as async_posts
from apps.async_app import workload as async_workload


class Work(NamedTuple):
    """What a request came to."""

    ask: Ask
    status: int
    headers: dict[str, str]
    content: bytes
    statements: list[tuple[str, Any]]
    commits: int


class Still:
    """A clock that stands."""

    NOW = datetime.now(UTC)

    @classmethod
    def now(cls, _zone: object = None) -> datetime:
        return cls.NOW


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Time and chance stand still; call it to begin anew with the same chance."""
    return hold_still(monkeypatch, models, security, images)


def hold_still(
    monkeypatch: pytest.MonkeyPatch, models: Any, security: Any, images: Any
) -> Callable[[], None]:
    """Hold time and chance still in these modules; the result begins anew with the same chance."""
    monkeypatch.setattr(models, "datetime", Still)
    monkeypatch.setattr(security, "datetime", Still)
    hash_with = Argon2Hasher().hash
    salted = type("Salted", (), {"hash": staticmethod(lambda p: hash_with(p, salt=b"0" * 16))})
    salted.verify = staticmethod(security.password_hash.verify)  # type: ignore[attr-defined]
    monkeypatch.setattr(security, "password_hash", salted)

    def begin() -> None:
        numbers = count(1)
        monkeypatch.setattr(images, "uuid4", lambda: UUID(int=next(numbers)))

    return begin


@contextmanager
def heard(engine: Engine) -> Iterator[tuple[list[tuple[str, Any]], list[None]]]:
    """The statements with their parameters, and the commits, while it lasts."""
    statements: list[tuple[str, Any]] = []
    commits: list[None] = []

    def statement(_c: Any, _k: Any, sql: str, parameters: Any, *_: Any) -> None:
        statements.append((sql, parameters))

    def commit(_c: Any) -> None:
        commits.append(None)

    event.listen(engine, "before_cursor_execute", statement)
    event.listen(engine, "commit", commit)
    try:
        yield statements, commits
    finally:
        event.remove(engine, "before_cursor_execute", statement)
        event.remove(engine, "commit", commit)


def work(name: str, requests: list[Ask]) -> list[Work]:
    """What the app `name` makes of `requests`, on fresh data."""
    done = []
    with serving(name) as client, heard(TWINS[name].engine) as (statements, commits):
        for ask in requests:
            statements.clear()
            commits.clear()
            answer = ask.send(client)
            headers = {k: v for k, v in answer.headers.items() if k not in UNLIKE}
            content = answer.content
            done.append(
                Work(ask, answer.status_code, headers, content, [*statements], len(commits))
            )
    return done


# When it was sent; of files: when they were written.
UNLIKE = {"date", "last-modified", "etag"}


def left() -> tuple[list[str], dict[str, bytes]]:
    """The whole database as SQL, and every picture."""
    database = sqlite3.connect(DATABASE)
    rows = [*database.iterdump()]
    database.close()
    return rows, {path.name: path.read_bytes() for path in PICTURES.iterdir()}


def test_both_do_the_same_work(still: Callable[[], None]) -> None:
    done, behind = {}, {}
    for name in TWINS:
        still()
        done[name] = work(name, REQUESTS)
        behind[name] = left()
    for one, other in zip(done["sync"], done["async"], strict=True):
        assert one == other, one.ask
    assert behind["sync"] == behind["async"]
    assert [(w.ask, w.status) for w in done["sync"]] == [(a, a.status) for a in REQUESTS]


def test_every_route_is_asked() -> None:
    """Pages and workload routes too, which the API's description does not hold or explain."""
    for name, twin in TWINS.items():
        unasked = {
            (method, route.path)
            for route in routes(twin.app)
            for method in route.methods or ()
            if not any(
                ask.method == method and route.path_regex.match(ask.path.partition("?")[0])
                for ask in REQUESTS
            )
        }
        assert not unasked, name


def _another_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    find = async_posts.find_post

    async def drifted(session: Any, post_id: int) -> Any:
        await session.execute(text("SELECT 1"))
        return await find(session, post_id)

    monkeypatch.setattr(async_posts, "find_post", drifted)


def _another_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    find = async_posts.find_post

    async def drifted(session: Any, post_id: int) -> Any:
        post = await find(session, post_id)
        await session.commit()
        return post

    monkeypatch.setattr(async_posts, "find_post", drifted)


def _another_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_workload, "digest", lambda n: n)


@pytest.mark.parametrize("drift", [_another_statement, _another_commit, _another_answer])
def test_a_drift_is_caught(
    drift: Callable[[pytest.MonkeyPatch], None],
    still: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = [Ask("GET", "/api/posts/7", 200), Ask("GET", "/workload/compute?n=10", 200)]
    still()
    before = {name: work(name, some) for name in TWINS}
    assert before["sync"] == before["async"]
    drift(monkeypatch)
    assert work("async", some) != before["sync"]


def test_a_row_and_a_file_left_behind_are_caught(still: Callable[[], None]) -> None:
    still()
    work("sync", [])
    rows, files = left()
    with sqlite3.connect(DATABASE) as database:
        database.execute("UPDATE posts SET title = 'Other' WHERE id = 9")
    database.close()
    (PICTURES / "orphan.jpg").touch()
    assert left()[0] != rows
    assert left()[1] != files
