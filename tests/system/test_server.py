"""Real servers: how they start, what they get, how they fail, and that none is left."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from apps.shared.security import create_token
from tests.support.gated import get, serving, target
from tests.support.processes import (
    LONG_S,
    MARK,
    behaving,
    marked,
    marked_environment,
    none_left,
)
from twinbench.measure.server import Server, ServerFailedError
from twinbench.paths import ROOT
from twinbench.plan import Target

APP = """
import os
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def where() -> dict[str, str]:
    return {"cwd": os.getcwd(), "value": os.environ.get("VALUE", "")}
"""
FAILING_STARTUP = "\n@app.on_event('startup')\ndef bad(): raise RuntimeError('no database')\n"


def failure(wanted: Target) -> ServerFailedError:
    with pytest.raises(ServerFailedError) as failed, serving(wanted):
        pass
    return failed.value


@pytest.mark.smoke
@pytest.mark.parametrize("name", [pytest.param("sync", marks=pytest.mark.slow), "async"])
def test_an_app_has_fresh_data_at_each_start(name: str) -> None:
    for _ in range(2):
        with serving(Target(name=name, app=f"apps.{name}_app.main:app", cwd=None)) as server:
            newest = json.loads(get(server.url + "/api/posts?limit=1"))
            assert newest["total"] == 2000
            request = urllib.request.Request(server.url + "/api/posts/2000", method="DELETE")
            token = create_token(newest["posts"][0]["user_id"])
            request.add_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(request, timeout=LONG_S) as response:
                assert response.status == 204
            assert b'"total":1999' in get(server.url + "/api/posts?limit=1")
            assert server.drained(LONG_S)


def test_an_app_runs_in_its_folder_and_environment(tmp_path: Path) -> None:
    with serving(target(tmp_path, APP, env={"VALUE": "in {scratch}"})) as server:
        found = json.loads(get(server.url + "/"))
    assert found["cwd"] == str(tmp_path)
    assert found["value"].startswith("in /")


def test_an_app_is_imported_from_another_folder(tmp_path: Path) -> None:
    from_elsewhere = target(tmp_path, APP, cwd=None, import_from=tmp_path)
    with serving(from_elsewhere) as server:
        found = json.loads(get(server.url + "/"))
        assert found["cwd"] == str(server.folder)


def test_options_of_uvicorn_are_its_configuration(tmp_path: Path) -> None:
    options = {"server_options": {"headers": [["x-own", "1"]], "server_header": False}}
    with (
        serving(target(tmp_path, APP, loop="asyncio", http="h11", **options)) as server,
        urllib.request.urlopen(server.url, timeout=LONG_S) as response,
    ):
        assert (response.headers["x-own"], response.headers["server"]) == ("1", None)


WITHOUT_ANYIO = """
import asyncio, sys
sys.modules["anyio"] = sys.modules["anyio.to_thread"] = None
asyncio.get_running_loop()  # uvicorn imports an app on its event loop
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})
"""


def test_an_app_needs_no_anyio_and_is_imported_on_its_loop(tmp_path: Path) -> None:
    with serving(target(tmp_path, WITHOUT_ANYIO), observe=True) as server:
        assert get(server.url + "/") == b"here"
        assert server.drained(LONG_S)
        work = server.work(LONG_S)
    assert work
    assert work.conditions["thread limit"] == "none"


WARMING = """
import asyncio
from fastapi import FastAPI, Response
app, asked = FastAPI(), 0
@app.get("/")
async def hang() -> None:
    await asyncio.sleep(3600)
@app.get("/health")
def health(response: Response) -> int:
    global asked
    asked += 1
    response.status_code = 204 if asked > 2 else 503
    return asked
@app.get("/asked")
def count() -> int:
    return asked
"""


def test_a_server_is_ready_when_its_path_answers_with_the_status(tmp_path: Path) -> None:
    with serving(target(tmp_path, WARMING, ready="/health", ready_status=204)) as server:
        assert get(server.url + "/asked") == b"3"
        assert server.drained(LONG_S)


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("error", "GET /health was answered with 500, not 200"),
        ("silent", "GET /health was not answered"),
    ],
)
def test_a_server_that_does_not_become_ready_is_explained(behaviour: str, why: str) -> None:
    command = behaving(behaviour)
    server = Server(Target(name="x", command=command, ready="/health"))
    try:
        with pytest.raises(ServerFailedError, match="not ready within 3 s") as failed:
            server.wait_until_ready(3.0)
    finally:
        server.stop()
    assert f"(ready_s): {why};" in str(failed.value)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"app": "apps.nowhere.main:app"}, "there is no module 'apps.nowhere'"),
        ({"app": "apps.sync_app.main:no"}, "module 'apps.sync_app.main' has no 'no'"),
        ({"command": ["/nowhere/server", "{port}"]}, "/nowhere/server: No such file"),
    ],
)
def test_what_does_not_exist_is_named(wanted: dict[str, object], message: str) -> None:
    error = failure(Target.model_validate({"name": "x", "cwd": ROOT} | wanted))
    assert message in str(error)
    assert error.app_not_found == ("app" in wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        (
            "raise ValueError('no table\\n(Background on this error at: https://example.org)')",
            "ValueError: no table",
        ),
        (
            "import nonexistent_module",
            "No module named 'nonexistent_module'; it ran in twinbench's own environment: set",
        ),
        ("app = (", "SyntaxError"),
        (APP + FAILING_STARTUP, "RuntimeError: no database"),
    ],
)
def test_an_app_that_does_not_start_is_quoted(tmp_path: Path, text: str, message: str) -> None:
    error = failure(target(tmp_path, text))
    assert "exited with code" in str(error)
    assert message in str(error)
    assert not error.app_not_found


def test_stopping_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    mark = f"stop-{os.getpid()}"
    with serving(target(tmp_path, APP, workers=2, env={MARK: mark})) as server:
        scratch = server.child.log.parent
        assert len(marked(mark)) > 2
        assert server.drained(LONG_S)  # several workers have no control socket
        server.stop()
    assert none_left(mark)
    assert not scratch.exists()


def test_the_worker_processes_of_an_app_are_stopped_with_it() -> None:
    mark = f"offload-{os.getpid()}"
    env = {MARK: mark, "BLOG_CPU_OFFLOAD": "process"}
    with serving(Target(name="async", app="apps.async_app.main:app", env=env)) as server:
        before = len(marked(mark))
        assert b"digest" in get(server.url + "/workload/compute?n=10")
        assert len(marked(mark)) > before
    assert none_left(mark)


def test_a_killed_harness_takes_its_servers_with_it(tmp_path: Path) -> None:
    mark = f"supervisor-{os.getpid()}"
    env = {"BLOG_DATABASE": str(tmp_path / "blog.db"), "BLOG_MEDIA": str(tmp_path / "media")}
    script = (
        "import time; from twinbench.measure.server import Server\n"
        "from twinbench.plan import Target\n"
        f"target = Target(name='x', app='apps.async_app.main:app', workers=2, env={env!r})\n"
        "Server(target).wait_until_ready(120); print('ready', flush=True); time.sleep(600)\n"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", script],
        env=marked_environment(mark),
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert harness.stdout
    with harness.stdout as output:
        assert output.readline() == b"ready\n"
        assert len(marked(mark)) >= 4  # harness, supervisor, uvicorn, workers
        harness.kill()
        harness.wait()
    assert none_left(mark)
