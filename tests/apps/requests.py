"""Requests of every kind, in an order in which each may depend on those before it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from fastapi.testclient import TestClient
from httpx2 import Response

from tests.apps.serving import auth_headers, credentials, picture

ADA = {"username": "ada", "email": "ada@example.com", "password": "a long one"}
ADA_UPPER = "ADA@example.com"
POST = {"title": "t", "content": "c"}


class Case(NamedTuple):
    """A request by user `by`, or without a token, and its expected status."""

    method: str
    path: str
    status: int
    user_id: int | None = None
    arguments: Mapping[str, Any] = MappingProxyType({})

    def send(self, client: TestClient) -> Response:
        headers = auth_headers(self.user_id) if self.user_id else {}
        return client.request(self.method, self.path, headers=headers, **self.arguments)


# One text of each kind that is rejected as a name and as a title.
INVISIBLE = ["\u200b", "\u2800", "\u3164\ufe0f", " \u0301 ", "\U000e0041\xad"]
SEVERAL_LINES = ["a\0", "a\nb", "a\x1b[1m", "a\u2028b", "\u202eab", "a\u2066b\u2069"]
INVALID = [*INVISIBLE, *SEVERAL_LINES]
# A family in one emoji, a flag of tags, Hebrew, Arabic with its mark, a letter and its accent,
# and whitespace that is stripped.
VALID = ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f3f4\U000e0067\U000e0062\U000e007f"]
VALID += ["\u05e9\u05dc\u05d5\u05dd", "\u0633\u0644\u0627\u0645 \u200f1", "e\u0301", " ada\n"]


def json(**fields: Any) -> dict[str, Any]:
    return {"json": fields}


def file(content: bytes, name: str = "me.png") -> dict[str, Any]:
    return {"files": {"file": (name, content, "image/png")}}


READS = [
    Case("GET", "/", 200),
    Case("GET", "/posts", 200),
    Case("GET", "/posts/3", 200),
    Case("GET", "/posts/999999", 404),
    Case("GET", "/posts/x", 422),
    Case("GET", "/users/2/posts", 200),
    Case("GET", "/users/999/posts", 404),
    Case("GET", "/login", 200),
    Case("GET", "/register", 200),
    Case("GET", "/account", 200),
    Case("GET", "/nowhere", 404),
    Case("GET", "/static/style.css", 200),
    Case("GET", "/media/profile_pics/user3.jpg", 200),
    Case("GET", "/media/profile_pics/nobody.jpg", 404),
    Case("GET", "/media/../database/blog.db", 404),
    Case("GET", "/api/nowhere", 404),
    Case("GET", "/api/posts", 200),
    Case("GET", "/api/posts?skip=1995&limit=10", 200),
    Case("GET", "/api/posts?skip=-1", 422),
    Case("GET", "/api/posts?limit=101", 422),
    Case("GET", "/api/posts/2000", 200),
    Case("GET", "/api/posts/2001", 404),
    Case("GET", "/api/posts/0", 422),
    Case("GET", "/api/posts/9223372036854775808", 422),
    Case("GET", "/api/users/1", 200),
    Case("GET", "/api/users/999", 404),
    Case("GET", "/api/users/1/posts?skip=2&limit=3", 200),
    Case("GET", "/api/users/999/posts", 404),
    Case("POST", "/openapi.json", 405),
    Case("PUT", "/static/style.css", 405),
    Case("DELETE", "/posts/3", 405),
    Case("DELETE", "/api/posts", 405),
]
USERS = [
    Case("POST", "/api/users", 201, None, {"json": ADA}),
    Case("POST", "/api/users", 400, None, {"json": ADA | {"email": "b@example.com"}}),
    Case("POST", "/api/users", 400, None, {"json": ADA | {"username": "b", "email": ADA_UPPER}}),
    Case("POST", "/api/users", 422, None, {"json": ADA | {"email": "no address"}}),
    Case("POST", "/api/users", 422, None, {"json": ADA | {"password": "7 chars"}}),
    Case("POST", "/api/users", 422, None, {"json": ADA | {"username": ""}}),
    Case("POST", "/api/users/token", 200, None, {"data": credentials()}),
    Case("POST", "/api/users/token", 200, None, {"data": credentials("USER2")}),
    Case("POST", "/api/users/token", 401, None, {"data": credentials() | {"password": "no"}}),
    Case("POST", "/api/users/token", 401, None, {"data": credentials("nobody")}),
    Case("POST", "/api/users/token", 422),
    Case("GET", "/api/users/me", 200, 51),
    Case("GET", "/api/users/me", 401),
    Case("PATCH", "/api/users/51", 200, 51, json(username="lovelace")),
    Case("PATCH", "/api/users/51", 200, 51, json(username="lovelace", email="ada@example.com")),
    Case("PATCH", "/api/users/51", 400, 51, json(username="user1")),
    Case("PATCH", "/api/users/51", 422, 51, json(username=None)),
    Case("PATCH", "/api/users/51", 200, 51, json()),
    Case("PATCH", "/api/users/51", 401, None, json()),
    Case("PATCH", "/api/users/51", 403, 1, json()),
    *(Case("POST", "/api/users", 422, None, {"json": ADA | {"username": bad}}) for bad in INVALID),
    *(Case("PATCH", "/api/users/51", 422, 51, json(username=bad)) for bad in INVALID),
    *(Case("PATCH", "/api/users/51", 200, 51, json(username=name)) for name in VALID),
]
POSTS = [
    Case("POST", "/api/posts", 201, 51, json(**POST)),
    Case("POST", "/api/posts", 401, None, json(**POST)),
    Case("POST", "/api/posts", 422, 51, json(**POST | {"title": ""})),
    Case("POST", "/api/posts", 422, 51, json(**POST | {"title": " \n"})),
    Case("POST", "/api/posts", 422, 51, json(**POST | {"title": "t" * 101})),
    Case("PATCH", "/api/posts/2001", 200, 51, json(title="new")),
    Case("PATCH", "/api/posts/2001", 422, 51, json(title=None)),
    *(Case("POST", "/api/posts", 422, 51, json(**POST | {"title": bad})) for bad in INVALID),
    *(Case("PUT", "/api/posts/2001", 422, 51, json(**POST | {"title": bad})) for bad in INVALID),
    *(Case("PATCH", "/api/posts/2001", 422, 51, json(title=bad)) for bad in INVALID),
    *(Case("PATCH", "/api/posts/2001", 200, 51, json(title=title)) for title in VALID),
    Case("POST", "/api/posts", 422, 51, json(**POST | {"content": "a\0b"})),
    Case("PUT", "/api/posts/2001", 422, 51, json(**POST | {"content": "a\0b"})),
    Case("PATCH", "/api/posts/2001", 422, 51, json(content="a\0b")),
    Case("PATCH", "/api/posts/2001", 200, 51, json(content="a\n\u202eb\u200b")),
    Case("PATCH", "/api/posts/2001", 403, 1, json(title="new")),
    Case("PATCH", "/api/posts/2001", 401, None, json(title="new")),
    Case("PATCH", "/api/posts/9999", 404, 51, json(title="new")),
    Case("PUT", "/api/posts/2001", 200, 51, json(title="a", content="b")),
    Case("PUT", "/api/posts/2001", 422, 51, json(title="a")),
    Case("PUT", "/api/posts/2001", 403, 1, json(title="a", content="b")),
    Case("PUT", "/api/posts/9999", 404, 51, json(title="a", content="b")),
    Case("DELETE", "/api/posts/2001", 401),
    Case("DELETE", "/api/posts/2001", 403, 1),
    Case("DELETE", "/api/posts/2001", 204, 51),
    Case("DELETE", "/api/posts/2001", 404, 51),
]
PICTURES = [
    Case("PATCH", "/api/users/51/picture", 200, 51, file(picture())),
    Case("PATCH", "/api/users/51/picture", 200, 51, file(picture("JPEG", (900, 300)))),
    Case("PATCH", "/api/users/51/picture", 400, 51, file(b"no picture")),
    Case("PATCH", "/api/users/51/picture", 401, None, file(picture())),
    Case("PATCH", "/api/users/51/picture", 403, 1, file(picture())),
    Case("PATCH", "/api/users/51/picture", 422, 51),
    Case("DELETE", "/api/users/51/picture", 403, 1),
    Case("DELETE", "/api/users/51/picture", 200, 51),
    Case("DELETE", "/api/users/51/picture", 400, 51),
    Case("DELETE", "/api/users/51/picture", 401),
    Case("PATCH", "/api/users/3/picture", 200, 3, file(picture("GIF", mode="P"))),
    Case("DELETE", "/api/users/2", 401),
    Case("DELETE", "/api/users/2", 403, 1),
    Case("DELETE", "/api/users/2", 204, 2),
    Case("DELETE", "/api/users/2", 401, 2),
    Case("DELETE", "/api/users/3", 204, 3),
]
WORKLOAD = [
    Case("GET", "/workload/noop", 200),
    Case("GET", "/workload/wait?ms=0", 200),
    Case("GET", "/workload/wait?ms=10001", 422),
    Case("GET", "/workload/query?ms=0", 200),
    Case("GET", "/workload/compute?n=10", 200),
    Case("GET", "/workload/compute?n=0", 422),
    Case("GET", "/workload/fetch?ms=1", 502),  # no upstream here
    Case("GET", "/workload/hash", 200),
    Case("GET", "/workload/thumbnail", 200),
    Case("POST", "/workload/background?ms=1", 202),
    Case("POST", "/workload/background?ms=-1", 422),
]
REQUESTS = [*READS, *USERS, *POSTS, *PICTURES, *WORKLOAD]
