"""Engine, sessions, and the session that a request gets."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import event
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from apps.shared.seed import create_and_seed
from apps.shared.settings import settings
from apps.shared.sqlite import prepare_connection

PICTURES = settings.media_folder("async_app") / "profile_pics"

engine = create_async_engine(
    settings.sqlite_url("sqlite+aiosqlite", "async_app"),
    pool_size=settings.pool_size,
    max_overflow=settings.max_overflow,
    pool_timeout=settings.pool_timeout_s,
)
event.listen(engine.sync_engine, "connect", prepare_connection)

# Without expire_on_commit=False, reading a column after a commit would be IO
# in a place where nothing can be awaited.
new_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    # Entering and leaving happen on the loop.
    async with new_session() as session:
        try:
            yield session
        except BaseException:
            # If a COMMIT failed, closing the session is not enough: the
            # connection would go back with its transaction open.
            await session.rollback()
            raise


SessionDep = Annotated[
    AsyncSession,
    Depends(get_session, max_concurrency=settings.sessions_at_once),
]


async def prepare_database() -> None:
    async with engine.begin() as connection:
        # Code written for a plain connection runs as it is.
        await connection.run_sync(create_and_seed, PICTURES)
    # The last connection to close writes the WAL back into the database file.
    await engine.dispose()


async def close_database() -> None:
    await engine.dispose()
