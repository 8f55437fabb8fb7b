"""The smallest blog that has the traps: two tables, a session dependency, a response model.

It is not `apps`: those have no traps, and grow; this one stays as short as what it explains.
"""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import pytest
import sqlalchemy
from fastapi import Depends
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

# "2.0" or "2.1": they answer a lazy load differently.
SQLALCHEMY = sqlalchemy.__version__.rpartition(".")[0]

# SQLAlchemy 2.1 drops the coroutine that it could not await; Python says so, and it means nothing.
cursor_left_behind = pytest.mark.filterwarnings(
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

# No pool: nothing of one test's event loop is left for the next.
engine = create_async_engine(f"sqlite+aiosqlite:///{DATABASE}", poolclass=NullPool)
new_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]

# The same file for whoever looks from outside: fills it, and sees what was saved.
outside = create_engine(f"sqlite+pysqlite:///{DATABASE}", poolclass=NullPool)


def start_afresh() -> None:
    """Ada (1) and Bob (2), with a post each: 1 is Ada's, 2 is Bob's."""
    Base.metadata.drop_all(outside)
    Base.metadata.create_all(outside)
    with Session(outside) as session:
        session.add_all([User(id=1, username="ada"), User(id=2, username="bob")])
        session.flush()
        session.add_all([Post(id=1, title="first", user_id=1), Post(id=2, title="b", user_id=2)])
        session.commit()
