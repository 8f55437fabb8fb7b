"""Every statement of the blog: one source for both apps, so that they run the same SQL.

Each read that shows an author loads it with `selectinload`. The async app must (it cannot
load lazily); the sync app does the same so that the two are compared at equal work.
"""

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.dml import ReturningUpdate

from apps.shared.models import Post, User

NEWEST_FIRST = (Post.date_posted.desc(), Post.id.desc())


def post_by_id(post_id: int) -> Select[Post]:
    return (
        select(Post)
        .options(selectinload(Post.author))
        .where(Post.id == post_id)
    )


def posts_page(skip: int, limit: int) -> Select[Post]:
    with_author = select(Post).options(selectinload(Post.author))
    return with_author.order_by(*NEWEST_FIRST).offset(skip).limit(limit)


def count_posts() -> Select[int]:
    return select(func.count()).select_from(Post)


def user_posts_page(user_id: int, skip: int, limit: int) -> Select[Post]:
    return posts_page(skip, limit).where(Post.user_id == user_id)


def count_user_posts(user_id: int) -> Select[int]:
    return count_posts().where(Post.user_id == user_id)


def user_by_id(user_id: int) -> Select[User]:
    return select(User).where(User.id == user_id)


def user_by_username(username: str) -> Select[User]:
    return select(User).where(User.username == username)


def user_by_email(email: str) -> Select[User]:
    return select(User).where(User.email == email)


def held_user(user_id: int) -> ReturningUpdate[User]:
    """The user as stored now, who nobody else can change before our commit.

    Two uploads at once would otherwise both replace the same old picture, and one of the
    new ones would belong to nobody. SQLite has no SELECT ... FOR UPDATE; an UPDATE that
    changes nothing takes its write lock.
    """
    same = (
        update(User)
        .where(User.id == user_id)
        .values(image_file=User.image_file)
    )
    return same.returning(User).execution_options(
        populate_existing=True, synchronize_session=False
    )


def database_wait(ms: float) -> Select[int]:
    """One statement that takes `ms` in the database (see `sqlite.prepare_connection`)."""
    return select(func.wait_ms(ms))
