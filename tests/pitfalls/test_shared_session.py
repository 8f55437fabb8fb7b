"""Pitfall 11: two tasks use one `AsyncSession` at the same time."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Result, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from tests.pitfalls.blog import Post, User, new_session
from tests.pitfalls.page import quoted

Found = Result[Any]


async def both_at_once(session: AsyncSession) -> tuple[Found, Found]:
    posts, users = session.execute(select(Post)), session.execute(select(User))
    return await asyncio.gather(posts, users)


async def one_by_one(session: AsyncSession) -> tuple[Found, Found]:
    posts = await session.execute(select(Post))
    users = await session.execute(select(User))
    return posts, users


def rows(found: tuple[Found, Found]) -> list[int]:
    return [len(result.all()) for result in found]


def test_two_tasks_at_once_fail() -> None:
    async def run() -> str:
        async with new_session() as session:
            with pytest.raises(InvalidRequestError) as failure:
                await both_at_once(session)
            # The other task still runs; closing the session now would raise another error.
            await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
        return str(failure.value)

    assert asyncio.run(run()).startswith(quoted("two-tasks"))


def test_one_query_after_the_other_or_two_sessions_work() -> None:
    async def run() -> None:
        async with new_session() as one, new_session() as other:
            assert rows(await one_by_one(one)) == [2, 2]
            both = asyncio.gather(one.execute(select(Post)), other.execute(select(User)))
            assert rows(await both) == [2, 2]

    asyncio.run(run())
