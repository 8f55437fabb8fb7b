"""Trap 1: a relationship that no query loaded, touched in an `async def` route."""

import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient
from jinja2 import Template
from sqlalchemy import select
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.orm import selectinload

from tests.pitfalls.blog import SQLALCHEMY, Post, PostResponse, SessionDep, cursor_left_behind
from tests.pitfalls.page import quoted, trimmed

app = FastAPI()
page = Template("<h1>{{ post.title }}</h1> by {{ post.author.username }}")


@app.get("/posts/{post_id}", response_model=PostResponse)
async def read_post(session: SessionDep, post_id: int) -> Post:
    result = await session.execute(select(Post).where(Post.id == post_id))
    return result.scalar_one()


@app.get("/pages/{post_id}")
async def post_page(session: SessionDep, post_id: int) -> HTMLResponse:
    result = await session.execute(select(Post).where(Post.id == post_id))
    return HTMLResponse(page.render(post=result.scalar_one()))


@app.get("/fixed/{post_id}", response_model=PostResponse)
async def read_post_and_author(session: SessionDep, post_id: int) -> Post:
    with_author = select(Post).options(selectinload(Post.author))
    result = await session.execute(with_author.where(Post.id == post_id))
    return result.scalar_one()


@cursor_left_behind
def test_a_template_that_touches_the_author_fails() -> None:
    with pytest.raises((MissingGreenlet, StatementError)) as failure:
        TestClient(app).get("/pages/1")
    error = failure.value
    assert trimmed(str(error)) == quoted(f"lazy-{SQLALCHEMY}")
    # On 2.1 the cause is inside: `except MissingGreenlet` no longer catches it.
    inner = error.orig if isinstance(error, StatementError) else error
    assert isinstance(inner, MissingGreenlet)
    assert type(error).__name__ == {"2.0": "MissingGreenlet", "2.1": "StatementError"}[SQLALCHEMY]


@cursor_left_behind
def test_a_response_model_that_touches_the_author_fails() -> None:
    """Pydantic reads the attribute, and wraps what came out of it."""
    with pytest.raises(ResponseValidationError) as failure:
        TestClient(app).get("/posts/1")
    [error] = failure.value.errors()
    assert error["loc"] == ("response", "author")
    name = {"2.0": "MissingGreenlet", "2.1": "StatementError"}[SQLALCHEMY]
    cause = quoted(f"lazy-{SQLALCHEMY}")
    assert trimmed(error["msg"]) == f"Error extracting attribute: {name}: {cause}"


@cursor_left_behind
def test_the_client_sees_a_plain_500() -> None:
    answer = TestClient(app, raise_server_exceptions=False).get("/posts/1")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def test_loaded_in_the_query_it_is_there() -> None:
    answer = TestClient(app).get("/fixed/1")
    assert answer.json() == {"title": "first", "author": {"username": "ada"}}
