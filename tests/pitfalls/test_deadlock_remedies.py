"""Trap 7, what helps against it and what does not: the same crowd for every variant."""

from itertools import cycle, islice
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from tests.pitfalls.blog import Post, PostResponse, User
from tests.pitfalls.crowd import (
    CONNECTIONS,
    CROWD,
    PATIENT_S,
    SOON_S,
    THREADS,
    pool,
    statuses,
)
from tests.pitfalls.test_deadlock import first_post, get_session

app = FastAPI()

# a. A limit on the dependency.

LimitedDep = Annotated[Session, Depends(get_session, max_concurrency=CONNECTIONS)]


def get_current_user(session: LimitedDep) -> User:
    return session.get_one(User, 1)


CurrentUser = Annotated[User, Depends(get_current_user)]


@app.get("/limited", response_model=PostResponse)
def read_limited(session: LimitedDep) -> Post:
    return session.execute(first_post).scalar_one()


@app.get("/limited/session-first", response_model=PostResponse)
def read_session_first(session: LimitedDep, current_user: CurrentUser) -> Post:
    return session.execute(first_post).scalar_one()


@app.get("/limited/user-first", response_model=PostResponse)
def read_user_first(current_user: CurrentUser, session: LimitedDep) -> Post:
    return session.execute(first_post).scalar_one()


@app.get(
    "/limited/by-decorator",
    response_model=PostResponse,
    dependencies=[Depends(get_current_user)],
)
def read_by_decorator(session: LimitedDep) -> Post:
    return session.execute(first_post).scalar_one()


LIMITED = (
    "/limited",
    "/limited/session-first",
    "/limited/user-first",
    "/limited/by-decorator",
)


@pytest.mark.parametrize("path", LIMITED)
def test_a_limit_on_the_dependency_helps_in_any_order(path: str) -> None:
    with pool(PATIENT_S):
        assert statuses(app, *[path] * CROWD) == [200] * CROWD


def test_a_limit_on_the_dependency_helps_all_routes_together() -> None:
    """They share the limit, because they share the one `Depends` of the alias."""
    crowd = list(islice(cycle(LIMITED), 2 * CROWD))
    with pool(PATIENT_S):
        assert statuses(app, *crowd) == [200] * len(crowd)


def test_a_limit_written_anew_in_every_route_is_a_limit_for_each() -> None:
    """Three routes, three limits of one: as many requests under way as it takes to stop."""
    repeated = FastAPI()

    @repeated.get("/1", response_model=PostResponse)
    def one(session: Annotated[Session, Depends(get_session, max_concurrency=1)]) -> Post:
        return session.execute(first_post).scalar_one()

    @repeated.get("/2", response_model=PostResponse)
    def two(session: Annotated[Session, Depends(get_session, max_concurrency=1)]) -> Post:
        return session.execute(first_post).scalar_one()

    @repeated.get("/3", response_model=PostResponse)
    def three(session: Annotated[Session, Depends(get_session, max_concurrency=1)]) -> Post:
        return session.execute(first_post).scalar_one()

    with pool(SOON_S):
        assert 500 in statuses(repeated, "/1", "/2", "/3")


# b. A larger pool, for the routes as they were.

SessionDep = Annotated[Session, Depends(get_session)]


@app.get("/post", response_model=PostResponse)
def read_post(session: SessionDep) -> Post:
    return session.execute(first_post).scalar_one()


def get_current_user_as_before(session: SessionDep) -> User:
    return session.get_one(User, 1)


@app.get("/post/as-user", response_model=PostResponse)
def read_as_user(
    session: SessionDep, current_user: Annotated[User, Depends(get_current_user_as_before)]
) -> Post:
    return session.execute(first_post).scalar_one()


@pytest.mark.parametrize("path", ["/post", "/post/as-user"])
def test_a_connection_for_every_request_helps(path: str) -> None:
    with pool(PATIENT_S, connections=CROWD):
        assert statuses(app, *[path] * CROWD) == [200] * CROWD


# c. Giving the connection back before the response is validated.


@app.get("/closed", response_model=PostResponse)
def read_and_close(session: SessionDep) -> Post:
    post = session.execute(first_post).scalar_one()
    session.close()
    return post


@app.get("/closed/as-user", response_model=PostResponse)
def read_as_user_and_close(
    session: SessionDep, current_user: Annotated[User, Depends(get_current_user_as_before)]
) -> Post:
    post = session.execute(first_post).scalar_one()
    session.close()
    return post


def test_closing_the_session_in_the_route_helps() -> None:
    with pool(PATIENT_S):
        assert statuses(app, *["/closed"] * CROWD) == [200] * CROWD


def test_closing_does_not_help_once_a_dependency_queries() -> None:
    """It holds the connection already while the route waits for a thread."""
    with pool(SOON_S):
        assert statuses(app, *["/closed/as-user"] * CROWD).count(500) >= THREADS


# d. A dependency that ends with the function.


@app.get("/function", response_model=PostResponse)
def read_in_function_scope(
    session: Annotated[Session, Depends(get_session, scope="function")],
) -> Post:
    return session.execute(first_post).scalar_one()


def test_function_scope_does_not_help() -> None:
    """It ends before the response is sent, but after the response was validated."""
    with pool(SOON_S):
        assert statuses(app, *["/function"] * CROWD).count(500) >= THREADS
