"""Pitfall 10: an `async def` route with an ordinary `Session` deadlocks its worker process."""

from fastapi import FastAPI

from tests.pitfalls.blog import Post, PostResponse
from tests.pitfalls.concurrency import CONNECTIONS, LONG_S, SHORT_S, pool, statuses
from tests.pitfalls.test_deadlock import SessionDep, first_post

app = FastAPI()


@app.get("/half", response_model=PostResponse)
async def read_half_converted(session: SessionDep) -> Post:
    return session.execute(first_post).scalar_one()


@app.get("/plain", response_model=PostResponse)
def read_plain(session: SessionDep) -> Post:
    return session.execute(first_post).scalar_one()


TOO_MANY = CONNECTIONS + 1


def test_one_request_more_than_connections_deadlocks() -> None:
    with pool(SHORT_S):
        assert sorted(statuses(app, *["/half"] * TOO_MANY)) == [200, 500]
    with pool(LONG_S):
        assert statuses(app, *["/half"] * CONNECTIONS) == [200] * CONNECTIONS
        assert statuses(app, *["/plain"] * TOO_MANY) == [200] * TOO_MANY
