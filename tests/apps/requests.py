"""Every kind of request, in an order in which each changes what the next one meets."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from fastapi.testclient import TestClient
from httpx2 import Response

from tests.apps.serving import credentials, logged_in, picture

ADA = {"username": "ada", "email": "ada@example.com", "password": "a long one"}
POST = {"title": "t", "content": "c"}


class Ask(NamedTuple):
    """One request, by the demo user `by` or by nobody, and the status that it must have."""

    method: str
    path: str
    status: int
    by: int | None = None
    body: Mapping[str, Any] = MappingProxyType({})

    def send(self, client: TestClient) -> Response:
        headers = logged_in(self.by) if self.by else {}
        return client.request(self.method, self.path, headers=headers, **self.body)


# Of each kind of text that is no name and no title, one.
NOT_SHOWN = ["\u200b", "\u2800", "\u3164\ufe0f", " \u0301 ", "\U000e0041\xad"]
NOT_ONE_LINE = ["a\0", "a\nb", "a\x1b[1m", "a\u2028b", "\u202eab", "a\u2066b\u2069"]
NO_LINES = [*NOT_SHOWN, *NOT_ONE_LINE]
# A family in one emoji, a flag of tags, Hebrew, Arabic with its mark, a letter and its accent,
# and what is cut off at the ends.
LINES = ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f3f4\U000e0067\U000e0062\U000e007f"]
LINES += ["\u05e9\u05dc\u05d5\u05dd", "\u0633\u0644\u0627\u0645 \u200f1", "e\u0301", " ada\n"]


def json(**fields: Any) -> dict[str, Any]:
    return {"json": fields}


def file(content: bytes, name: str = "me.png") -> dict[str, Any]:
    return {"files": {"file": (name, content, "image/png")}}


READS = [
    Ask("GET", "/", 200),
    Ask("GET", "/posts", 200),
    Ask("GET", "/posts/3", 200),
    Ask("GET", "/posts/999999", 404),
    Ask("GET", "/posts/x", 422),
    Ask("GET", "/users/2/posts", 200),
    Ask("GET", "/users/999/posts", 404),
    Ask("GET", "/login", 200),
    Ask("GET", "/register", 200),
    Ask("GET", "/account", 200),
    Ask("GET", "/nowhere", 404),
    Ask("GET", "/static/style.css", 200),
    Ask("GET", "/media/profile_pics/user3.jpg", 200),
    Ask("GET", "/media/profile_pics/nobody.jpg", 404),
    Ask("GET", "/media/../database/blog.db", 404),
    Ask("GET", "/api/nowhere", 404),
    Ask("GET", "/api/posts", 200),
    Ask("GET", "/api/posts?skip=1995&limit=10", 200),
    Ask("GET", "/api/posts?skip=-1", 422),
    Ask("GET", "/api/posts?limit=101", 422),
    Ask("GET", "/api/posts/2000", 200),
    Ask("GET", "/api/posts/2001", 404),
    Ask("GET", "/api/posts/0", 422),
    Ask("GET", "/api/posts/9223372036854775808", 422),
    Ask("GET", "/api/users/1", 200),
    Ask("GET", "/api/users/999", 404),
    Ask("GET", "/api/users/1/posts?skip=2&limit=3", 200),
    Ask("GET", "/api/users/999/posts", 404),
    Ask("POST", "/openapi.json", 405),
    Ask("PUT", "/static/style.css", 405),
    Ask("DELETE", "/posts/3", 405),
    Ask("DELETE", "/api/posts", 405),
]
USERS = [
    Ask("POST", "/api/users", 201, None, {"json": ADA}),
    Ask("POST", "/api/users", 400, None, {"json": ADA | {"email": "b@example.com"}}),
    Ask(
        "POST",
        "/api/users",
        400,
        None,
        {"json": ADA | {"username": "b", "email": "ADA@example.com"}},
    ),
    Ask("POST", "/api/users", 422, None, {"json": ADA | {"email": "no address"}}),
    Ask("POST", "/api/users", 422, None, {"json": ADA | {"password": "7 chars"}}),
    Ask("POST", "/api/users", 422, None, {"json": ADA | {"username": ""}}),
    Ask("POST", "/api/users/token", 200, None, {"data": credentials()}),
    Ask("POST", "/api/users/token", 200, None, {"data": credentials("USER2")}),
    Ask("POST", "/api/users/token", 401, None, {"data": credentials() | {"password": "no"}}),
    Ask("POST", "/api/users/token", 401, None, {"data": credentials("nobody")}),
    Ask("POST", "/api/users/token", 422),
    Ask("GET", "/api/users/me", 200, 51),
    Ask("GET", "/api/users/me", 401),
    Ask("PATCH", "/api/users/51", 200, 51, json(username="lovelace")),
    Ask("PATCH", "/api/users/51", 200, 51, json(username="lovelace", email="ada@example.com")),
    Ask("PATCH", "/api/users/51", 400, 51, json(username="user1")),
    Ask("PATCH", "/api/users/51", 422, 51, json(username=None)),
    Ask("PATCH", "/api/users/51", 200, 51, json()),
    Ask("PATCH", "/api/users/51", 401, None, json()),
    Ask("PATCH", "/api/users/51", 403, 1, json()),
    *(Ask("POST", "/api/users", 422, None, {"json": ADA | {"username": no}}) for no in NO_LINES),
    *(Ask("PATCH", "/api/users/51", 422, 51, json(username=no)) for no in NO_LINES),
    *(Ask("PATCH", "/api/users/51", 200, 51, json(username=name)) for name in LINES),
]
POSTS = [
    Ask("POST", "/api/posts", 201, 51, json(**POST)),
    Ask("POST", "/api/posts", 401, None, json(**POST)),
    Ask("POST", "/api/posts", 422, 51, json(**POST | {"title": ""})),
    Ask("POST", "/api/posts", 422, 51, json(**POST | {"title": " \n"})),
    Ask("POST", "/api/posts", 422, 51, json(**POST | {"title": "t" * 101})),
    Ask("PATCH", "/api/posts/2001", 200, 51, json(title="new")),
    Ask("PATCH", "/api/posts/2001", 422, 51, json(title=None)),
    *(Ask("POST", "/api/posts", 422, 51, json(**POST | {"title": no})) for no in NO_LINES),
    *(Ask("PUT", "/api/posts/2001", 422, 51, json(**POST | {"title": no})) for no in NO_LINES),
    *(Ask("PATCH", "/api/posts/2001", 422, 51, json(title=no)) for no in NO_LINES),
    *(Ask("PATCH", "/api/posts/2001", 200, 51, json(title=title)) for title in LINES),
    Ask("POST", "/api/posts", 422, 51, json(**POST | {"content": "a\0b"})),
    Ask("PUT", "/api/posts/2001", 422, 51, json(**POST | {"content": "a\0b"})),
    Ask("PATCH", "/api/posts/2001", 422, 51, json(content="a\0b")),
    Ask("PATCH", "/api/posts/2001", 200, 51, json(content="a\n\u202eb\u200b")),
    Ask("PATCH", "/api/posts/2001", 403, 1, json(title="new")),
    Ask("PATCH", "/api/posts/2001", 401, None, json(title="new")),
    Ask("PATCH", "/api/posts/9999", 404, 51, json(title="new")),
    Ask("PUT", "/api/posts/2001", 200, 51, json(title="a", content="b")),
    Ask("PUT", "/api/posts/2001", 422, 51, json(title="a")),
    Ask("PUT", "/api/posts/2001", 403, 1, json(title="a", content="b")),
    Ask("PUT", "/api/posts/9999", 404, 51, json(title="a", content="b")),
    Ask("DELETE", "/api/posts/2001", 401),
    Ask("DELETE", "/api/posts/2001", 403, 1),
    Ask("DELETE", "/api/posts/2001", 204, 51),
    Ask("DELETE", "/api/posts/2001", 404, 51),
]
PICTURES = [
    Ask("PATCH", "/api/users/51/picture", 200, 51, file(picture())),
    Ask("PATCH", "/api/users/51/picture", 200, 51, file(picture("JPEG", (900, 300)))),
    Ask("PATCH", "/api/users/51/picture", 400, 51, file(b"no picture")),
    Ask("PATCH", "/api/users/51/picture", 401, None, file(picture())),
    Ask("PATCH", "/api/users/51/picture", 403, 1, file(picture())),
    Ask("PATCH", "/api/users/51/picture", 422, 51),
    Ask("DELETE", "/api/users/51/picture", 403, 1),
    Ask("DELETE", "/api/users/51/picture", 200, 51),
    Ask("DELETE", "/api/users/51/picture", 400, 51),
    Ask("DELETE", "/api/users/51/picture", 401),
    Ask("PATCH", "/api/users/3/picture", 200, 3, file(picture("GIF", mode="P"))),
    Ask("DELETE", "/api/users/2", 401),
    Ask("DELETE", "/api/users/2", 403, 1),
    Ask("DELETE", "/api/users/2", 204, 2),
    Ask("DELETE", "/api/users/2", 401, 2),
    Ask("DELETE", "/api/users/3", 204, 3),
]
WORKLOAD = [
    Ask("GET", "/workload/noop", 200),
    Ask("GET", "/workload/wait?ms=0", 200),
    Ask("GET", "/workload/wait?ms=10001", 422),
    Ask("GET", "/workload/query?ms=0", 200),
    Ask("GET", "/workload/compute?n=10", 200),
    Ask("GET", "/workload/compute?n=0", 422),
    Ask("GET", "/workload/fetch?ms=1", 502),  # no upstream here
    Ask("GET", "/workload/hash", 200),
    Ask("GET", "/workload/thumbnail", 200),
    Ask("POST", "/workload/background?ms=1", 202),
    Ask("POST", "/workload/background?ms=-1", 422),
]
REQUESTS = [*READS, *USERS, *POSTS, *PICTURES, *WORKLOAD]
