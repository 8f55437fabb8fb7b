"""Apps of plans beside the built-in pair: loadtests/dependencies.py and loadtests/overflow.py."""

import subprocess
import sys
from typing import Any

import pytest
from fastapi.dependencies import utils
from fastapi.testclient import TestClient

from loadtests.dependencies import app
from twinbench.paths import ROOT


@pytest.mark.parametrize(
    ("path", "threads"), [("/def/0", 0), ("/def/1", 1), ("/def/3", 3), ("/async/3", 0)]
)
def test_only_def_dependencies_need_threads(
    path: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    async def counted(function: Any, **values: Any) -> Any:
        calls.append(function)
        return function(**values)

    monkeypatch.setattr(utils, "run_in_threadpool", counted)
    with TestClient(app) as client:
        assert client.get(path).json() == {"done": True}
    assert len(calls) == threads


def test_overflow_serves_the_sync_app_patched() -> None:
    code = (
        "from loadtests.overflow import app; import fastapi.routing, apps.sync_app.main as sync;"
        "print(app is sync.app, fastapi.routing.serialize_response.__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "fastapi_overflow"]
