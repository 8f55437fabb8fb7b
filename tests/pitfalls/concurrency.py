"""Concurrent requests to an app with two worker threads and one connection.

An app with the defaults (40 threads, 5 + 10 connections) deadlocks in the same way: it takes as
many concurrent requests as threads and connections together.
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
REQUESTS = 4  # more than threads and connections together

# pool_timeout where a deadlock is expected, and where none is (SQLAlchemy's default).
SHORT_S = 0.3
LONG_S = 30.0

# Turns of the event loop without progress after which all requests wait. A request needs only a
# few turns between two threads.
IDLE_TURNS = 50


class Progress:
    """Threads of the requests by what they wait for."""

    def __init__(self) -> None:
        self.requests = 0
        self.sessions = 0
        self.statements = 0  # that waited
        self.want_connection: set[int] = set()
        self.hold_connection: set[int] = set()

    def wait_for_others(self, *_: object) -> None:
        """Delay a statement until all other requests wait."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._wait_in_thread()
        else:  # the other requests enter their sessions in threads
            while self.sessions < self.requests:
                time.sleep(0.001)

    def _wait_in_thread(self) -> None:
        self.hold_connection.add(threading.get_ident())
        before, turns = None, 0
        while turns < IDLE_TURNS:
            busy, now = from_thread.run_sync(self._snapshot)
            turns = turns + 1 if now == before and not busy else 0
            before = now
        self.hold_connection.discard(threading.get_ident())
        self.statements += 1

    def _snapshot(self) -> tuple[int, object]:
        """Return the number of busy threads, and a value that changes with any progress."""
        threads = current_default_thread_limiter().statistics()
        waiting = frozenset(self.want_connection), frozenset(self.hold_connection)
        busy = threads.borrowed_tokens - sum(map(len, waiting))
        return busy, (threads.borrowed_tokens, threads.tasks_waiting, waiting)


progress = Progress()


class WatchedSession(Session):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        progress.sessions += 1


class WatchedPool(QueuePool):
    def _do_get(self) -> Any:
        progress.want_connection.add(threading.get_ident())
        try:
            return super()._do_get()
        finally:
            progress.want_connection.discard(threading.get_ident())


new_session = sessionmaker(class_=WatchedSession, expire_on_commit=False)


@contextmanager
def pool(
    pool_timeout: float,
    connections: int = CONNECTIONS,
    url: str = f"sqlite+pysqlite:///{DATABASE}",
) -> Iterator[Engine]:
    """Bind `new_session` to a pool of this size."""
    engine = create_engine(
        url,
        poolclass=WatchedPool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=pool_timeout,
    )
    event.listen(engine, "before_cursor_execute", progress.wait_for_others)
    new_session.configure(bind=engine)
    yield engine
    engine.dispose()


async def send(app: FastAPI, *paths: str) -> list[Response]:
    """Send all requests at once to an app with THREADS worker threads."""
    current_default_thread_limiter().total_tokens = THREADS
    progress.requests, progress.sessions, progress.statements = len(paths), 0, 0
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://app", timeout=None) as client:
        return await asyncio.gather(*(client.get(path) for path in paths))


def statuses(app: FastAPI, *paths: str) -> list[int]:
    return [response.status_code for response in asyncio.run(send(app, *paths))]
