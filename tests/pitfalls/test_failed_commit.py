"""Pitfall 9: after a failed COMMIT, closing the session leaves the transaction open."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from tests.pitfalls.blog import DATABASE, Post, outside

TITLE = text("SELECT title FROM posts WHERE id = 1")


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Engine with one connection, and a constraint that each COMMIT violates."""
    with outside.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE IF NOT EXISTS broken "
            "(post REFERENCES posts DEFERRABLE INITIALLY DEFERRED)"
        )
        connection.exec_driver_sql(  # dropped with its table
            "CREATE TRIGGER breaking AFTER UPDATE ON posts "
            "BEGIN INSERT INTO broken VALUES (99); END"
        )
    engine = create_engine(f"sqlite+pysqlite:///{DATABASE}", pool_size=1, max_overflow=0)
    yield engine
    engine.dispose()


def change_and_close(engine: Engine) -> None:
    with Session(engine) as session:
        session.execute(text("PRAGMA foreign_keys = ON"))
        post = session.get_one(Post, 1)
        post.title = "refused"
        session.commit()


def change_or_roll_back(engine: Engine) -> None:
    with Session(engine) as session:
        try:
            session.execute(text("PRAGMA foreign_keys = ON"))
            post = session.get_one(Post, 1)
            post.title = "refused"
            session.commit()
        except BaseException:
            session.rollback()
            raise


def test_failed_commit_keeps_the_change_and_the_lock(engine: Engine) -> None:
    with pytest.raises(IntegrityError):
        change_and_close(engine)
    other = create_engine(outside.url, poolclass=NullPool, connect_args={"timeout": 0})
    with Session(other) as session:
        session.add(Post(title="other", user_id=2))
        with pytest.raises(OperationalError, match="database is locked"):
            session.commit()
    with Session(engine) as next_session, Session(outside) as elsewhere:
        assert (next_session.scalar(TITLE), elsewhere.scalar(TITLE)) == ("refused", "first")


def test_rollback_resets_the_connection(engine: Engine) -> None:
    with pytest.raises(IntegrityError):
        change_or_roll_back(engine)
    with Session(engine) as session:
        assert session.scalar(TITLE) == "first"
