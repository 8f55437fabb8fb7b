"""The data that both apps start from: the same rows every time, on every machine."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection, exists, insert, select

from apps.shared.models import Base, Post, User

USERS = 50
POSTS = 2_000
SEED = 7
FIRST_POST = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [
    *(
        "async",
        "await",
        "loop",
        "thread",
        "pool",
        "session",
        "query",
        "index",
        "commit",
    ),
    *("route", "request", "response", "latency", "socket", "driver", "engine", "model"),
    *("schema", "template", "page", "author", "cache", "queue", "worker", "signal"),
]


def create_and_seed(connection: Connection) -> None:
    """Make the tables, and fill them if there is no user yet.

    The write lock is taken first: several workers may start on one file at once.
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    Base.metadata.create_all(connection)
    if not connection.scalar(select(exists().where(User.id.is_not(None)))):
        connection.execute(insert(User), _users())
        connection.execute(insert(Post), _posts())


def _users() -> list[dict[str, Any]]:
    return [
        {
            "id": n,
            "username": f"user{n}",
            "email": f"user{n}@example.com",
            "image_file": None,
        }
        for n in range(1, USERS + 1)
    ]


def _posts() -> list[dict[str, Any]]:
    random = Random(SEED)
    return [
        {
            "id": n,
            "title": " ".join(random.choices(WORDS, k=4)).capitalize(),
            "content": " ".join(random.choices(WORDS, k=60)).capitalize() + ".",
            "user_id": random.randint(1, USERS),
            "date_posted": FIRST_POST + timedelta(minutes=n),
        }
        for n in range(1, POSTS + 1)
    ]
