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
from apps.shared.security import DEMO_EMAIL, DEMO_PASSWORD
from apps.shared.seed import POSTS, USERS
from apps.upstream import main as upstream
from tests.apps.requests import ADA, POST, REQUESTS
from tests.apps.serving import APPS, credentials, logged_in, recorded, serving


def test_every_request_has_its_status_and_every_page_its_headers(client: TestClient) -> None:
    pages = 0
    for case in REQUESTS:
        response = case.send(client)
        assert response.status_code == case.status, case
        if response.headers.get("content-type", "").startswith("text/html"):
            pages += 1
            assert (
                PAGE_HEADERS.items()
                <= {name: response.headers.get(name) for name in PAGE_HEADERS}.items()
            ), case
        else:
            assert "content-security-policy" not in response.headers, case
    assert pages >= 12  # error pages of all kinds among them


def test_post_and_author_are_read_by_two_statements(name: str) -> None:
    with serving(name) as client, recorded(APPS[name].engine) as (statements, _):
        statements.clear()
        post = client.get("/api/posts/2000").json()
        assert [sql.split()[0] for sql, _ in statements] == ["SELECT", "SELECT"]
    assert post["author"]["id"] == post["user_id"]
    assert "email" not in post["author"]


def test_demo_data_are_the_same_at_every_start(client: TestClient) -> None:
    page = client.get("/api/posts?limit=1").json()
    assert (page["total"], page["has_more"]) == (POSTS, True)
    assert page["posts"][0]["id"] == POSTS
    assert page["posts"][0]["date_posted"] == "2026-01-02T09:20:00Z"
    assert client.get(f"/api/users/{USERS}").status_code == 200
    assert client.get(f"/api/users/{USERS + 1}").status_code == 404


def test_pages_do_not_overlap_and_the_last_has_no_more(client: TestClient) -> None:
    ids = []
    for skip in range(1990, 2010, 5):
        page = client.get(f"/api/posts?skip={skip}&limit=5").json()
        ids += [post["id"] for post in page["posts"]]
        assert page["has_more"] == (skip + 5 < POSTS)
    assert ids == list(range(10, 0, -1))


def test_data_survive_a_restart(name: str) -> None:
    with serving(name) as client:
        owner = client.get("/api/posts/1").json()["user_id"]
        client.delete("/api/posts/1", headers=logged_in(owner))
    with serving(name, fresh=False) as client:
        assert client.get("/api/posts?limit=1").json()["total"] == POSTS - 1


def test_deleting_a_user_deletes_the_posts(client: TestClient) -> None:
    own = client.get("/api/users/3/posts?limit=100").json()
    assert own["total"] > 0
    client.delete("/api/users/3", headers=logged_in(3))
    assert client.get("/api/posts").json()["total"] == POSTS - own["total"]
    assert client.get(f"/api/posts/{own['posts'][0]['id']}").status_code == 404


def test_pages_escape_text_of_users(client: TestClient) -> None:
    hostile = "<script>alert(1)</script>"
    body = {"title": hostile, "content": hostile}
    post = client.post("/api/posts", json=body, headers=logged_in(1))
    for path in ("/", f"/posts/{post.json()['id']}", "/users/1/posts"):
        text = client.get(path).text
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_pages_have_no_inline_scripts_or_styles(client: TestClient) -> None:
    assert "unsafe" not in PAGE_HEADERS["Content-Security-Policy"]
    for path in ("/", "/posts/3", "/users/2/posts", "/login", "/register", "/account", "/nowhere"):
        text = client.get(path).text
        assert re.findall(r"<script[^>]*>", text) == re.findall(r"<script[^>]* src=[^>]*>", text)
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), path


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
    assert client.get("/api/posts?limit=1").json()["posts"] == [post]


def test_every_demo_user_has_the_password_of_the_login_page(client: TestClient) -> None:
    text = client.get("/login").text
    assert DEMO_EMAIL in text
    assert DEMO_PASSWORD in text
    for user in (DEMO_EMAIL.partition("@")[0], f"user{USERS}"):
        assert client.post("/api/users/token", data=credentials(user)).status_code == 200


def test_patch_changes_only_the_fields_sent(client: TestClient) -> None:
    before = client.get("/api/posts/5").json()
    headers = logged_in(before["user_id"])
    after = client.patch("/api/posts/5", json={"title": "new"}, headers=headers).json()
    assert after == before | {"title": "new"}


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
    headers = logged_in(1) | {"Content-Type": "application/json"}
    response = client.post("/api/posts", content=body, headers=headers)
    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["detail"]] == [["body", field]]


@pytest.mark.parametrize(
    ("username", "kind"), [("\u200b", "nothing_visible"), ("a\nb", "not_one_line")]
)
def test_error_of_a_name_has_its_type_and_place(
    client: TestClient, username: str, kind: str
) -> None:
    [error] = client.post("/api/users", json=ADA | {"username": username}).json()["detail"]
    assert error.keys() == {"type", "loc", "msg"}
    assert (error["loc"], error["type"]) == (["body", "username"], kind)


def test_whitespace_around_a_name_is_stripped(client: TestClient) -> None:
    response = client.post("/api/users", json=ADA | {"username": "\n ada\u2028"})
    assert response.json()["username"] == "ada"


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
