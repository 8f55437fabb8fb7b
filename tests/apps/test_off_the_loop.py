"""Nothing that computes for long, or waits for the disk, runs on the loop of the async app.

Independent of the tables in twinbench/twins: whoever takes a function out of those is caught here.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from apps.shared import security
from tests.apps.requests import REQUESTS
from tests.apps.serving import serving


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[bool]]:
    """Of each blocking function, whether it was called on a loop."""
    found: dict[str, set[bool]] = {}

    def watch(owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)
        found[name] = set()

        def watched(*args: Any, **options: Any) -> Any:
            found[name].add(_on_a_loop())
            return original(*args, **options)

        monkeypatch.setattr(owner, name, watched)

    watch(security.password_hash, "hash")
    watch(security.password_hash, "verify")
    watch(Image, "open")
    watch(Path, "write_bytes")
    watch(Path, "unlink")
    return found


@pytest.mark.parametrize("name", ["sync", "async"])
def test_what_blocks_is_in_a_thread(name: str, seen: dict[str, set[bool]]) -> None:
    with serving(name) as client:
        for called in seen.values():
            called.clear()  # the start may block
        # The workload routes are on the loop on purpose (BLOG_CPU_OFFLOAD).
        for ask in REQUESTS:
            if not ask.path.startswith("/workload"):
                ask.send(client)
        assert seen == {function: {False} for function in seen}


def test_what_is_on_the_loop_is_caught(seen: dict[str, set[bool]]) -> None:
    with serving("async") as client:
        seen["verify"].clear()
        client.get("/workload/hash")
    assert seen["verify"] == {True}
