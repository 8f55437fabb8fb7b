"""Who is let in: hostile and stale tokens, and what belongs to somebody else."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from apps.shared import security, seed
from apps.shared.security import (
    DEMO_PASSWORD_HASH,
    NO_PASSWORD_HASH,
    password_hash,
    verify_password,
)
from apps.shared.seed import USERS
from apps.shared.settings import DEMO_KEY, Settings, from_environment, settings
from tests.apps.serving import credentials, logged_in, serving
from twinbench.paths import ROOT

KEY = DEMO_KEY.get_secret_value()
SOON = datetime.now(UTC) + timedelta(minutes=5)
GOOD = {"sub": "1", "exp": SOON}
OWN_KEY = "0123456789abcdef" * 2
ADA = {"username": "ada", "email": "ada@example.com", "password": "a long one"}


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
    monkeypatch.setenv("BLOG_SECRET_KEY", OWN_KEY)
    assert "0123456789" not in repr(Settings())


def _bearer(token: str) -> dict[bytes, bytes]:
    return {b"Authorization": b"Bearer " + token.encode("latin-1")}


def test_a_setting_that_is_not_valid_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOG_POOL_SIZE", "0")
    with pytest.raises(SystemExit) as ended:
        from_environment()
    assert ended.value.code == "BLOG_POOL_SIZE: Input should be greater than 0"


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("BLOG_DEMOO", "BLOG_DEMOO: there is no such setting; did you mean BLOG_DEMO?"),
        (
            "blog_pool_sise",
            "BLOG_POOL_SISE: there is no such setting; did you mean BLOG_POOL_SIZE?",
        ),
        (
            "BLOG_UPSTREAM_URL",
            "BLOG_UPSTREAM_URL: there is no such setting; did you mean UPSTREAM_URL?",
        ),
        ("BLOG_XYZ", "BLOG_XYZ: there is no such setting"),
    ],
)
def test_a_setting_that_is_unknown_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SystemExit) as ended:
        from_environment()
    assert ended.value.code == said


def test_a_setting_in_small_letters_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("blog_pool_size", "7")
    assert from_environment().pool_size == 7


def test_an_unknown_setting_ends_the_start_with_a_sentence(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uvicorn", f"apps.{name}_app.main:app", "--port", "0"]
    env = os.environ | {"BLOG_DEMOO": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    [line] = (done.stdout + done.stderr).splitlines()
    assert line == "BLOG_DEMOO: there is no such setting; did you mean BLOG_DEMO?"


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


@pytest.fixture
def leave_demo(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it: from then on the apps start and sign as with BLOG_DEMO=0."""
    own = settings.model_copy(update={"demo": False, "secret_key": SecretStr(OWN_KEY)})

    def leave() -> None:
        for module in (seed, security):
            monkeypatch.setattr(module, "settings", own)

    return leave


def _log_in(name: str, form: dict[str, str]) -> int:
    """Return the status of a login, after another start of the app `name` on the same data."""
    with serving(name, fresh=False) as client:
        return client.post("/api/users/token", data=form).status_code


def test_what_was_a_demo_lets_its_users_in_no_more(
    client: TestClient,
    name: str,
    leave_demo: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    client.post("/api/users", json=ADA)
    of_ada = {"username": ADA["email"], "password": ADA["password"]}
    leave_demo()
    caplog.clear()
    assert _log_in(name, credentials()) == 401
    assert _log_in(name, credentials(f"user{USERS}")) == 401
    assert _log_in(name, of_ada) == 200
    # Of three starts, the first one says it.
    [said] = [record for record in caplog.records if record.name == "uvicorn.error"]
    assert said.levelno == logging.WARNING
    assert said.getMessage().startswith(f"{USERS} users of the demo are in the database")


def test_a_demo_started_anew_lets_its_users_in_again(
    client: TestClient, name: str, leave_demo: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_demo()
    assert _log_in(name, credentials()) == 401
    monkeypatch.undo()
    assert _log_in(name, credentials()) == 200


def test_a_demo_says_so_at_the_start(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "uvicorn.error")
    with serving(name, fresh=False):
        [said] = [record for record in caplog.records if record.name == "uvicorn.error"]
    # Not in the log of a server that is measured: there it is warnings only.
    assert said.levelno == logging.INFO
    assert "user1@example.com" in said.getMessage()
    assert "BLOG_DEMO=0" in said.getMessage()


def test_a_token_of_the_demo_is_refused_outside_it(
    client: TestClient, leave_demo: Callable[[], None]
) -> None:
    published = signed(GOOD)
    assert client.get("/api/users/me", headers=_bearer(published)).status_code == 200
    leave_demo()
    assert client.get("/api/users/me", headers=_bearer(published)).status_code == 401
    assert client.get("/api/users/me", headers=_bearer(signed(GOOD, OWN_KEY))).status_code == 200


def test_no_password_is_as_much_work_as_another() -> None:
    """The parameters stand before the digest; the value is one that Argon2 takes."""
    of_no_password, digest = NO_PASSWORD_HASH.rsplit("$", 1)
    of_demo, other = DEMO_PASSWORD_HASH.rsplit("$", 1)
    assert of_no_password == of_demo
    assert len(digest) == len(other)
    assert password_hash.current_hasher.identify(NO_PASSWORD_HASH)
    assert not verify_password("correct horse", NO_PASSWORD_HASH)


# Run as a program: the settings are read from its environment.
START = """
import importlib, json, sys
from fastapi.testclient import TestClient

form, token = {"username": "user1@example.com", "password": "correct horse"}, sys.argv[2]
app = importlib.import_module(f"apps.{sys.argv[1]}_app.main").app
with TestClient(app) as client:
    login = client.post("/api/users/token", data=form).status_code
    me = client.get("/api/users/me", headers={"Authorization": f"Bearer {token}"}).status_code
    print(json.dumps([login, me, "This is a demo" in client.get("/login").text]))
"""


def test_the_environment_ends_a_demo(name: str, tmp_path: Path) -> None:
    def start(**env: str) -> tuple[list[Any], str]:
        done = subprocess.run(
            [sys.executable, "-c", START, name, signed(GOOD)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout), done.stderr

    assert start() == ([200, 200, True], "")
    found, said = start(BLOG_DEMO="0", BLOG_SECRET_KEY=OWN_KEY)
    assert found == [401, 401, False]
    assert len(said.splitlines()) == 1
