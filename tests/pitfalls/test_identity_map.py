"""Pitfall 2: a lazy load works while the author is in the session."""

import asyncio
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Header
from fastapi.exceptions import ResponseValidationError
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.orm import Mapped, relationship

from tests.pitfalls.blog import (
    SQLALCHEMY,
    Base,
    Post,
    PostResponse,
    SessionDep,
    User,
    ignore_dropped_cursor,
    new_session,
)
from tests.pitfalls.page import quoted

app = FastAPI()


async def get_current_user(session: SessionDep, user_id: Annotated[int, Header()]) -> User:
    return await session.get_one(User, user_id)  # in place of decoding a token


CurrentUser = Annotated[User, Depends(get_current_user)]


@app.get("/posts/{post_id}", response_model=PostResponse)
async def read_post(session: SessionDep, current_user: CurrentUser, post_id: int) -> Post:
    result = await session.execute(select(Post).where(Post.id == post_id))
    return result.scalar_one()


class StrictPost(Base):
    __table__ = Post.__table__

    author: Mapped[User] = relationship(lazy="raise", viewonly=True)


class HalfStrictPost(Base):
    __table__ = Post.__table__

    author: Mapped[User] = relationship(lazy="raise_on_sql", viewonly=True)


@app.get("/strict/{post_id}", response_model=PostResponse)
async def read_strict(session: SessionDep, current_user: CurrentUser, post_id: int) -> StrictPost:
    return await session.get_one(StrictPost, post_id)


@app.get("/half-strict/{post_id}", response_model=PostResponse)
async def read_half_strict(
    session: SessionDep, current_user: CurrentUser, post_id: int
) -> HalfStrictPost:
    return await session.get_one(HalfStrictPost, post_id)


AS_ADA = TestClient(app, headers={"user-id": "1"})


def error_of(path: str) -> str:
    with pytest.raises(ResponseValidationError) as failure:
        AS_ADA.get(path)
    [error] = failure.value.errors()
    return str(error["msg"])


def test_own_post_works() -> None:
    assert AS_ADA.get("/posts/1").json() == {"title": "first", "author": {"username": "ada"}}


@ignore_dropped_cursor
def test_post_of_another_user_fails() -> None:
    assert quoted(f"identity-{SQLALCHEMY}") in error_of("/posts/2")


def test_lazy_raise_fails_for_the_own_post_too() -> None:
    assert error_of("/strict/1") == "Error extracting attribute: " + quoted("lazy-raise")


def test_lazy_raise_on_sql_hides_the_pitfall() -> None:
    assert AS_ADA.get("/half-strict/1").json()["author"] == {"username": "ada"}


async def author_of_first_post(*, keep_reference: bool) -> str:
    async with new_session() as session:
        author = await session.get_one(User, 1)
        if not keep_reference:
            del author
        post = await session.get_one(Post, 1)
        return post.author.username


@ignore_dropped_cursor
def test_session_drops_objects_without_a_reference() -> None:
    assert asyncio.run(author_of_first_post(keep_reference=True)) == "ada"
    with pytest.raises((MissingGreenlet, StatementError)):
        asyncio.run(author_of_first_post(keep_reference=False))
