"""The two tables."""

from datetime import UTC, datetime

from sqlalchemy import (
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

DEFAULT_PICTURE = "/static/default.svg"


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware datetime; SQLite stores no zone, so it is kept and read back as UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    # Never an id again that somebody had: tokens, and links, outlive their user.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(120), unique=True)
    image_file: Mapped[str | None] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(200))
    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", cascade="all, delete-orphan"
    )

    @property
    def image_path(self) -> str:
        """Where the picture is served."""
        return (
            f"/media/profile_pics/{self.image_file}"
            if self.image_file
            else DEFAULT_PICTURE
        )


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(100))
    content: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    date_posted: Mapped[datetime] = mapped_column(
        UtcDateTime, default=lambda: datetime.now(UTC)
    )
    author: Mapped[User] = relationship(back_populates="posts")

    # Both serve "newest first, id as the tie-breaker"; the second is the foreign key's index too.
    __table_args__ = (
        Index("ix_posts_newest", date_posted.desc(), id.desc()),
        Index("ix_posts_user_newest", user_id, date_posted.desc(), id.desc()),
        {"sqlite_autoincrement": True},
    )
