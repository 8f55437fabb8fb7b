"""Engine, session factory, and the session dependency."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import event
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from apps.shared.dialects import prepare_connection
from apps.shared.seed import create_and_seed
from apps.shared.settings import settings

PICTURES = settings.media_folder("async_app") / "profile_pics"

engine = create_async_engine(
    settings.url("sqlite+aiosqlite", "async_app"),
    pool_size=settings.pool_size,
    max_overflow=settings.max_overflow,
    pool_timeout=settings.pool_timeout_s,
)
event.listen(engine.sync_engine, "connect", prepare_connection)

# By default a commit expires all attributes. Reading one would then need a
# query where nothing can be awaited.
new_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    """Yield the session of one request, and roll back after an error."""
    # Entering and leaving run on the event loop.
    async with new_session() as session:
        try:
            yield session
        except BaseException:
            # Closing the session is not enough after a failed COMMIT: the
            # connection would return to the pool with an open transaction.
            await session.rollback()
            raise


SessionDep = Annotated[
    AsyncSession,
    Depends(get_session, max_concurrency=settings.max_sessions),
]


async def prepare_database() -> None:
    """Create the tables, and fill them for the demo."""
    async with engine.begin() as connection:
        # run_sync() calls a function that takes an ordinary Connection.
        await connection.run_sync(create_and_seed, PICTURES)
    # Closing the last connection writes the WAL back to the database file.
    await engine.dispose()


async def close_database() -> None:
    """Close all connections."""
    await engine.dispose()
