"""Trap 7: `def` routes with a session dependency and a response model stop under load."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from pydantic import model_validator
from sqlalchemy import QueuePool, select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, joinedload

from tests.pitfalls.blog import DATABASE, Post, PostResponse, User
from tests.pitfalls.crowd import (
    CONNECTIONS,
    CROWD,
    PATIENT_S,
    SOON_S,
    THREADS,
    new_session,
    pool,
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


def test_a_crowd_gets_errors_from_the_pool() -> None:
    failures = []

    async def note(_request: object, error: Exception) -> HTMLResponse:
        failures.append(str(error))
        return HTMLResponse(status_code=500)

    noted = FastAPI(exception_handlers={PoolTimeoutError: note})
    noted.include_router(app.router)
    with pool(SOON_S):
        answered = statuses(noted, *["/post"] * CROWD)
    assert answered.count(500) == len(failures) >= THREADS
    assert all(quoted("pool-timeout") in failure for failure in failures)


def test_one_request_fewer_than_threads_and_connections_is_no_crowd() -> None:
    with pool(PATIENT_S):
        assert statuses(app, *["/post"] * (THREADS + CONNECTIONS - 1)) == [200, 200]


def test_the_defaults_are_40_threads_and_15_connections() -> None:
    async def threads() -> float:
        return current_default_thread_limiter().total_tokens

    defaults = inspect.signature(QueuePool).parameters
    assert asyncio.run(threads()) == 40
    assert (defaults["pool_size"].default, defaults["max_overflow"].default) == (5, 10)
    assert defaults["timeout"].default == PATIENT_S


def test_as_many_as_threads_and_connections_are_enough_to_stop() -> None:
    with pool(SOON_S):
        assert 500 in statuses(app, *["/post"] * (THREADS + CONNECTIONS))


class Places:
    """Where the requests are, to tell for certain that none can go on."""

    def __init__(self) -> None:
        self.want_connection: set[int] = set()  # threads
        self.returned = 0
        self.validated = 0

    @property
    def stuck(self) -> bool:
        """Every thread waits for the connection, whose holder waits for a thread."""
        everyone_waits = len(self.want_connection) == THREADS
        return everyone_waits and self.returned == CONNECTIONS and self.validated == 0


def test_with_more_threads_the_stuck_requests_are_answered() -> None:
    """Nothing was slow: whoever holds the connection waited for a thread, to be validated."""
    places = Places()
    watched = FastAPI()

    class WatchedResponse(PostResponse):
        @model_validator(mode="before")
        @classmethod
        def note(cls, data: Any) -> Any:
            places.validated += 1
            return data

    @watched.get("/post", response_model=WatchedResponse)
    def read_watched_post(session: SessionDep) -> Post:
        places.want_connection.add(threading.get_ident())
        post = session.execute(first_post).scalar_one()
        places.want_connection.remove(threading.get_ident())
        places.returned += 1
        return post

    async def wait_until_stuck_then_help() -> list[int]:
        crowd = asyncio.create_task(send(watched, *["/post"] * CROWD))
        while not places.stuck:
            await asyncio.sleep(0.001)
            assert not crowd.done(), "nothing was stuck"
        current_default_thread_limiter().total_tokens = CROWD
        return [answer.status_code for answer in await crowd]

    with pool(PATIENT_S):
        assert asyncio.run(wait_until_stuck_then_help()) == [200] * CROWD


# What does not stop under the same conditions, and what does after all.


@app.get("/page")
def post_page(session: SessionDep) -> HTMLResponse:
    post = session.execute(first_post).scalar_one()
    return HTMLResponse(f"<h1>{post.title}</h1>")


def get_current_user(session: SessionDep) -> User:
    return session.get_one(User, 1)


@app.get("/account")
def account_page(user: Annotated[User, Depends(get_current_user)]) -> HTMLResponse:
    return HTMLResponse(f"<h1>{user.username}</h1>")


def test_a_route_that_returns_a_response_goes_on() -> None:
    """Nothing is validated, and leaving the dependency needs no thread of the crowd's."""
    with pool(PATIENT_S):
        assert statuses(app, *["/page"] * CROWD) == [200] * CROWD


def test_with_a_def_dependency_that_queries_such_a_route_stops_too() -> None:
    """The dependency returns with a connection, then waits for a thread for the route."""
    with pool(SOON_S):
        assert statuses(app, *["/account"] * CROWD).count(500) >= THREADS


def test_async_routes_go_on() -> None:
    """No thread to wait for: they wait for the connection on the loop, and validate there."""
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

    async def crowd() -> list[int]:
        answers = await send(converted, *["/post"] * CROWD)
        await engine.dispose()
        return [answer.status_code for answer in answers]

    assert asyncio.run(crowd()) == [200] * CROWD
