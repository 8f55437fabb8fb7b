"""API and pages of each app."""

import json
import re
from datetime import datetime

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from pydantic import TypeAdapter, ValidationError

from apps.shared.rendering import PAGE_HEADERS, error_response
from apps.shared.schemas import Title
from apps.shared.seed import POSTS, USERS
from apps.upstream import main as upstream
from tests.apps.requests import ADA, POST
from tests.apps.serving import APPS, auth_headers, recorded, serving


def test_post_and_author_are_read_by_two_statements(name: str) -> None:
    with serving(name) as client, recorded(APPS[name].engine) as (statements, _):
        statements.clear()
        post = client.get("/api/posts/2000").json()
        assert [sql.split()[0] for sql, _ in statements] == ["SELECT", "SELECT"]
    assert post["author"]["id"] == post["user_id"]
    assert "email" not in post["author"]


def test_demo_data_have_fixed_ids_and_dates(client: TestClient) -> None:
    ids = []
    for skip in (0, 1990, 1995, 2000):
        page = client.get(f"/api/posts?skip={skip}&limit=5").json()
        ids += [post["id"] for post in page["posts"]]
        assert (page["total"], page["has_more"]) == (POSTS, skip + 5 < POSTS)
    assert ids == [*range(POSTS, POSTS - 5, -1), *range(10, 0, -1)]
    assert client.get(f"/api/posts/{POSTS}").json()["date_posted"] == "2026-01-02T09:20:00Z"
    users = [client.get(f"/api/users/{n}").status_code for n in (USERS, USERS + 1)]
    assert users == [200, 404]


def test_data_survive_a_restart(name: str) -> None:
    with serving(name) as client:
        owner = client.get("/api/posts/1").json()["user_id"]
        client.delete("/api/posts/1", headers=auth_headers(owner))
    with serving(name, fresh=False) as client:
        assert client.get("/api/posts?limit=1").json()["total"] == POSTS - 1


def test_deleting_a_user_deletes_the_posts(client: TestClient) -> None:
    own = client.get("/api/users/3/posts?limit=100").json()
    assert own["total"] > 0
    client.delete("/api/users/3", headers=auth_headers(3))
    assert client.get("/api/posts").json()["total"] == POSTS - own["total"]
    assert client.get(f"/api/posts/{own['posts'][0]['id']}").status_code == 404


def test_pages_escape_text_of_users_and_have_no_inline_scripts(client: TestClient) -> None:
    assert "unsafe" not in PAGE_HEADERS["Content-Security-Policy"]
    hostile = "<script onload=x style=y>alert(1)</script>"
    body = {"title": hostile, "content": hostile}
    post = client.post("/api/posts", json=body, headers=auth_headers(1)).json()["id"]
    of_users = ("/", f"/posts/{post}", "/users/1/posts")
    for path in (*of_users, "/login", "/register", "/account", "/nowhere"):
        text = client.get(path).text
        assert ("&lt;script onload" in text) == (path in of_users)
        tags = re.findall(r"<[^>]*>", text)
        assert all(" src=" in tag for tag in tags if tag.startswith("<script")), path
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", "".join(tags)), path


def test_errors_are_json_under_api_and_pages_elsewhere(client: TestClient) -> None:
    assert client.get("/api/nowhere").json() == {"detail": "Not Found"}
    page = client.get("/posts/999999")
    assert page.headers["content-type"].startswith("text/html")
    assert "Post not found" in page.text


def test_new_user_registers_logs_in_and_writes(client: TestClient) -> None:
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
    changed = client.patch(f"/api/posts/{post['id']}", json={"title": "new"}, headers=headers)
    assert changed.json() == post | {"title": "new"}
    assert client.get("/api/posts?limit=1").json()["posts"] == [changed.json()]


def test_allowed_methods_are_sorted(client: TestClient) -> None:
    assert client.post("/openapi.json").headers["allow"] == "GET, HEAD"
    # Independent of the order of a set in this process.
    for path in ("/api/x", "/x"):
        request = Request({"type": "http", "path": path, "headers": [], "query_string": b""})
        response = error_response(request, 405, "No", {"Allow": "PUT, GET, PATCH, DELETE"})
        assert response.headers["allow"] == "DELETE, GET, PATCH, PUT"


@pytest.mark.parametrize("field", ["title", "content"])
def test_half_a_surrogate_pair_is_rejected(client: TestClient, field: str) -> None:
    body = json.dumps(POST | {field: "a\ud800"})
    headers = auth_headers(1) | {"Content-Type": "application/json"}
    response = client.post("/api/posts", content=body, headers=headers)
    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["detail"]] == [["body", field]]


def test_error_of_a_name_has_its_type_and_place(client: TestClient) -> None:
    for username, kind in {"\u200b": "nothing_visible", "a\nb": "not_one_line"}.items():
        [error] = client.post("/api/users", json=ADA | {"username": username}).json()["detail"]
        assert error.keys() == {"type", "loc", "msg"}
        assert (error["loc"], error["type"]) == (["body", "username"], kind)
    response = client.post("/api/users", json=ADA | {"username": "\n ada\u2028"})
    assert response.json()["username"] == "ada"  # whitespace around a name is stripped


@pytest.mark.parametrize(
    "invisible",
    [
        *"\xad\u034f\u115f\u1160\u17b4\u180e\u200b\u200f\u2060\u2065\u2800\u3164",
        *"\ufe0f\ufeff\uffa0\ufff0\U0001d159\U00013441\U000e0041\U000e0100",
    ],
    ids=lambda letter: f"U+{ord(letter):04X}",
)
def test_invisible_title_is_rejected(invisible: str) -> None:
    title = TypeAdapter[str](Title)
    with pytest.raises(ValidationError, match="must be visible"):
        title.validate_python(f"{invisible} {invisible}")
    assert title.validate_python(f"a{invisible}") == f"a{invisible}"


# The upstream API.


@pytest.mark.parametrize(
    ("query", "ms"),
    [
        *(("ms=50", 50.0), ("ms=0", 0.0), ("ms=10000", 10_000.0), ("ms=5&spread=0", 5.0)),
        *((bad, None) for bad in ("", "ms=-1", "ms=10001", "ms=x", "ms=nan", "ms=1&spread=4")),
        *((bad, None) for bad in ("ms=1&more=2", "spread=1")),
    ],
)
def test_upstream_delay_is_that_of_the_query(query: str, ms: float | None) -> None:
    assert upstream.delay_ms(query) == ms


def test_spread_upstream_delays_are_lognormal_and_seeded() -> None:
    upstream.random.seed(upstream.SEED)
    once = [upstream.delay_ms("ms=50&spread=0.5") or 0 for _ in range(2000)]
    upstream.random.seed(upstream.SEED)
    assert once == [upstream.delay_ms("ms=50&spread=0.5") or 0 for _ in range(2000)]
    # The standard error of the median of 2,000 draws with sigma 0.5 is 1.4 %; five times that.
    assert sorted(once)[1000] == pytest.approx(50, rel=0.07)
    assert max(once) > 150
