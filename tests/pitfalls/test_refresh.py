"""Trap 3: what `refresh(post)` loads after a commit, and what it forgets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from fastapi.testclient import TestClient
from sqlalchemy import event, inspect, select
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from tests.pitfalls.blog import (
    SQLALCHEMY,
    Post,
    PostResponse,
    SessionDep,
    User,
    cursor_left_behind,
    engine,
    new_session,
)
from tests.pitfalls.page import quoted

pytestmark = cursor_left_behind
app = FastAPI()


@app.post("/posts", status_code=201, response_model=PostResponse)
async def create_post(session: SessionDep, title: str) -> Post:
    post = Post(title=title, user_id=1)
    session.add(post)
    await session.commit()
    await session.refresh(post)
    return post


@app.post("/fixed", status_code=201, response_model=PostResponse)
async def create_post_with_author(session: SessionDep, title: str) -> Post:
    post = Post(title=title, user_id=1)
    session.add(post)
    await session.commit()
    await session.refresh(post, attribute_names=["author"])
    return post


def test_after_a_plain_refresh_the_response_fails_though_the_post_is_saved() -> None:
    client = TestClient(app)
    with pytest.raises(ResponseValidationError) as failure:
        client.post("/posts", params={"title": "saved all the same"})
    [error] = failure.value.errors()
    assert quoted(f"refresh-{SQLALCHEMY}") in error["msg"]
    assert asyncio.run(titles()) == ["first", "b", "saved all the same"]


def test_with_the_author_named_it_is_answered() -> None:
    answer = TestClient(app).post("/fixed", params={"title": "new"})
    assert answer.json() == {"title": "new", "author": {"username": "ada"}}


async def titles() -> list[str]:
    async with new_session() as session:
        return list(await session.scalars(select(Post.title).order_by(Post.id)))


@pytest.mark.parametrize(
    ("expire_on_commit", "names", "without_before", "selects", "without_after"),
    [
        # After the commit everything is forgotten; refresh() reads the columns back.
        (True, None, {"id", "title", "user_id", "author"}, ["posts"], {"author"}),
        # Nothing was forgotten: refresh() reads again what was known, and nothing else.
        (False, None, {"author"}, ["posts"], {"author"}),
        # By name: a check that the row is there, the forgotten columns, the author.
        (
            True,
            ["author"],
            {"id", "title", "user_id", "author"},
            ["posts", "posts", "users"],
            set(),
        ),
        (False, ["author"], {"author"}, ["posts", "users"], set()),
    ],
)
def test_what_refresh_reads_after_a_commit(
    expire_on_commit: bool,
    names: list[str] | None,
    without_before: set[str],
    selects: list[str],
    without_after: set[str],
) -> None:
    async def commit_and_refresh() -> None:
        async with new_session(expire_on_commit=expire_on_commit) as session:
            post = Post(title="new", user_id=1)
            session.add(post)
            await session.commit()
            assert inspect(post).unloaded == without_before
            with tables_read() as seen:
                await session.refresh(post, attribute_names=names)
            assert seen == selects
            assert inspect(post).unloaded == without_after

    asyncio.run(commit_and_refresh())


async def by_selectinload(session: AsyncSession) -> Post:
    statement = select(Post).options(selectinload(Post.author)).where(Post.id == 1)
    return (await session.execute(statement)).scalar_one()


async def by_refresh(session: AsyncSession) -> Post:
    post = await session.get_one(Post, 1)
    await session.refresh(post, attribute_names=["author"])
    return post


async def by_assignment(session: AsyncSession) -> Post:
    post = Post(title="new", author=await session.get_one(User, 1))
    session.add(post)
    await session.commit()
    return post


@pytest.mark.parametrize(
    ("load", "selects", "without_after"),
    [
        # The options of the query that loaded the post are used again ...
        (by_selectinload, ["posts", "users"], set()),
        # ... an author that came in any other way is forgotten.
        (by_refresh, ["posts"], {"author"}),
        (by_assignment, ["posts"], {"author"}),
    ],
)
def test_a_plain_refresh_forgets_an_author_that_no_query_option_loaded(
    load: Callable[[AsyncSession], Awaitable[Post]],
    selects: list[str],
    without_after: set[str],
) -> None:
    async def load_and_refresh() -> str:
        async with new_session() as session:
            post = await load(session)
            assert inspect(post).unloaded == set()
            with tables_read() as seen:
                await session.refresh(post)
            assert seen == selects
            assert inspect(post).unloaded == without_after
            return post.author.username

    if without_after:
        with pytest.raises((MissingGreenlet, StatementError)):
            asyncio.run(load_and_refresh())
    else:
        assert asyncio.run(load_and_refresh()) == "ada"


@contextmanager
def tables_read() -> Iterator[list[str]]:
    """The table of every SELECT in between."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        words = sql.split()
        assert words[0] == "SELECT"
        seen.append(words[words.index("FROM") + 1])

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine.sync_engine, "before_cursor_execute", note)
