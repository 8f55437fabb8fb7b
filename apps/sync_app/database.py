"""Engine, session factory, and the session dependency."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from apps.shared.dialects import prepare_connection
from apps.shared.seed import create_and_seed
from apps.shared.settings import settings

PICTURES = settings.media_folder("sync_app") / "profile_pics"

engine = create_engine(
    settings.url("sqlite+pysqlite", "sync_app"),
    pool_size=settings.pool_size,
    max_overflow=settings.max_overflow,
    pool_timeout=settings.pool_timeout_s,
)
event.listen(engine, "connect", prepare_connection)

# By default a commit expires all attributes. The async app cannot load them
# again when they are read, so both apps switch that off.
new_session = sessionmaker(engine, expire_on_commit=False)


def get_session() -> Iterator[Session]:
    """Yield the session of one request, and roll back after an error."""
    # Entering and leaving each run in a worker thread.
    with new_session() as session:
        try:
            yield session
        except BaseException:
            # Closing the session is not enough after a failed COMMIT: the
            # connection would return to the pool with an open transaction.
            session.rollback()
            raise


SessionDep = Annotated[
    Session,
    Depends(get_session, max_concurrency=settings.max_sessions),
]


def prepare_database() -> None:
    """Create the tables, and fill them for the demo."""
    with engine.begin() as connection:
        create_and_seed(connection, PICTURES)
    # Closing the last connection writes the WAL back to the database file.
    engine.dispose()


def close_database() -> None:
    """Close all connections."""
    engine.dispose()
