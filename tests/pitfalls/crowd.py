"""Two threads, one connection, and more requests at once than those can serve.

The blog as one writes it (40 threads, 5 + 10 connections) stops in the same way, only later:
what counts is that as many requests as threads and connections together are under way.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import sessionmaker

from tests.pitfalls.blog import DATABASE

THREADS = 2
CONNECTIONS = 1
CROWD = 4  # more than threads and connections together

# How long SQLAlchemy waits for a connection (pool_timeout; its default is 30 s). Where an app is
# expected to stop, it shall say so soon; where it is not, no pause of the machine may look like it.
SOON_S = 0.3
PATIENT_S = 30.0

new_session = sessionmaker(expire_on_commit=False)


@contextmanager
def pool(pool_timeout: float, connections: int = CONNECTIONS) -> Iterator[Engine]:
    """Bind `new_session` to a pool of just so many connections."""
    engine = create_engine(
        f"sqlite+pysqlite:///{DATABASE}",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=pool_timeout,
    )
    # A statement takes a moment, so that all requests are under way before the first is done.
    event.listen(engine, "before_cursor_execute", lambda *_: time.sleep(0.03))
    new_session.configure(bind=engine)
    yield engine
    engine.dispose()


async def send(app: FastAPI, *paths: str) -> list[Response]:
    """The answers to requests that are all sent at once, with `THREADS` threads for `def`."""
    current_default_thread_limiter().total_tokens = THREADS
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://app", timeout=None) as client:
        return await asyncio.gather(*(client.get(path) for path in paths))


def statuses(app: FastAPI, *paths: str) -> list[int]:
    return [answer.status_code for answer in asyncio.run(send(app, *paths))]
