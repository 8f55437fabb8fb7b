"""Both apps in process: the contract each must keep, and that they do the same work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from apps.shared.seed import POSTS, USERS
from tests.apps.conftest import DATABASE

from apps.async_app import database as async_database
from apps.async_app import main as async_main
from apps.sync_app import database as sync_database
from apps.sync_app import main as sync_main


class Twin(NamedTuple):
    app: FastAPI
    engine: Engine


TWINS = {
    "sync": Twin(sync_main.app, sync_database.engine),
    "async": Twin(async_main.app, async_database.engine.sync_engine),
}

# Every kind of request, in an order in which each changes what the next one meets.
REQUESTS: list[tuple[str, str, dict[str, Any] | None, int]] = [
    ("GET", "/", None, 200),
    ("GET", "/posts", None, 200),
    ("GET", "/posts/3", None, 200),
    ("GET", "/posts/999999", None, 404),
    ("GET", "/posts/x", None, 422),
    ("GET", "/users/2/posts", None, 200),
    ("GET", "/users/999/posts", None, 404),
    ("GET", "/nowhere", None, 404),
    ("GET", "/static/style.css", None, 200),
    ("GET", "/api/nowhere", None, 404),
    ("GET", "/api/posts", None, 200),
    ("GET", "/api/posts?skip=1995&limit=10", None, 200),
    ("GET", "/api/posts?skip=-1", None, 422),
    ("GET", "/api/posts?limit=101", None, 422),
    ("GET", "/api/posts/2000", None, 200),
    ("GET", "/api/posts/2001", None, 404),
    ("GET", "/api/posts/0", None, 422),
    ("GET", "/api/posts/9223372036854775808", None, 422),
    ("GET", "/api/users/1", None, 200),
    ("GET", "/api/users/999", None, 404),
    ("GET", "/api/users/1/posts?skip=2&limit=3", None, 200),
    ("GET", "/api/users/999/posts", None, 404),
    ("POST", "/api/users", {"username": "ada", "email": "ada@example.com"}, 201),
    ("POST", "/api/users", {"username": "ada", "email": "b@example.com"}, 400),
    ("POST", "/api/users", {"username": "bob", "email": "ada@example.com"}, 400),
    ("POST", "/api/users", {"username": "bob", "email": "no address"}, 422),
    ("POST", "/api/users", {"username": "", "email": "b@example.com"}, 422),
    ("PATCH", "/api/users/51", {"username": "lovelace"}, 200),
    ("PATCH", "/api/users/51", {"username": "lovelace", "email": "ada@example.com"}, 200),
    ("PATCH", "/api/users/51", {"username": "user1"}, 400),
    ("PATCH", "/api/users/51", {"username": None}, 422),
    ("PATCH", "/api/users/51", {}, 200),
    ("PATCH", "/api/users/999", {}, 404),
    ("POST", "/api/posts", {"title": "t", "content": "c", "user_id": 51}, 201),
    ("POST", "/api/posts", {"title": "t", "content": "c", "user_id": 999}, 404),
    ("POST", "/api/posts", {"title": "", "content": "c", "user_id": 51}, 422),
    ("POST", "/api/posts", {"title": "t" * 101, "content": "c", "user_id": 51}, 422),
    ("PATCH", "/api/posts/2001", {"title": "new"}, 200),
    ("PATCH", "/api/posts/2001", {"title": None}, 422),
    ("PATCH", "/api/posts/9999", {"title": "new"}, 404),
    ("PUT", "/api/posts/2001", {"title": "a", "content": "b", "user_id": 1}, 200),
    ("PUT", "/api/posts/2001", {"title": "a", "content": "b", "user_id": 999}, 404),
    ("PUT", "/api/posts/9999", {"title": "a", "content": "b", "user_id": 1}, 404),
    ("DELETE", "/api/posts/2001", None, 204),
    ("DELETE", "/api/posts/2001", None, 404),
    ("DELETE", "/api/users/2", None, 204),
    ("DELETE", "/api/users/2", None, 404),
    ("GET", "/workload/noop", None, 200),
    ("GET", "/workload/wait?ms=0", None, 200),
    ("GET", "/workload/wait?ms=10001", None, 422),
    ("GET", "/workload/query?ms=0", None, 200),
    ("GET", "/workload/compute?n=10", None, 200),
    ("GET", "/workload/compute?n=0", None, 422),
    ("GET", "/workload/fetch?ms=1", None, 502),  # no upstream here
]


# When it was answered, and with dates in it, how long it is.
UNLIKE_HEADERS = {"date"}


@contextmanager
def serving(name: str, *, fresh: bool = True) -> Iterator[TestClient]:
    """The app `name`, on fresh data or on what is there."""
    if fresh:
        for path in DATABASE.parent.iterdir():
            path.unlink()
    with TestClient(TWINS[name].app) as client:
        yield client


@pytest.fixture(params=TWINS)
def client(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    with serving(request.param) as found:
        yield found


def test_every_request_has_its_status(client: TestClient) -> None:
    for method, path, body, status in REQUESTS:
        assert client.request(method, path, json=body).status_code == status, (method, path)


def test_both_do_the_same_work() -> None:
    """Equal status, headers and bytes, and the same SQL with the same parameters."""
    seen = {name: _answers(name) for name in TWINS}
    for one, other in zip(seen["sync"], seen["async"], strict=True):
        assert one == other


def _answers(name: str) -> list[tuple[str, int, str, dict[str, str], list[tuple[str, Any]]]]:
    """Path, status, content, headers and statements of every request."""
    statements: list[tuple[str, Any]] = []

    def listen(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        dated = [p for p in parameters if not str(p).startswith("20")]  # date_posted
        statements.append((statement, dated))

    answers = []
    engine = TWINS[name].engine
    with serving(name) as client:
        event.listen(engine, "before_cursor_execute", listen)
        for method, path, body, _ in REQUESTS:
            statements.clear()
            answer = client.request(method, path, json=body)
            content = answer.text
            if method != "GET" and answer.status_code < 300:
                content = content.partition('"date_posted"')[0]  # now
            headers = {k: v for k, v in answer.headers.items() if k not in UNLIKE_HEADERS}
            answers.append((path, answer.status_code, content, headers, list(statements)))
        event.remove(engine, "before_cursor_execute", listen)
    return answers


@pytest.mark.parametrize("name", TWINS)
def test_a_post_comes_with_its_author_in_two_statements(name: str) -> None:
    found = [answer for answer in _answers(name) if answer[0] == "/api/posts/2000"]
    [(_, status, content, _, statements)] = found
    assert status == 200
    assert '"author":{"id":' in content
    assert [sql.split()[0] for sql, _ in statements] == ["SELECT", "SELECT"]


def test_the_data_is_the_same_at_every_start(client: TestClient) -> None:
    page = client.get("/api/posts?limit=1").json()
    assert page["total"] == POSTS
    assert page["has_more"]
    assert page["posts"][0]["id"] == POSTS
    assert page["posts"][0]["date_posted"] == "2026-01-02T09:20:00Z"
    assert client.get(f"/api/users/{USERS}").status_code == 200
    assert client.get(f"/api/users/{USERS + 1}").status_code == 404


def test_the_last_page_has_no_more_and_pages_do_not_overlap(client: TestClient) -> None:
    seen = []
    for skip in range(1990, 2010, 5):
        page = client.get(f"/api/posts?skip={skip}&limit=5").json()
        seen += [post["id"] for post in page["posts"]]
        assert page["has_more"] == (skip + 5 < POSTS)
    assert seen == list(range(10, 0, -1))


@pytest.mark.parametrize("name", TWINS)
def test_what_was_written_stays_after_a_restart(name: str) -> None:
    with serving(name) as client:
        client.delete("/api/posts/1")
    with serving(name, fresh=False) as client:
        assert client.get("/api/posts?limit=1").json()["total"] == POSTS - 1


def test_deleting_a_user_deletes_the_posts(client: TestClient) -> None:
    mine = client.get("/api/users/3/posts?limit=100").json()
    assert mine["total"] > 0
    client.delete("/api/users/3")
    assert client.get("/api/posts").json()["total"] == POSTS - mine["total"]
    assert client.get(f"/api/posts/{mine['posts'][0]['id']}").status_code == 404


def test_pages_escape_what_users_wrote(client: TestClient) -> None:
    hostile = "<script>alert(1)</script>"
    post = client.post("/api/posts", json={"title": hostile, "content": hostile, "user_id": 1})
    for path in ("/", f"/posts/{post.json()['id']}", "/users/1/posts"):
        text = client.get(path).text
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_errors_are_json_under_api_and_pages_elsewhere(client: TestClient) -> None:
    assert client.get("/api/nowhere").json() == {"detail": "Not Found"}
    page = client.get("/posts/999999")
    assert page.headers["content-type"].startswith("text/html")
    assert "Post not found" in page.text


def test_both_describe_the_same_api() -> None:
    assert sync_main.app.openapi() == async_main.app.openapi()
