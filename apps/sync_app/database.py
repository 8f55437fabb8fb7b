"""Engine, sessions, and the session that a request gets."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from apps.shared.seed import create_and_seed
from apps.shared.settings import settings
from apps.shared.sqlite import prepare_connection

PICTURES = settings.media_folder("sync_app") / "profile_pics"

engine = create_engine(
    settings.sqlite_url("sqlite+pysqlite", "sync_app"),
    pool_size=settings.pool_size,
    max_overflow=settings.max_overflow,
    pool_timeout=settings.pool_timeout_s,
)
event.listen(engine, "connect", prepare_connection)

new_session = sessionmaker(engine, expire_on_commit=False)


def get_session() -> Iterator[Session]:
    # Entering and leaving each cost a hop into the thread pool.
    with new_session() as session:
        try:
            yield session
        except BaseException:
            # If a COMMIT failed, closing the session is not enough: the
            # connection would go back with its transaction open.
            session.rollback()
            raise


SessionDep = Annotated[
    Session,
    Depends(get_session, max_concurrency=settings.sessions_at_once),
]


def prepare_database() -> None:
    with engine.begin() as connection:
        create_and_seed(connection, PICTURES)
    # The last connection to close writes the WAL back into the database file.
    engine.dispose()


def close_database() -> None:
    engine.dispose()
