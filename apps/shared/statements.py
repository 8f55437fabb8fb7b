"""All SQL statements of the blog, shared so that both apps execute the same SQL.

Each query that leads to an author loads it with `selectinload`. The async app must, because it
cannot load lazily; the sync app does the same, so that both do equal work.
"""

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.dml import ReturningUpdate

from apps.shared.models import Post, User

NEWEST_FIRST = (Post.date_posted.desc(), Post.id.desc())


def post_by_id(post_id: int) -> Select[Post]:
    """Select a post with its author."""
    return (
        select(Post)
        .options(selectinload(Post.author))
        .where(Post.id == post_id)
    )


def posts_page(skip: int, limit: int) -> Select[Post]:
    """Select a page of posts with their authors, newest first."""
    with_author = select(Post).options(selectinload(Post.author))
    return with_author.order_by(*NEWEST_FIRST).offset(skip).limit(limit)


def count_posts() -> Select[int]:
    """Count all posts."""
    return select(func.count()).select_from(Post)


def user_posts_page(user_id: int, skip: int, limit: int) -> Select[Post]:
    """Select a page of the posts of one user, newest first."""
    return posts_page(skip, limit).where(Post.user_id == user_id)


def count_user_posts(user_id: int) -> Select[int]:
    """Count the posts of one user."""
    return count_posts().where(Post.user_id == user_id)


def user_by_id(user_id: int) -> Select[User]:
    """Select a user by id."""
    return select(User).where(User.id == user_id)


def user_by_username(username: str) -> Select[User]:
    """Select a user by name."""
    return select(User).where(User.username == username)


def user_by_email(email: str) -> Select[User]:
    """Select a user by email address."""
    return select(User).where(User.email == email)


def user_for_update(user_id: int) -> ReturningUpdate[User]:
    """Lock the user until the commit and return the stored row.

    Otherwise two concurrent uploads would both replace the same old picture, and one of the new
    files would belong to no row. SQLite has no SELECT ... FOR UPDATE; an UPDATE that changes
    nothing takes its write lock.
    """
    unchanged = (
        update(User)
        .where(User.id == user_id)
        .values(image_file=User.image_file)
    )
    return unchanged.returning(User).execution_options(
        populate_existing=True, synchronize_session=False
    )


def database_wait(ms: float) -> Select[int]:
    """Wait `ms` milliseconds in the database (`sqlite.prepare_connection`, `dialects.WAIT_MS`)."""
    return select(func.wait_ms(ms))
