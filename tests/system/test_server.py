"""Real servers: how they start, what they are given, how they fail, and that none is left."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from apps.shared.security import create_token
from tests.system.processes import (
    BEHAVING,
    MARK,
    marked,
    marked_environment,
    none_left,
)
from twinbench.measure.server import Server, ServerFailedError
from twinbench.paths import ROOT
from twinbench.plan import Target

READY_S = 120.0


def get(server: Server, path: str) -> bytes:
    with urllib.request.urlopen(server.url + path, timeout=READY_S) as answer:
        body: bytes = answer.read()
        return body


def written(folder: Path, text: str) -> Target:
    (folder / "own.py").write_text(text)
    return Target(name="own", app="own:app", cwd=folder)


APP = """
import os
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def where() -> dict[str, str]:
    return {"cwd": os.getcwd(), "value": os.environ.get("VALUE", "")}
"""


@pytest.mark.smoke
@pytest.mark.parametrize("name", [pytest.param("sync", marks=pytest.mark.slow), "async"])
def test_an_app_is_served_on_fresh_data_each_time(name: str) -> None:
    target = Target(name=name, app=f"apps.{name}_app.main:app", cwd=None)
    for _ in range(2):
        server = Server(target)
        try:
            server.wait_until_ready(READY_S)
            newest = json.loads(get(server, "/api/posts?limit=1"))
            assert newest["total"] == 2000
            request = urllib.request.Request(server.url + "/api/posts/2000", method="DELETE")
            token = create_token(newest["posts"][0]["user_id"])
            request.add_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(request, timeout=READY_S) as answer:
                assert answer.status == 204
            assert b'"total":1999' in get(server, "/api/posts?limit=1")
            assert server.drained(READY_S)
        finally:
            server.stop()


def test_an_app_elsewhere_runs_where_it_is_and_gets_its_environment(tmp_path: Path) -> None:
    target = written(tmp_path, APP).model_copy(update={"env": {"VALUE": "in {scratch}"}})
    server = Server(target).wait_until_ready(READY_S)
    try:
        said = get(server, "/").decode()
        assert f'"cwd":"{tmp_path}"' in said
        assert '"value":"in /' in said
    finally:
        server.stop()


def test_several_workers_share_the_socket(tmp_path: Path) -> None:
    target = written(tmp_path, APP).model_copy(update={"workers": 2})
    server = Server(target)
    try:
        server.wait_until_ready(READY_S)
        assert b"cwd" in get(server, "/")
        assert server.drained(1)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("apps.nowhere.main:app", "there is no module 'apps.nowhere'"),
        ("apps.sync_app.main:nothing", "module 'apps.sync_app.main' has no 'nothing'"),
    ],
)
def test_an_app_that_is_not_there_is_named(app: str, said: str) -> None:
    server = Server(Target(name="x", app=app, cwd=ROOT))
    try:
        with pytest.raises(ServerFailedError, match=said) as failed:
            server.wait_until_ready(READY_S)
        assert failed.value.names_nothing
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("import nonexistent_module", "No module named 'nonexistent_module'"),
        ("app = (", "SyntaxError"),
        (
            APP + "\n@app.on_event('startup')\ndef bad(): raise RuntimeError('no database')\n",
            "Application startup failed",
        ),
    ],
)
def test_an_app_that_does_not_start_says_why(tmp_path: Path, text: str, said: str) -> None:
    server = Server(written(tmp_path, text))
    try:
        with pytest.raises(ServerFailedError, match="exited with code") as failed:
            server.wait_until_ready(READY_S)
        assert said in str(failed.value)
        assert not failed.value.names_nothing
    finally:
        server.stop()


def test_a_server_that_never_answers_is_given_up() -> None:
    target = Target(name="x", command=[sys.executable, str(BEHAVING), "{port}", "silent"])
    server = Server(target)
    try:
        with pytest.raises(ServerFailedError, match="not ready within 1 s"):
            server.wait_until_ready(1)
    finally:
        server.stop()


def test_a_command_that_is_not_there_is_named() -> None:
    server = Server(Target(name="x", command=["/nowhere/server", "{port}"]))
    try:
        with pytest.raises(ServerFailedError, match="/nowhere/server: No such file"):
            server.wait_until_ready(READY_S)
    finally:
        server.stop()


def test_a_server_killed_from_outside_is_noticed() -> None:
    target = Target(name="x", command=[sys.executable, str(BEHAVING), "{port}", "ok"])
    server = Server(target).wait_until_ready(READY_S)
    try:
        for process in psutil.Process(server.child.pid).children():
            process.send_signal(signal.SIGKILL)
        server.child.ended(READY_S)
        with pytest.raises(ServerFailedError, match="ended by signal 9"):
            server.check_alive()
    finally:
        server.stop()


def test_stopping_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    mark = f"stop-{os.getpid()}"
    target = written(tmp_path, APP).model_copy(update={"workers": 2, "env": {MARK: mark}})
    server = Server(target).wait_until_ready(READY_S)
    scratch = server.child.log.parent
    assert len(marked(mark)) > 2
    server.stop()
    server.stop()
    assert none_left(mark)
    assert not scratch.exists()


def test_the_worker_processes_of_an_app_are_stopped_with_it() -> None:
    mark = f"offload-{os.getpid()}"
    env = {MARK: mark, "BLOG_CPU_OFFLOAD": "process"}
    server = Server(Target(name="async", app="apps.async_app.main:app", env=env))
    try:
        server.wait_until_ready(READY_S)
        before = len(marked(mark))
        assert b"digest" in get(server, "/workload/compute?n=10")
        assert len(marked(mark)) > before
    finally:
        server.stop()
    assert none_left(mark)


def test_a_killed_harness_takes_its_servers_with_it(tmp_path: Path) -> None:
    mark = f"supervisor-{os.getpid()}"
    script = (
        "import sys, time; from pathlib import Path\n"
        "from twinbench.measure.server import Server; from twinbench.plan import Target\n"
        f"target = Target(name='x', app='apps.async_app.main:app', workers=2, cwd={str(ROOT)!r},"
        f" env={{'BLOG_DATABASE': {str(tmp_path / 'blog.db')!r},"
        f" 'BLOG_MEDIA': {str(tmp_path / 'media')!r}}})\n"
        "Server(target).wait_until_ready(120); print('ready', flush=True); time.sleep(600)\n"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", script],
        env=marked_environment(mark),
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert harness.stdout
    with harness.stdout as said:
        assert said.readline() == b"ready\n"
        assert len(marked(mark)) >= 4  # harness, supervisor, uvicorn, workers
        harness.kill()
        harness.wait()
    assert none_left(mark)
