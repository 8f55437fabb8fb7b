"""What runs on the event loop of the async app, and what in a thread or a process."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image

from apps.shared import offload, security
from apps.shared.settings import settings
from tests.apps.requests import REQUESTS
from tests.apps.serving import serving


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[bool]]:
    """Whether each blocking function was called on an event loop."""
    found: dict[str, set[bool]] = {}

    def watch(owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)
        found[name] = set()

        def watched(*args: Any, **options: Any) -> Any:
            found[name].add(asyncio._get_running_loop() is not None)
            return original(*args, **options)

        monkeypatch.setattr(owner, name, watched)

    watch(security.password_hash, "hash")
    watch(security.password_hash, "verify")
    watch(Image, "open")
    watch(Path, "write_bytes")
    watch(Path, "unlink")
    return found


def test_blocking_calls_run_in_threads(name: str, calls: dict[str, set[bool]]) -> None:
    with serving(name) as client:
        for found in calls.values():
            found.clear()  # startup may block
        for case in REQUESTS:
            # These block on purpose, unless BLOG_CPU_OFFLOAD moves them.
            if not case.path.startswith("/workload"):
                case.send(client)
        assert calls == {function: {False} for function in calls}


def test_blocking_call_on_the_event_loop_is_found(calls: dict[str, set[bool]]) -> None:
    with serving("async") as client:
        calls["verify"].clear()
        client.get("/workload/hash")
    assert calls["verify"] == {True}


def _process_and_thread() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


@pytest.mark.parametrize(
    ("where", "same_process", "same_thread"),
    [("none", True, True), ("thread", True, False), ("process", False, False)],
)
def test_cpu_work_runs_where_the_setting_says(
    where: str, same_process: bool, same_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offload, "settings", settings.model_copy(update={"cpu_offload": where}))
    process, thread = anyio.run(offload.run_cpu, _process_and_thread)
    assert (process == os.getpid()) == same_process
    if same_process:
        assert (thread == threading.get_ident()) == same_thread
    with pytest.raises(ValueError, match="invalid literal"):
        anyio.run(offload.run_cpu, int, "x")
