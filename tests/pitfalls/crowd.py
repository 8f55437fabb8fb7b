"""Two threads, one connection, and more requests at once than those can serve.

The blog as one writes it (40 threads, 5 + 10 connections) stops in the same way, only later:
what counts is that as many requests as threads and connections together are under way.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anyio import from_thread
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import Engine, QueuePool, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from tests.pitfalls.blog import DATABASE

THREADS = 2
CONNECTIONS = 1
CROWD = 4  # more than threads and connections together

# How long SQLAlchemy waits for a connection (pool_timeout; its default is 30 s). Where an app is
# expected to stop, it shall say so soon; where it is not, no pause of the machine may look like it.
SOON_S = 0.3
PATIENT_S = 30.0

# Turns of the event loop without any change, until nobody is taken to move: between two of its
# threads a request takes a handful of them.
STILL_TURNS = 50


class Places:
    """Where the requests of a crowd are: by the threads that serve them."""

    def __init__(self) -> None:
        self.crowd = 0
        self.sessions = 0
        self.wanting: set[int] = set()  # a connection
        self.holding: set[int] = set()  # a connection, in `meet`

    def meet(self, *_: object) -> None:
        """Hold a statement until all other requests are under way, and can go no further."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._meet_in_thread()
        else:  # the others are on their way in threads
            while self.sessions < self.crowd:
                time.sleep(0.001)

    def _meet_in_thread(self) -> None:
        self.holding.add(threading.get_ident())
        seen, turns = None, 0
        while turns < STILL_TURNS:
            busy, now = from_thread.run_sync(self._look)
            turns = turns + 1 if now == seen and not busy else 0
            seen = now
        self.holding.discard(threading.get_ident())

    def _look(self) -> tuple[int, object]:
        """How many threads are at work, and all that changes while somebody moves."""
        threads = current_default_thread_limiter().statistics()
        standing = frozenset(self.wanting), frozenset(self.holding)
        busy = threads.borrowed_tokens - sum(map(len, standing))
        return busy, (threads.borrowed_tokens, threads.tasks_waiting, standing)


places = Places()


class WatchedSession(Session):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        places.sessions += 1


class WatchedPool(QueuePool):
    def _do_get(self) -> Any:
        places.wanting.add(threading.get_ident())
        try:
            return super()._do_get()
        finally:
            places.wanting.discard(threading.get_ident())


new_session = sessionmaker(class_=WatchedSession, expire_on_commit=False)


@contextmanager
def pool(pool_timeout: float, connections: int = CONNECTIONS) -> Iterator[Engine]:
    """Bind `new_session` to a pool of just so many connections."""
    engine = create_engine(
        f"sqlite+pysqlite:///{DATABASE}",
        poolclass=WatchedPool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=pool_timeout,
    )
    event.listen(engine, "before_cursor_execute", places.meet)
    new_session.configure(bind=engine)
    yield engine
    engine.dispose()


async def send(app: FastAPI, *paths: str) -> list[Response]:
    """The answers to requests that are all sent at once, with `THREADS` threads for `def`."""
    current_default_thread_limiter().total_tokens = THREADS
    places.crowd, places.sessions = len(paths), 0
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://app", timeout=None) as client:
        return await asyncio.gather(*(client.get(path) for path in paths))


def statuses(app: FastAPI, *paths: str) -> list[int]:
    return [answer.status_code for answer in asyncio.run(send(app, *paths))]
