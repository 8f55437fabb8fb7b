"""Trap 2: a lazy load that works, because the author happens to be in the session already."""

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
    cursor_left_behind,
    new_session,
)
from tests.pitfalls.page import quoted

app = FastAPI()


async def get_current_user(session: SessionDep, user_id: Annotated[int, Header()]) -> User:
    return await session.get_one(User, user_id)  # stands for decoding a token


CurrentUser = Annotated[User, Depends(get_current_user)]


@app.get("/posts/{post_id}", response_model=PostResponse)
async def read_post(session: SessionDep, current_user: CurrentUser, post_id: int) -> Post:
    result = await session.execute(select(Post).where(Post.id == post_id))
    return result.scalar_one()


class StrictPost(Base):
    """The same table; the author is never loaded behind one's back."""

    __table__ = Post.__table__

    author: Mapped[User] = relationship(lazy="raise", viewonly=True)


class HalfStrictPost(Base):
    __table__ = Post.__table__

    author: Mapped[User] = relationship(lazy="raise_on_sql", viewonly=True)


@app.get("/strict/{post_id}", response_model=PostResponse)
async def read_strictly(session: SessionDep, current_user: CurrentUser, post_id: int) -> StrictPost:
    return await session.get_one(StrictPost, post_id)


@app.get("/half-strict/{post_id}", response_model=PostResponse)
async def read_half_strictly(
    session: SessionDep, current_user: CurrentUser, post_id: int
) -> HalfStrictPost:
    return await session.get_one(HalfStrictPost, post_id)


AS_ADA = TestClient(app, headers={"user-id": "1"})


def test_ones_own_post_works() -> None:
    assert AS_ADA.get("/posts/1").json() == {"title": "first", "author": {"username": "ada"}}


@cursor_left_behind
def test_the_post_of_another_fails() -> None:
    with pytest.raises(ResponseValidationError) as failure:
        AS_ADA.get("/posts/2")
    [error] = failure.value.errors()
    assert quoted(f"identity-{SQLALCHEMY}") in error["msg"]


def test_lazy_raise_fails_for_ones_own_post_too() -> None:
    """So the first test that anybody writes finds it."""
    with pytest.raises(ResponseValidationError) as failure:
        AS_ADA.get("/strict/1")
    [error] = failure.value.errors()
    assert error["msg"] == "Error extracting attribute: " + quoted("lazy-raise")


def test_lazy_raise_on_sql_hides_it_again() -> None:
    assert AS_ADA.get("/half-strict/1").json()["author"] == {"username": "ada"}


@cursor_left_behind
def test_the_session_forgets_objects_that_nobody_holds() -> None:
    """The identity map is weak: loading the author before is no cure, holding it is."""

    async def author_of_first_post(*, hold: bool) -> str:
        async with new_session() as session:
            author = await session.get_one(User, 1)
            if not hold:
                del author
            post = await session.get_one(Post, 1)
            return post.author.username

    assert asyncio.run(author_of_first_post(hold=True)) == "ada"
    with pytest.raises((MissingGreenlet, StatementError)):
        asyncio.run(author_of_first_post(hold=False))
