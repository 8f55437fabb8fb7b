"""The contract that each app must keep, whatever its colour."""

import json
import re
from datetime import datetime
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import event

from apps.shared.rendering import PAGE_HEADERS, error_response
from apps.shared.schemas import Title
from apps.shared.security import DEMO_EMAIL, DEMO_PASSWORD
from apps.shared.seed import POSTS, USERS
from tests.apps.requests import ADA, POST, REQUESTS
from tests.apps.serving import TWINS, credentials, logged_in, serving


def test_every_request_has_its_status(client: TestClient) -> None:
    for ask in REQUESTS:
        assert ask.send(client).status_code == ask.status, ask


@pytest.mark.parametrize("name", TWINS)
def test_a_post_comes_with_its_author_in_two_statements(name: str) -> None:
    statements: list[str] = []

    def listen(_c: Any, _k: Any, sql: str, *_: Any) -> None:
        statements.append(sql.split()[0])

    with serving(name) as client:
        event.listen(TWINS[name].engine, "before_cursor_execute", listen)
        post = client.get("/api/posts/2000").json()
        event.remove(TWINS[name].engine, "before_cursor_execute", listen)
    assert post["author"]["id"] == post["user_id"]
    assert "email" not in post["author"]
    assert statements == ["SELECT", "SELECT"]


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
        owner = client.get("/api/posts/1").json()["user_id"]
        client.delete("/api/posts/1", headers=logged_in(owner))
    with serving(name, fresh=False) as client:
        assert client.get("/api/posts?limit=1").json()["total"] == POSTS - 1


def test_deleting_a_user_deletes_the_posts(client: TestClient) -> None:
    mine = client.get("/api/users/3/posts?limit=100").json()
    assert mine["total"] > 0
    client.delete("/api/users/3", headers=logged_in(3))
    assert client.get("/api/posts").json()["total"] == POSTS - mine["total"]
    assert client.get(f"/api/posts/{mine['posts'][0]['id']}").status_code == 404


def test_pages_escape_what_users_wrote(client: TestClient) -> None:
    hostile = "<script>alert(1)</script>"
    body = {"title": hostile, "content": hostile}
    post = client.post("/api/posts", json=body, headers=logged_in(1))
    for path in ("/", f"/posts/{post.json()['id']}", "/users/1/posts"):
        text = client.get(path).text
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_errors_are_json_under_api_and_pages_elsewhere(client: TestClient) -> None:
    assert client.get("/api/nowhere").json() == {"detail": "Not Found"}
    page = client.get("/posts/999999")
    assert page.headers["content-type"].startswith("text/html")
    assert "Post not found" in page.text


def test_registering_logging_in_and_writing(client: TestClient) -> None:
    user = client.post("/api/users", json=ADA).json()
    assert user["email"] == "ada@example.com"
    assert not {"password", "password_hash"} & user.keys()
    form = {"username": "Ada@Example.com", "password": ADA["password"]}
    token = client.post("/api/users/token", data=form).json()
    assert token.keys() == {"access_token", "token_type"}
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert client.get("/api/users/me", headers=headers).json() == user
    post = client.post("/api/posts", json=POST, headers=headers).json()
    assert post["author"] == {key: user[key] for key in user if key != "email"}
    assert datetime.fromisoformat(post["date_posted"]).utcoffset() is not None
    assert client.get("/api/posts?limit=1").json()["posts"] == [post]


def test_the_demo_password_is_that_of_every_demo_user(client: TestClient) -> None:
    for user in ("user1", f"user{USERS}"):
        assert client.post("/api/users/token", data=credentials(user)).status_code == 200


def test_a_patch_takes_only_what_was_sent(client: TestClient) -> None:
    owner = client.get("/api/posts/5").json()["user_id"]
    before = client.get("/api/posts/5").json()
    headers = logged_in(owner)
    after = client.patch("/api/posts/5", json={"title": "new"}, headers=headers).json()
    assert after == before | {"title": "new"}


def test_every_page_has_the_headers_of_a_page(client: TestClient) -> None:
    pages = 0
    for ask in REQUESTS:
        answer = ask.send(client)
        if answer.headers.get("content-type", "").startswith("text/html"):
            pages += 1
            assert {name: answer.headers.get(name) for name in PAGE_HEADERS} == PAGE_HEADERS, ask
        else:
            assert "content-security-policy" not in answer.headers, ask
    assert pages >= 12  # with errors of all kinds


def test_a_page_needs_nothing_that_the_policy_forbids(client: TestClient) -> None:
    """Neither scripts nor styles in the page; a browser says the rest (tests/browser)."""
    assert "unsafe" not in PAGE_HEADERS["Content-Security-Policy"]
    for path in ("/", "/posts/3", "/users/2/posts", "/login", "/register", "/account", "/nowhere"):
        text = client.get(path).text
        assert re.findall(r"<script[^>]*>", text) == re.findall(r"<script[^>]* src=[^>]*>", text)
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), path


def test_the_login_page_of_the_demo_says_how_to_log_in(client: TestClient) -> None:
    text = client.get("/login").text
    assert DEMO_EMAIL in text
    assert DEMO_PASSWORD in text
    form = {"username": DEMO_EMAIL, "password": DEMO_PASSWORD}
    assert client.post("/api/users/token", data=form).status_code == 200


def test_the_methods_that_are_allowed_are_in_order(client: TestClient) -> None:
    assert client.post("/openapi.json").headers["allow"] == "GET, HEAD"
    # Whatever order a set of methods has in this process.
    for path in ("/api/x", "/x"):
        request = Request({"type": "http", "path": path, "headers": [], "query_string": b""})
        answer = error_response(request, 405, "No", {"Allow": "PUT, GET, PATCH, DELETE"})
        assert answer.headers["allow"] == "DELETE, GET, PATCH, PUT"


@pytest.mark.parametrize("field", ["title", "content"])
def test_half_a_surrogate_pair_is_no_text(client: TestClient, field: str) -> None:
    sent = json.dumps(POST | {field: "a\ud800"})
    headers = logged_in(1) | {"Content-Type": "application/json"}
    answer = client.post("/api/posts", content=sent, headers=headers)
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["detail"]] == [["body", field]]


def test_what_is_wrong_with_a_name_is_said(client: TestClient) -> None:
    said = {}
    for name in ("\u200b", "a\nb"):
        answer = client.post("/api/users", json=ADA | {"username": name})
        [error] = answer.json()["detail"]
        assert error.keys() == {"type", "loc", "msg"}
        assert error["loc"] == ["body", "username"]
        said[name] = error["type"]
    assert said == {"\u200b": "nothing_visible", "a\nb": "not_one_line"}


def test_whitespace_around_a_name_is_cut_off(client: TestClient) -> None:
    answer = client.post("/api/users", json=ADA | {"username": "\n ada\u2028"})
    assert answer.json()["username"] == "ada"


@pytest.mark.parametrize(
    "invisible",
    [
        *"\xad\u034f\u115f\u1160\u17b4\u180e\u200b\u200f\u2060\u2065\u2800\u3164",
        *"\ufe0f\ufeff\uffa0\ufff0\U0001d159\U00013441\U000e0041\U000e0100",
    ],
    ids=lambda letter: f"U+{ord(letter):04X}",
)
def test_a_title_of_what_is_not_shown_is_refused(invisible: str) -> None:
    title = TypeAdapter[str](Title)
    with pytest.raises(ValidationError, match="must be visible"):
        title.validate_python(f"{invisible} {invisible}")
    assert title.validate_python(f"a{invisible}") == f"a{invisible}"
