"""Trap 6: verifying a password on the event loop: each login stops the worker."""

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
# A busy machine may give the loop's thread no core for as long as one hash takes.
TRIES = 50


def verify(password: str, stored: str) -> dict[str, Any]:
    """`hasher.verify`, with the turns that the event loop took while it ran."""
    before = heart.beats
    right = hasher.verify(password, stored)
    return {"right": right, "turns": heart.beats - before}


@app.get("/on-the-loop")
async def login_on_the_loop(password: str) -> dict[str, Any]:
    return verify(password, STORED)


@app.get("/in-a-thread")
async def login_in_a_thread(password: str) -> dict[str, Any]:
    return await run_in_threadpool(verify, password, STORED)


@app.get("/plain")
def login_plain(password: str) -> dict[str, Any]:
    return verify(password, STORED)


def test_on_the_loop_nobody_gets_a_turn() -> None:
    assert get(app, "/on-the-loop?password=secret", heart).json() == {"right": True, "turns": 0}


@pytest.mark.parametrize("path", ["/in-a-thread", "/plain"])
def test_in_a_thread_the_loop_goes_on(path: str) -> None:
    """Argon2 lets go of the GIL while it computes: the loop takes turns inside one call."""
    hashes = (get(app, f"{path}?password=secret", heart).json() for _ in range(TRIES))
    assert any(seen["right"] and seen["turns"] > 0 for seen in hashes)


def test_what_one_hash_costs_is_written_in_front_of_it() -> None:
    """64 MiB (m, in KiB), and so as often as threads compute one at the same time."""
    assert STORED.startswith(quoted("argon2"))
