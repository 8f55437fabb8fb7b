"""Trap 5: a call that blocks, in an `async def` route: nobody else is served meanwhile."""

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

from tests.pitfalls.heartbeat import GIVE_UP_S, Heartbeat, get
from tests.pitfalls.page import quoted

app = FastAPI()
heart = Heartbeat()


def call_api() -> dict[str, Any]:
    """Like requests.get(): its thread does nothing else until the answer is there.

    Here the answer is there as soon as the event loop has served somebody else.
    """
    others_served = heart.beats_meanwhile()
    return {"others_served": others_served, "thread": threading.current_thread().name}


async def await_api() -> dict[str, Any]:
    """Like an AsyncClient's get(): the loop may do something else until the answer is there."""
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


@app.get("/handed-over")
async def handed_over() -> dict[str, Any]:
    return await run_in_threadpool(call_api)


@pytest.mark.parametrize(
    ("path", "others_served", "on_the_loop"),
    [
        ("/blocking", False, True),
        ("/awaiting", True, True),
        ("/plain", True, False),
        ("/handed-over", True, False),
    ],
)
def test_who_is_served_meanwhile(path: str, others_served: bool, on_the_loop: bool) -> None:
    seen = get(app, path, heart).json()
    assert seen["others_served"] is others_served
    assert (seen["thread"] == threading.current_thread().name) is on_the_loop


def ruff(code: str, tmp_path: Path) -> list[str]:
    """What ruff's ASYNC rules say of `code`, without the place."""
    file = tmp_path / "route.py"
    file.write_text(code)
    quiet = ("--isolated", "--no-cache", "--quiet", "--output-format", "concise")
    command = [sys.executable, "-m", "ruff", "check", *quiet, "--select", "ASYNC", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line.split(": ", 1)[1] for line in done.stdout.splitlines()]


def test_ruff_finds_a_blocking_call_where_it_stands(tmp_path: Path) -> None:
    code = "import time\nimport requests\n\n\nasync def route():\n"
    found = ruff(f"{code}    time.sleep(1)\n    requests.get('http://api')\n", tmp_path)
    assert found == quoted("ruff").splitlines()


def test_ruff_does_not_find_a_password_hash(tmp_path: Path) -> None:
    code = "from pwdlib import PasswordHash\n\nhasher = PasswordHash.recommended()\n\n\n"
    assert ruff(f"{code}async def login():\n    hasher.verify('secret', 'x')\n", tmp_path) == []


def test_ruff_does_not_find_it_one_function_away(tmp_path: Path) -> None:
    helper = "import time\n\n\ndef helper():\n    time.sleep(1)\n\n\n"
    assert ruff(f"{helper}async def route():\n    helper()\n", tmp_path) == []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    asyncio.get_running_loop().set_debug(True)
    yield


def test_asyncio_in_debug_mode_tells_of_it_while_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    debugged = FastAPI(lifespan=lifespan)

    @debugged.get("/")
    async def route() -> float:
        heart.beats_meanwhile()  # nothing beats here: it blocks until it gives up
        return asyncio.get_running_loop().slow_callback_duration

    with caplog.at_level(logging.WARNING, "asyncio"), TestClient(debugged) as client:
        threshold_s = client.get("/").json()
    assert threshold_s == 0.1 < GIVE_UP_S
    assert any(line.startswith("Executing <Task") for line in caplog.messages)
