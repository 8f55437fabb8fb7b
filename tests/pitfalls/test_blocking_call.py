"""Pitfall 5: a blocking call in an `async def` route blocks all other requests."""

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.testclient import TestClient

from tests.pitfalls.heartbeat import BLOCKED_S, Heartbeat, get
from tests.pitfalls.page import quoted

app = FastAPI()
heart = Heartbeat()


def call_api() -> dict[str, Any]:
    """Block until the event loop has served another request."""
    others_served = heart.wait_for_beat()
    return {"others_served": others_served, "thread": threading.current_thread().name}


async def await_api() -> dict[str, Any]:
    before = heart.beats
    await asyncio.sleep(0.01)
    return {"others_served": heart.beats > before, "thread": threading.current_thread().name}


@app.get("/blocking")
async def blocking() -> dict[str, Any]:
    return call_api()


@app.get("/awaiting")
async def awaiting() -> dict[str, Any]:
    return await await_api()


@app.get("/plain")
def plain() -> dict[str, Any]:
    return call_api()


@app.get("/in-a-thread")
async def in_a_thread() -> dict[str, Any]:
    return await run_in_threadpool(call_api)


@pytest.mark.parametrize(
    ("path", "others_served", "on_event_loop"),
    [
        ("/blocking", False, True),
        ("/awaiting", True, True),
        ("/plain", True, False),
        ("/in-a-thread", True, False),
    ],
)
def test_other_requests_wait_for_a_blocking_call_only(
    path: str, others_served: bool, on_event_loop: bool
) -> None:
    found = get(app, path, heart).json()
    assert found["others_served"] is others_served
    assert (found["thread"] == threading.current_thread().name) is on_event_loop


ROUTES = """
import time, requests, pwdlib
hasher = pwdlib.PasswordHash.recommended()
async def direct():
    time.sleep(1)
    requests.get("http://api")
async def password_hash():
    hasher.verify("secret", "x")
def helper():
    time.sleep(1)
async def in_a_helper():
    helper()
"""


def test_ruff_finds_direct_calls_only(tmp_path: Path) -> None:
    file = tmp_path / "route.py"
    file.write_text(ROUTES)
    quiet = ("--isolated", "--no-cache", "--quiet", "--output-format", "concise")
    command = [sys.executable, "-m", "ruff", "check", *quiet, "--select", "ASYNC", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line.split(": ", 1)[1] for line in done.stdout.splitlines()]
    assert found == quoted("ruff").splitlines()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    asyncio.get_running_loop().set_debug(True)
    yield


def test_debug_mode_of_asyncio_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    debugged = FastAPI(lifespan=lifespan)

    @debugged.get("/")
    async def route() -> float:
        heart.wait_for_beat()  # blocks for BLOCKED_S
        return asyncio.get_running_loop().slow_callback_duration

    with caplog.at_level(logging.WARNING, "asyncio"), TestClient(debugged) as client:
        threshold_s = client.get("/").json()
    assert threshold_s == 0.1 < BLOCKED_S
    assert any(line.startswith("Executing <Task") for line in caplog.messages)
