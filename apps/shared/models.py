"""The tables `users` and `posts`."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# 64 bits in both: in SQLite only an INTEGER can be the row id.
BIG_ID = BigInteger().with_variant(Integer, "sqlite")
DEFAULT_PICTURE = "/static/default.svg"


class UtcDateTime(TypeDecorator[datetime]):
    """Timezone-aware datetime, stored as UTC because SQLite stores no time zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Return the time in UTC, without a time zone."""
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Return the stored time with the time zone UTC."""
        return value and value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Base class of the tables."""


class User(Base):
    """An account."""

    __tablename__ = "users"
    # An id is never used again, because tokens and links outlive their user.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(120), unique=True)
    image_file: Mapped[str | None] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(200))
    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", cascade="all, delete-orphan"
    )

    @property
    def image_path(self) -> str:
        """Return the path of the profile picture, or of the default one."""
        if self.image_file:
            return f"/media/profile_pics/{self.image_file}"
        return DEFAULT_PICTURE


class Post(Base):
    """A post of a user."""

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    title: Mapped[str] = mapped_column(String(100))
    content: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int] = mapped_column(BIG_ID, ForeignKey("users.id"))
    date_posted: Mapped[datetime] = mapped_column(
        UtcDateTime, default=lambda: datetime.now(UTC)
    )
    author: Mapped[User] = relationship(back_populates="posts")

    # Both serve "newest first, then by id"; the second is also the index of the foreign key.
    __table_args__ = (
        Index("ix_posts_newest", date_posted.desc(), id.desc()),
        Index("ix_posts_user_newest", user_id, date_posted.desc(), id.desc()),
        {"sqlite_autoincrement": True},
    )
