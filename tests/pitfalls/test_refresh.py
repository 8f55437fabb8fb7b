"""Pitfall 3: what `refresh(post)` loads after a commit, and what it expires."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from fastapi.testclient import TestClient
from sqlalchemy import event, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from tests.pitfalls.blog import (
    SQLALCHEMY,
    Post,
    PostResponse,
    SessionDep,
    User,
    engine,
    ignore_dropped_cursor,
    new_session,
)
from tests.pitfalls.page import quoted

pytestmark = ignore_dropped_cursor
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


def test_response_fails_after_refresh_without_names() -> None:
    client = TestClient(app)
    with pytest.raises(ResponseValidationError) as failure:
        client.post("/posts", params={"title": "saved"})
    [error] = failure.value.errors()
    assert quoted(f"refresh-{SQLALCHEMY}") in error["msg"]
    assert asyncio.run(titles()) == ["first", "b", "saved"]


def test_refresh_with_the_author_loads_it() -> None:
    response = TestClient(app).post("/fixed", params={"title": "new"})
    assert response.json() == {"title": "new", "author": {"username": "ada"}}


async def titles() -> list[str]:
    async with new_session() as session:
        return list(await session.scalars(select(Post.title).order_by(Post.id)))


ALL = {"id", "title", "user_id", "author"}


@pytest.mark.parametrize(
    ("expire_on_commit", "names", "without_before", "selects", "without_after"),
    [
        # The commit expires everything; refresh() reads the columns.
        (True, None, ALL, ["posts"], {"author"}),
        # The commit expires nothing; refresh() reads the columns again.
        (False, None, {"author"}, ["posts"], {"author"}),
        # By name: a check of the row, the expired columns, the author.
        (True, ["author"], ALL, ["posts", "posts", "users"], set()),
        (False, ["author"], {"author"}, ["posts", "users"], set()),
    ],
)
def test_selects_of_refresh_after_a_commit(
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
            with tables_read() as read:
                await session.refresh(post, attribute_names=names)
            assert read == selects
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
        # The options of the query apply again.
        (by_selectinload, ["posts", "users"], set()),
        # An author loaded in another way is expired.
        (by_refresh, ["posts"], {"author"}),
        (by_assignment, ["posts"], {"author"}),
    ],
)
def test_refresh_expires_an_author_that_no_option_loaded(
    load: Callable[[AsyncSession], Awaitable[Post]],
    selects: list[str],
    without_after: set[str],
) -> None:
    async def load_and_refresh() -> None:
        async with new_session() as session:
            post = await load(session)
            assert inspect(post).unloaded == set()
            with tables_read() as read:
                await session.refresh(post)
            assert read == selects
            assert inspect(post).unloaded == without_after

    asyncio.run(load_and_refresh())


@contextmanager
def tables_read() -> Iterator[list[str]]:
    """Record the table of each SELECT."""
    read: list[str] = []

    def note(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        words = sql.split()
        assert words[0] == "SELECT"
        read.append(words[words.index("FROM") + 1])

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield read
    event.remove(engine.sync_engine, "before_cursor_execute", note)
