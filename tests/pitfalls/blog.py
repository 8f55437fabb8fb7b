"""A minimal blog for the pitfalls: two tables, a session dependency, response models."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import pytest
import sqlalchemy
from fastapi import Depends
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, ForeignKey, NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

# "2.0" or "2.1": their errors of a lazy load differ.
SQLALCHEMY = sqlalchemy.__version__.rpartition(".")[0]

# SQLAlchemy 2.1 drops the coroutine that it could not await.
ignore_dropped_cursor = pytest.mark.filterwarnings(
    "ignore:coroutine 'Connection.cursor' was never awaited:RuntimeWarning"
)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    author: Mapped[User] = relationship()


class UserResponse(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    username: str


class PostResponse(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    title: str
    author: UserResponse


FOLDER = tempfile.TemporaryDirectory(prefix="twinbench-pitfalls-")
DATABASE = Path(FOLDER.name) / "blog.db"

# No pool, because each test has an event loop of its own.
engine = create_async_engine(f"sqlite+aiosqlite:///{DATABASE}", poolclass=NullPool)
new_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]

# A synchronous engine of the same file, which fills it and reads what was committed.
outside = create_engine(f"sqlite+pysqlite:///{DATABASE}", poolclass=NullPool)


def reset_database(engine: Engine = outside) -> None:
    """Create the users Ada (1) and Bob (2), and a post of each (1 and 2)."""
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([User(username="ada"), User(username="bob")])
        session.flush()
        session.add_all([Post(title="first", user_id=1), Post(title="b", user_id=2)])
        session.commit()
