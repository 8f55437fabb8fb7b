"""Who is let in: hostile and stale tokens, and what belongs to somebody else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from apps.shared.security import password_hash, verify_password
from apps.shared.settings import DEMO_KEY, Settings, from_environment
from tests.apps.serving import logged_in

KEY = DEMO_KEY.get_secret_value()
SOON = datetime.now(UTC) + timedelta(minutes=5)
GOOD = {"sub": "1", "exp": SOON}


def signed(claims: dict[str, Any], key: str = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm)


BAD_TOKENS = {
    "expired": signed(GOOD | {"exp": datetime.now(UTC) - timedelta(seconds=1)}),
    "wrong key": signed(GOOD, key="another key of thirty-two bytes or more"),
    "alg none": jwt.encode(GOOD, None, "none"),
    "another algorithm": signed(GOOD, KEY * 2, "HS512"),
    "no exp": signed({"sub": "1"}),
    "no sub": signed({"exp": SOON}),
    "sub is no number": signed(GOOD | {"sub": "admin"}),
    "sub is zero": signed(GOOD | {"sub": "0"}),
    "sub is negative": signed(GOOD | {"sub": "-1"}),
    "sub is too large": signed(GOOD | {"sub": str(2**63)}),
    "sub has very many digits": signed(GOOD | {"sub": "9" * 10_000}),
    "no such user": signed(GOOD | {"sub": "999"}),
    "changed": signed(GOOD)[:-3] + "abc",
    "unsigned": signed(GOOD).rpartition(".")[0] + ".",
    "empty": "",
    "no token": "x",
    "sub with an underscore": signed(GOOD | {"sub": "1_0"}),
    "sub with blanks": signed(GOOD | {"sub": " 1 "}),
    "sub in other digits": signed(GOOD | {"sub": "\u0661"}),
    "not ascii": "\xe9.\xe9.\xe9",
}


def test_no_bad_token_opens_a_door(client: TestClient) -> None:
    assert client.get("/api/users/me", headers=_bearer(signed(GOOD))).status_code == 200
    for name, token in BAD_TOKENS.items():
        answer = client.get("/api/users/me", headers=_bearer(token))
        assert answer.status_code == 401, name
        assert answer.headers["www-authenticate"] == "Bearer", name
    assert client.get("/api/users/me", headers={"Authorization": "Basic eA=="}).status_code == 401


def test_a_user_deleted_since_is_not_let_in(client: TestClient) -> None:
    assert client.delete("/api/users/7", headers=logged_in(7)).status_code == 204
    for method, path in [
        ("GET", "/api/users/me"),
        ("POST", "/api/posts"),
        ("DELETE", "/api/users/7"),
    ]:
        body = {"title": "t", "content": "c"} if method == "POST" else None
        assert client.request(method, path, json=body, headers=logged_in(7)).status_code == 401


def test_a_token_is_of_no_use_to_who_comes_after(client: TestClient) -> None:
    """The newest user leaves; whoever registers next must not get that id, and be let in for it."""
    newest = logged_in(50)
    assert client.delete("/api/users/50", headers=newest).status_code == 204
    body = {"username": "next", "email": "next@example.com", "password": "a long one"}
    assert client.post("/api/users", json=body).json()["id"] == 51
    assert client.get("/api/users/me", headers=newest).status_code == 401


def test_what_is_another_users_is_not_changed(client: TestClient) -> None:
    post = client.get("/api/posts/1").json()
    stranger = logged_in(post["user_id"] % 50 + 1)
    body = {"title": "mine", "content": "mine"}
    for method in ("PUT", "PATCH", "DELETE"):
        answer = client.request(method, "/api/posts/1", json=body, headers=stranger)
        assert answer.status_code == 403
    assert client.get("/api/posts/1").json() == post


def test_the_author_of_a_post_cannot_be_chosen(client: TestClient) -> None:
    body = {"title": "t", "content": "c", "user_id": 2, "id": 7}
    post = client.post("/api/posts", json=body, headers=logged_in(1)).json()
    assert (post["user_id"], post["id"]) == (1, 2001)


def test_an_unknown_address_costs_as_much_work_as_a_known_one(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    verify = password_hash.verify

    def counting(password: bytes, hashed: str) -> bool:
        verified.append(hashed)
        return verify(password, hashed)

    monkeypatch.setattr(password_hash, "verify", counting)
    answers = [
        client.post("/api/users/token", data={"username": name, "password": "wrong"})
        for name in ("user1@example.com", "nobody@example.com")
    ]
    assert len(verified) == 2
    assert answers[0].json() == answers[1].json()


def test_the_demo_hash_is_of_no_use_to_an_unknown_user() -> None:
    assert not verify_password("correct horse", None)


def test_what_was_sent_is_not_repeated(client: TestClient) -> None:
    body = {"username": "ada", "email": "ada@example.com", "password": "secret"}
    answer = client.post("/api/users", json=body)
    assert answer.status_code == 422
    assert "secret" not in answer.text


def test_the_demo_key_is_refused_outside_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOG_DEMO", "0")
    with pytest.raises(ValueError, match="BLOG_SECRET_KEY: outside the demo"):
        Settings()
    monkeypatch.setenv("BLOG_SECRET_KEY", "too short")
    with pytest.raises(SystemExit) as ended:
        from_environment()
    assert ended.value.code == "BLOG_SECRET_KEY: at least 32 characters"
    monkeypatch.setenv("BLOG_SECRET_KEY", "0123456789abcdef0123456789abcdef")
    assert "0123456789" not in repr(Settings())


def _bearer(token: str) -> dict[bytes, bytes]:
    return {b"Authorization": b"Bearer " + token.encode("latin-1")}


def test_a_setting_that_is_not_valid_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOG_POOL_SIZE", "0")
    with pytest.raises(SystemExit) as ended:
        from_environment()
    assert ended.value.code == "BLOG_POOL_SIZE: Input should be greater than 0"


@pytest.mark.parametrize("typed", ["ada@xn--bcher-kva.example", "ADA@B\u00fccher.example"])
def test_an_address_is_found_however_it_is_typed(client: TestClient, typed: str) -> None:
    body = {"username": "ada", "email": "ada@b\u00fccher.example", "password": "a long one"}
    assert client.post("/api/users", json=body).status_code == 201
    form = {"username": typed, "password": "a long one"}
    assert client.post("/api/users/token", data=form).status_code == 200


def test_what_is_no_text_is_no_login(client: TestClient) -> None:
    """A form may name a charset, and so hold half a character."""
    for name, password in [("+2AA-", "x"), ("user1@example.com", "+2AA-")]:
        parts = "".join(
            f'--B\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in (("username", name), ("password", password))
        )
        headers = {"Content-Type": "multipart/form-data; boundary=B; charset=utf-7"}
        answer = client.post("/api/users/token", content=f"{parts}--B--\r\n", headers=headers)
        assert answer.status_code == 401
