"""Trap 10: an `async def` route with an ordinary `Session` stops its worker, and sooner."""

from fastapi import FastAPI

from tests.pitfalls.blog import Post, PostResponse
from tests.pitfalls.crowd import CONNECTIONS, PATIENT_S, SOON_S, pool, statuses
from tests.pitfalls.test_deadlock import SessionDep, first_post

app = FastAPI()


@app.get("/half", response_model=PostResponse)
async def read_half_converted(session: SessionDep) -> Post:
    return session.execute(first_post).scalar_one()


@app.get("/plain", response_model=PostResponse)
def read_plain(session: SessionDep) -> Post:
    return session.execute(first_post).scalar_one()


# One request more than there are connections.
CROWD = CONNECTIONS + 1


def test_one_request_more_than_connections_and_nobody_is_served() -> None:
    with pool(SOON_S):
        assert sorted(statuses(app, *["/half"] * CROWD)) == [200, 500]


def test_a_def_route_serves_them_all() -> None:
    with pool(PATIENT_S):
        assert statuses(app, *["/plain"] * CROWD) == [200] * CROWD


def test_an_async_route_serves_as_many_as_there_are_connections() -> None:
    with pool(PATIENT_S):
        assert statuses(app, *["/half"] * CONNECTIONS) == [200] * CONNECTIONS
