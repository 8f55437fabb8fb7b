"""Pitfall 8: a write held open over an `await` blocks all other writers of SQLite."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import NullPool
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from tests.pitfalls.blog import DATABASE, Post, engine
from tests.pitfalls.page import quoted

# No busy timeout instead of sqlite3's 5 s; the error is the same.
no_timeout = create_async_engine(
    f"sqlite+aiosqlite:///{DATABASE}", poolclass=NullPool, connect_args={"timeout": 0}
)


class Api:
    """External API that answers when `answer` is set."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def suggest_title(self) -> str:
        self.asked.set()
        await self.answer.wait()
        return "suggested"


async def write_then_ask(session: AsyncSession, api: Api) -> None:
    post = Post(title="?", user_id=1)
    session.add(post)
    await session.flush()
    post.title = await api.suggest_title()
    await session.commit()


async def ask_then_write(session: AsyncSession, api: Api) -> None:
    title = await api.suggest_title()
    session.add(Post(title=title, user_id=1))
    await session.commit()


async def with_another_writer(write: Callable[[AsyncSession, Api], Awaitable[None]]) -> None:
    """Run `write`, with another write while it waits for the API."""
    api = Api()
    async with AsyncSession(no_timeout) as session, AsyncSession(no_timeout) as other:
        writing = asyncio.ensure_future(write(session, api))
        await api.asked.wait()
        try:
            other.add(Post(title="other", user_id=2))
            await other.commit()
        finally:
            api.answer.set()
            await writing


def test_write_before_the_await_locks_others_out() -> None:
    with pytest.raises(OperationalError) as failure:
        asyncio.run(with_another_writer(write_then_ask))
    assert str(failure.value).splitlines()[0] == quoted("locked")


def test_busy_timeout_is_5_s_by_default() -> None:
    async def busy_timeout_ms() -> int:
        async with engine.connect() as connection:
            result = await connection.exec_driver_sql("PRAGMA busy_timeout")
            return int(result.scalar_one())

    assert asyncio.run(busy_timeout_ms()) == 5_000


def test_write_after_the_await_saves_both() -> None:
    asyncio.run(with_another_writer(ask_then_write))
