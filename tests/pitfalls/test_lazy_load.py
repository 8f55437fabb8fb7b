"""Pitfall 1: an `async def` route reads a relationship that no query loaded."""

import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient
from jinja2 import Template
from sqlalchemy import select
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.orm import selectinload

from tests.pitfalls.blog import SQLALCHEMY, Post, PostResponse, SessionDep, ignore_dropped_cursor
from tests.pitfalls.page import quoted

app = FastAPI()
page = Template("<h1>{{ post.title }}</h1> by {{ post.author.username }}")
ERROR = {"2.0": "MissingGreenlet", "2.1": "StatementError"}[SQLALCHEMY]


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


def stripped(message: str) -> str:
    """Return `message` without the spaces at the ends of its lines of SQL."""
    return "\n".join(line.rstrip() for line in message.splitlines())


@ignore_dropped_cursor
def test_template_that_reads_the_author_fails() -> None:
    with pytest.raises((MissingGreenlet, StatementError)) as failure:
        TestClient(app).get("/pages/1")
    error = failure.value
    assert stripped(str(error)) == quoted(f"lazy-{SQLALCHEMY}")
    assert isinstance(getattr(error, "orig", error), MissingGreenlet)
    assert type(error).__name__ == ERROR


@ignore_dropped_cursor
def test_response_model_with_the_author_fails() -> None:
    with pytest.raises(ResponseValidationError) as failure:
        TestClient(app).get("/posts/1")
    [error] = failure.value.errors()
    assert error["loc"] == ("response", "author")
    cause = quoted(f"lazy-{SQLALCHEMY}")
    assert stripped(error["msg"]) == f"Error extracting attribute: {ERROR}: {cause}"


def test_author_loaded_by_the_query_is_returned() -> None:
    response = TestClient(app).get("/fixed/1")
    assert response.json() == {"title": "first", "author": {"username": "ada"}}
