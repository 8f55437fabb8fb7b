"""Tables and demo data: the same rows at every start, on every machine."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from apps.shared.dialects import continue_ids, create_tables
from apps.shared.images import demo_picture
from apps.shared.models import Post, User
from apps.shared.security import (
    DEMO_EMAIL,
    DEMO_PASSWORD,
    DEMO_PASSWORD_HASH,
    NO_PASSWORD_HASH,
)
from apps.shared.settings import settings

# Uvicorn's own logger, so that messages appear in its output without any configuration.
logger = logging.getLogger("uvicorn.error")
USERS = 50
PICTURE_EVERY = 3  # users; the others have the default picture
POSTS = 2_000
SEED = 7
FIRST_POST = datetime(2026, 1, 1, tzinfo=UTC)
VOCABULARY = (
    "async await loop thread pool session query index commit route "
    "request response latency socket driver engine model schema "
    "template page author cache queue worker signal"
)


def create_and_seed(connection: Connection, pictures: Path) -> None:
    """Create the tables, fill them for the demo if there is no user, and set demo passwords.

    `pictures` is the folder of the users' pictures.
    """
    create_tables(connection)
    pictures.mkdir(parents=True, exist_ok=True)
    if settings.demo and not connection.scalar(
        select(exists().where(User.id > 0))
    ):
        connection.execute(insert(User), _users())
        connection.execute(insert(Post), _posts())
        continue_ids(connection)
        for user in _users():
            if name := user["image_file"]:
                (pictures / name).write_bytes(demo_picture(user["id"]))
    changed = _change_demo_passwords(connection)
    if settings.demo:
        logger.info(
            "Demo: anybody can log in as %s with the password %r. To switch"
            " it off, set BLOG_DEMO=0 and your own BLOG_SECRET_KEY.",
            DEMO_EMAIL,
            DEMO_PASSWORD,
        )
    elif changed:
        logger.warning(
            "%d users of the demo are in the database; they cannot log in any more",
            changed,
        )


def _change_demo_passwords(connection: Connection) -> int:
    """Remove the public password from all who have it, or restore it for the demo.

    Return the number of users that changed.
    """
    hashes = [DEMO_PASSWORD_HASH, NO_PASSWORD_HASH]
    old, new = reversed(hashes) if settings.demo else hashes
    demo_users = update(User).where(User.password_hash == old)
    return connection.execute(demo_users.values(password_hash=new)).rowcount


def _users() -> list[dict[str, Any]]:
    return [
        {
            "id": n,
            "username": f"user{n}",
            "email": f"user{n}@example.com",
            "image_file": None if n % PICTURE_EVERY else f"user{n}.jpg",
            "password_hash": DEMO_PASSWORD_HASH,
        }
        for n in range(1, USERS + 1)
    ]


def _posts() -> list[dict[str, Any]]:
    random, words = Random(SEED), VOCABULARY.split()
    return [
        {
            "id": n,
            "title": " ".join(random.choices(words, k=4)).capitalize(),
            "content": " ".join(random.choices(words, k=60)).capitalize()
            + ".",
            "user_id": random.randint(1, USERS),
            "date_posted": FIRST_POST + timedelta(minutes=n),
        }
        for n in range(1, POSTS + 1)
    ]
