"""Tokens, ownership, passwords, the demo, and the settings that decide about them."""

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jwt
import pytest
from fastapi.testclient import TestClient

from apps.shared.security import (
    DEMO_PASSWORD_HASH,
    NO_PASSWORD_HASH,
    password_hash,
    verify_password,
)
from apps.shared.seed import USERS
from apps.shared.settings import DEMO_KEY, Settings, from_environment
from tests.apps.requests import ADA, POST
from tests.apps.serving import auth_headers, serving
from twinbench.paths import ROOT

KEY = DEMO_KEY.get_secret_value()
OWN_KEY = "0123456789abcdef" * 2
CLAIMS = {"sub": "1", "exp": datetime.now(UTC) + timedelta(minutes=5)}


def signed(claims: dict[str, Any], key: str = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm)


BAD_SUBJECTS = ("admin", "0", "-1", str(2**63), "9" * 10_000, "999", "1_0", " 1 ", "\u0661")
BAD_TOKENS = {
    **{f"sub {sub[:20]}": signed(CLAIMS | {"sub": sub}) for sub in BAD_SUBJECTS},
    "expired": signed(CLAIMS | {"exp": datetime.now(UTC) - timedelta(seconds=1)}),
    "wrong key": signed(CLAIMS, key="another key of thirty-two bytes or more"),
    "alg none": jwt.encode(CLAIMS, None, "none"),
    "another algorithm": signed(CLAIMS, KEY * 2, "HS512"),
    "no exp": signed({"sub": "1"}),
    "no sub": signed({"exp": CLAIMS["exp"]}),
    "changed": signed(CLAIMS)[:-3] + "abc",
    "unsigned": signed(CLAIMS).rpartition(".")[0] + ".",
    "empty": "",
    "no token": "x",
    "not ascii": "\xe9.\xe9.\xe9",
}


def test_bad_token_is_rejected(client: TestClient) -> None:
    def status(scheme: str, token: str) -> int:
        headers = {b"Authorization": f"{scheme} {token}".encode("latin-1")}
        response = client.get("/api/users/me", headers=headers)
        assert (response.headers.get("www-authenticate") == "Bearer") is not response.is_success
        return response.status_code

    assert status("Bearer", signed(CLAIMS)) == 200
    assert {n: status("Bearer", t) for n, t in BAD_TOKENS.items()} == dict.fromkeys(BAD_TOKENS, 401)
    assert status("Basic", "eA==") == 401


def test_token_and_id_of_a_deleted_user_are_not_used_again(client: TestClient) -> None:
    newest = auth_headers(50)
    assert client.delete("/api/users/50", headers=newest).status_code == 204
    assert client.post("/api/posts", json=POST, headers=newest).status_code == 401
    assert client.delete("/api/users/50", headers=newest).status_code == 401
    assert client.post("/api/users", json=ADA).json()["id"] == 51
    assert client.get("/api/users/me", headers=newest).status_code == 401


def test_author_of_a_post_cannot_be_chosen_or_bypassed(client: TestClient) -> None:
    post = client.get("/api/posts/1").json()
    other = auth_headers(post["user_id"] % 50 + 1)
    for method in ("PUT", "PATCH", "DELETE"):
        assert client.request(method, "/api/posts/1", json=POST, headers=other).status_code == 403
    assert client.get("/api/posts/1").json() == post
    body = POST | {"user_id": 2, "id": 7}
    post = client.post("/api/posts", json=body, headers=auth_headers(1)).json()
    assert (post["user_id"], post["id"]) == (1, 2001)


def test_login_with_an_unknown_address_is_as_much_work(client: TestClient) -> None:
    with patch.object(password_hash, "verify", wraps=password_hash.verify) as verify:
        known, unknown = (
            client.post("/api/users/token", data={"username": name, "password": "wrong"})
            for name in ("user1@example.com", "nobody@example.com")
        )
    assert verify.call_count == 2
    assert known.json() == unknown.json()
    assert not verify_password("correct horse", None)


def test_rejected_password_is_not_repeated(client: TestClient) -> None:
    response = client.post("/api/users", json=ADA | {"password": "secret"})
    assert response.status_code == 422
    assert "secret" not in response.text


def test_login_accepts_other_forms_of_the_address(client: TestClient) -> None:
    user = ADA | {"email": "ada@b\u00fccher.example"}
    assert client.post("/api/users", json=user).status_code == 201
    for typed in ("ada@xn--bcher-kva.example", "ADA@B\u00fccher.example"):
        form = {"username": typed, "password": ADA["password"]}
        assert client.post("/api/users/token", data=form).status_code == 200


@pytest.mark.parametrize(("username", "password"), [("+2AA-", "x"), ("user1@example.com", "+2AA-")])
def test_login_with_half_a_character_is_rejected(
    client: TestClient, username: str, password: str
) -> None:
    """A form may declare UTF-7, which can encode half a surrogate pair."""
    parts = "".join(
        f'--B\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in (("username", username), ("password", password))
    )
    headers = {"Content-Type": "multipart/form-data; boundary=B; charset=utf-7"}
    response = client.post("/api/users/token", content=f"{parts}--B--\r\n", headers=headers)
    assert response.status_code == 401


# Settings.

UNKNOWN = ": there is no such setting"


def _error_of_settings() -> Any:
    with pytest.raises(SystemExit) as ended:
        from_environment()
    return ended.value.code


def test_demo_key_is_rejected_outside_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOG_DEMO", "0")
    assert "outside the demo, set your own" in _error_of_settings()
    monkeypatch.setenv("BLOG_SECRET_KEY", "too short")
    assert _error_of_settings() == "BLOG_SECRET_KEY: at least 32 characters"
    monkeypatch.setenv("BLOG_SECRET_KEY", OWN_KEY)
    assert "0123456789" not in repr(Settings())


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("BLOG_POOL_SIZE", "0", "BLOG_POOL_SIZE: Input should be greater than 0"),
        ("blog_pool_sise", "1", f"BLOG_POOL_SISE{UNKNOWN}; did you mean BLOG_POOL_SIZE?"),
        ("BLOG_UPSTREAM_URL", "1", f"BLOG_UPSTREAM_URL{UNKNOWN}; did you mean UPSTREAM_URL?"),
        ("BLOG_XYZ", "1", f"BLOG_XYZ{UNKNOWN}"),
    ],
)
def test_bad_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv("blog_max_overflow", "7")  # read, although in lower case
    assert from_environment().max_overflow == 7
    monkeypatch.setenv(variable, value)
    assert _error_of_settings() == message


def test_unknown_setting_ends_the_server_with_one_line(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uvicorn", f"apps.{name}_app.main:app", "--port", "0"]
    env = os.environ | {"BLOG_DEMOO": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    [line] = (done.stdout + done.stderr).splitlines()
    assert line == "BLOG_DEMOO: there is no such setting; did you mean BLOG_DEMO?"


# The demo.


def test_demo_is_logged_at_startup(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "uvicorn.error")
    with serving(name, fresh=False):
        [record] = [record for record in caplog.records if record.name == "uvicorn.error"]
    # A server under measurement logs warnings only.
    assert record.levelno == logging.INFO
    assert "user1@example.com" in record.getMessage()
    assert "BLOG_DEMO=0" in record.getMessage()


def test_hash_without_a_password_is_as_much_work() -> None:
    """The parameters come before the digest, and Argon2 accepts the hash."""
    parameters, digest = NO_PASSWORD_HASH.rsplit("$", 1)
    demo_parameters, demo_digest = DEMO_PASSWORD_HASH.rsplit("$", 1)
    assert (parameters, len(digest)) == (demo_parameters, len(demo_digest))
    assert password_hash.current_hasher.identify(NO_PASSWORD_HASH)
    assert not verify_password("correct horse", NO_PASSWORD_HASH)


# A program of its own, because the settings are read at import.
START = """
import importlib, json, sys
from fastapi.testclient import TestClient

app, token, ada = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with TestClient(importlib.import_module(f"apps.{app}_app.main").app) as client:
    client.post("/api/users", json=ada)
    logins = [("user1@example.com", "correct horse"), ("user50@example.com", "correct horse")]
    forms = [dict(username=name, password=password) for name, password in logins]
    forms.append(dict(username=ada["email"], password=ada["password"]))
    statuses = [client.post("/api/users/token", data=form).status_code for form in forms]
    me = client.get("/api/users/me", headers={"Authorization": f"Bearer {token}"}).status_code
    text = client.get("/login").text
    print(json.dumps([*statuses, me, all(shown in text for shown in logins[0])]))
"""


def test_demo_users_cannot_log_in_outside_the_demo(name: str, tmp_path: Path) -> None:
    def start(token: str, **env: str) -> tuple[list[Any], str]:
        done = subprocess.run(
            [sys.executable, "-c", START, name, token, json.dumps(ADA)],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return json.loads(done.stdout), done.stderr

    assert start(signed(CLAIMS)) == ([200, 200, 200, 200, True], "")
    own = {"BLOG_DEMO": "0", "BLOG_SECRET_KEY": OWN_KEY}
    found, errors = start(signed(CLAIMS), **own)
    assert found == [401, 401, 200, 401, False]
    assert errors.startswith(f"{USERS} users of the demo are in the database")
    assert len(errors.splitlines()) == 1
    assert start(signed(CLAIMS, OWN_KEY), **own) == ([401, 401, 200, 200, False], "")
    assert start(signed(CLAIMS)) == ([200, 200, 200, 200, True], "")
