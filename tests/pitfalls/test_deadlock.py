"""Pitfall 7: `def` routes with a session dependency and a response model deadlock under load."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from itertools import cycle, islice
from typing import Annotated

import fastapi.routing
import fastapi_overflow
import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from sqlalchemy import QueuePool, select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, joinedload

from tests.pitfalls.blog import DATABASE, Post, PostResponse, User
from tests.pitfalls.concurrency import (
    CONNECTIONS,
    LONG_S,
    REQUESTS,
    SHORT_S,
    THREADS,
    new_session,
    pool,
    progress,
    send,
    statuses,
)
from tests.pitfalls.page import quoted

app = FastAPI()
first_post = select(Post).options(joinedload(Post.author)).where(Post.id == 1)


def get_session() -> Iterator[Session]:
    with new_session() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


@app.get("/post", response_model=PostResponse)
def read_post(session: SessionDep) -> Post:
    return session.execute(first_post).scalar_one()


@app.get("/page")
def post_page(session: SessionDep) -> HTMLResponse:
    post = session.execute(first_post).scalar_one()
    return HTMLResponse(f"<h1>{post.title}</h1>")


def get_current_user(session: SessionDep) -> User:
    return session.get_one(User, 1)


CurrentUser = Annotated[User, Depends(get_current_user)]


@app.get("/account")
def account_page(user: CurrentUser) -> HTMLResponse:
    return HTMLResponse(f"<h1>{user.username}</h1>")


@app.get("/post/as-user", response_model=PostResponse)
def read_as_user(session: SessionDep, current_user: CurrentUser) -> Post:
    return session.execute(first_post).scalar_one()


# Fix a: a limit on the dependency, in any order of the parameters.

LimitedDep = Annotated[Session, Depends(get_session, max_concurrency=CONNECTIONS)]


def get_limited_user(session: LimitedDep) -> User:
    return session.get_one(User, 1)


LimitedUser = Annotated[User, Depends(get_limited_user)]


@app.get("/limited", response_model=PostResponse)
def read_limited(session: LimitedDep) -> Post:
    return session.execute(first_post).scalar_one()


@app.get("/limited/session-first", response_model=PostResponse)
def read_session_first(session: LimitedDep, current_user: LimitedUser) -> Post:
    return session.execute(first_post).scalar_one()


@app.get("/limited/user-first", response_model=PostResponse)
def read_user_first(current_user: LimitedUser, session: LimitedDep) -> Post:
    return session.execute(first_post).scalar_one()


LIMITED = ("/limited", "/limited/session-first", "/limited/user-first")

# Fix c: the connection is returned before the response is validated.


@app.get("/closed", response_model=PostResponse)
def read_and_close(session: SessionDep) -> Post:
    post = session.execute(first_post).scalar_one()
    session.close()
    return post


@app.get("/closed/as-user", response_model=PostResponse)
def read_as_user_and_close(session: SessionDep, current_user: CurrentUser) -> Post:
    return read_and_close(session)


# No fix: the dependency ends after the response is validated.


@app.get("/function", response_model=PostResponse)
def read_in_function_scope(
    session: Annotated[Session, Depends(get_session, scope="function")],
) -> Post:
    return session.execute(first_post).scalar_one()


@pytest.mark.parametrize(
    "path", ["/post", "/post/as-user", "/account", "/closed/as-user", "/function"]
)
def test_route_deadlocks(path: str) -> None:
    with pool(SHORT_S):
        assert statuses(app, *[path] * REQUESTS).count(500) >= THREADS


@pytest.mark.parametrize("path", ["/page", "/closed", *LIMITED])
def test_route_does_not_deadlock(path: str) -> None:
    with pool(LONG_S):
        assert statuses(app, *[path] * REQUESTS) == [200] * REQUESTS


def test_limit_is_shared_by_the_routes_with_the_same_alias() -> None:
    paths = list(islice(cycle(LIMITED), 2 * REQUESTS))
    with pool(LONG_S):
        assert statuses(app, *paths) == [200] * len(paths)


def test_limit_written_in_each_route_is_no_fix() -> None:
    repeated = FastAPI()
    for path in ("/1", "/2", "/3"):

        @repeated.get(path, response_model=PostResponse)
        def read(session: Annotated[Session, Depends(get_session, max_concurrency=1)]) -> Post:
            return session.execute(first_post).scalar_one()

    with pool(SHORT_S):
        assert 500 in statuses(repeated, "/1", "/2", "/3")


def test_connection_for_each_request_is_a_fix() -> None:
    with pool(LONG_S, connections=REQUESTS):
        assert statuses(app, *["/post", "/post/as-user"] * (REQUESTS // 2)) == [200] * REQUESTS


def test_deadlock_ends_with_an_error_of_the_pool() -> None:
    failures = []

    async def note(_request: object, error: Exception) -> HTMLResponse:
        failures.append(str(error))
        return HTMLResponse(status_code=500)

    noted = FastAPI(exception_handlers={PoolTimeoutError: note})
    noted.include_router(app.router)
    with pool(SHORT_S):
        assert statuses(noted, *["/post"] * REQUESTS).count(500) == len(failures) >= THREADS
    assert all(quoted("pool-timeout") in failure for failure in failures)


@pytest.mark.parametrize("connections", [CONNECTIONS, THREADS, THREADS + 1])
def test_deadlock_needs_threads_plus_connections_requests(connections: int) -> None:
    """Fewer threads than connections do not prevent it."""
    enough = THREADS + connections
    with pool(LONG_S, connections):
        assert statuses(app, *["/post"] * (enough - 1)) == [200] * (enough - 1)
    with pool(SHORT_S, connections):
        assert 500 in statuses(app, *["/post"] * enough)


def test_overflow_ends_the_deadlock_of_validation_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastapi.routing, "serialize_response", fastapi.routing.serialize_response)
    fastapi_overflow.patch()
    with pool(LONG_S):
        assert statuses(app, *["/post"] * REQUESTS) == [200] * REQUESTS
    with pool(SHORT_S):
        assert 500 in statuses(app, *["/post/as-user"] * REQUESTS)


def test_defaults_are_40_threads_and_15_connections() -> None:
    async def threads() -> float:
        return current_default_thread_limiter().total_tokens

    defaults = inspect.signature(QueuePool).parameters
    assert asyncio.run(threads()) == 40
    assert (defaults["pool_size"].default, defaults["max_overflow"].default) == (5, 10)
    assert defaults["timeout"].default == LONG_S


def test_more_threads_end_the_deadlock() -> None:
    """The request with the connection waits for a thread to validate its response."""

    async def add_threads_in_the_deadlock() -> list[int]:
        responses = asyncio.create_task(send(app, *["/post"] * REQUESTS))
        # All threads want the connection of a request that has executed its statement.
        while len(progress.want_connection) < THREADS or not progress.statements:
            await asyncio.sleep(0.001)
            assert not responses.done(), "there was no deadlock"
        current_default_thread_limiter().total_tokens = REQUESTS
        return [response.status_code for response in await responses]

    with pool(LONG_S):
        assert asyncio.run(add_threads_in_the_deadlock()) == [200] * REQUESTS


def test_async_def_routes_do_not_deadlock() -> None:
    converted = FastAPI()
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{DATABASE}", pool_size=CONNECTIONS, max_overflow=0
    )

    async def get_async_session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session:
            yield session

    @converted.get("/post", response_model=PostResponse)
    async def read_converted_post(
        session: Annotated[AsyncSession, Depends(get_async_session)],
    ) -> Post:
        return (await session.execute(first_post)).scalar_one()

    async def send_and_dispose() -> list[int]:
        responses = await send(converted, *["/post"] * REQUESTS)
        await engine.dispose()
        return [response.status_code for response in responses]

    assert asyncio.run(send_and_dispose()) == [200] * REQUESTS
