"""Pitfall 6: a password hash on the event loop blocks all other requests."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from pwdlib import PasswordHash

from tests.pitfalls.heartbeat import Heartbeat, get
from tests.pitfalls.page import quoted

app = FastAPI()
heart = Heartbeat()
hasher = PasswordHash.recommended()
STORED = hasher.hash("secret")
# On a busy machine the event loop may have no core while one hash is computed.
TRIES = 50


def verify(password: str, stored: str) -> dict[str, Any]:
    """Verify the password and count the turns of the event loop meanwhile."""
    before = heart.beats
    valid = hasher.verify(password, stored)
    return {"valid": valid, "turns": heart.beats - before}


@app.get("/on-the-loop")
async def login_on_the_loop(password: str) -> dict[str, Any]:
    return verify(password, STORED)


@app.get("/in-a-thread")
async def login_in_a_thread(password: str) -> dict[str, Any]:
    return await run_in_threadpool(verify, password, STORED)


@app.get("/plain")
def login_plain(password: str) -> dict[str, Any]:
    return verify(password, STORED)


def test_hash_on_the_event_loop_blocks_it() -> None:
    assert get(app, "/on-the-loop?password=secret", heart).json() == {"valid": True, "turns": 0}


@pytest.mark.parametrize("path", ["/in-a-thread", "/plain"])
def test_hash_in_a_thread_releases_the_gil(path: str) -> None:
    logins = (get(app, f"{path}?password=secret", heart).json() for _ in range(TRIES))
    assert any(login["valid"] and login["turns"] > 0 for login in logins)


def test_hash_is_argon2() -> None:
    assert STORED.startswith(quoted("argon2"))
