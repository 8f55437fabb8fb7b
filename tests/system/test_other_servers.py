"""Servers but uvicorn, and servers that run already: checked and measured from end to end."""

import json
import os
import signal
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.support.gated import serving
from tests.support.gated import target as gated
from tests.support.processes import (
    LONG_S,
    behaving,
    none_left,
    twinbench,
)
from twinbench.measure.rig import Rig
from twinbench.measure.server import ENDS_CONNECTIONS, Server, ServerFailedError
from twinbench.plan import Plan, Target, cells
from twinbench.store import CellRecord

APPS = """
BODY = b"the same bytes"
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    head = {"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]}
    await send(head | {"headers": [*head["headers"], (b"content-length", b"14")]})
    await send({"type": "http.response.body", "body": BODY})
def wsgi(environ, start_response):
    start_response("200 OK", [("X-App", "1")])  # without a length: sent in chunks
    return [BODY]
"""
WORKER = '"uvicorn_worker.UvicornWorker"'
SERVERS = {
    "sync-worker": 'app = "own:wsgi", server = "gunicorn"',
    "asgi": 'app = "own:asgi"',
    "uvicorn-worker": f'app = "own:asgi", server = "gunicorn", server_options = {{ worker-class ='
    f" {WORKER} }}, expected_differences = {{ settings = 'another worker' }}",
    "granian": 'app = "own:asgi", server = "granian", loop = "asyncio", http = "1"',
    "granian-wsgi": 'app = "own:wsgi", server = "granian", server_options = { interface = "wsgi" }',
    "hypercorn": 'app = "own:asgi", server = "hypercorn", loop = "uvloop"',
}
PLAN = """
name = "servers"
blocks = 1
warmup_s = 0.1
measure_s = 0.3
collapse_s = 20.0
ready_s = 120
targets = [TARGETS]
scenarios = [{ name = "get", requests = [{ path = "/" }], closed = [1, 8], open = [50] }]
"""


def write_plan(folder: Path, *targets: str) -> None:
    (folder / "own.py").write_text(APPS)
    (folder / "plan.toml").write_text(PLAN.replace("TARGETS", ",".join(targets)))


def test_servers_are_measured_from_end_to_end(tmp_path: Path) -> None:
    targets = (f'{{ name = "{name}", cwd = ".", {of} }}' for name, of in SERVERS.items())
    write_plan(tmp_path, *targets)
    mark = f"servers-{os.getpid()}"
    checked = twinbench("check", "plan.toml", cwd=tmp_path, mark=mark)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "asgi against sync-worker: 3 requests: status, headers, bytes, " in checked.stdout
    assert "server: gunicorn | uvicorn" in checked.stdout
    done = twinbench("run", "plan.toml", cwd=tmp_path, mark=mark, self_check=False)
    assert done.returncode == 0, done.stderr
    assert none_left(mark)
    results = json.loads((tmp_path / "reports/latest/results.json").read_text())
    assert len(results["cells"]) == 3 * len(SERVERS)
    for cell in results["cells"]:
        assert (cell["errors"], cell["requests"] > 0) == (0, True), cell
        assert cell["status"] in ("valid", "invalid"), cell
        assert cell["server_memory_mib"] > 0, cell
        assert (ENDS_CONNECTIONS in cell["reasons"]) == (cell["target"] == "sync-worker"), cell
    assert results["target_versions"]["granian"]["granian"][0].isdecimal()
    page = (tmp_path / "reports/latest/report.html").read_text()
    assert (
        f"hypercorn {results['target_versions']['hypercorn']['hypercorn']}; telemetry from" in page
    )


@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_a_server_that_is_not_installed_is_named(tmp_path: Path, server: str) -> None:
    venv.create(tmp_path / "empty", with_pip=False)
    own = f'{{ name = "own", cwd = ".", python = "empty/bin/python", server = "{server}",'
    write_plan(tmp_path, f'{own} app = "own:asgi" }}')
    refused = twinbench("check", "plan.toml", cwd=tmp_path)
    assert refused.returncode == 3
    assert refused.stderr == (
        f"plan.toml: targets[0]: 'own' could not be started: there is no {server} in its"
        f" environment; {tmp_path}/empty/bin/python -m pip install {server}\n"
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"app": "nowhere:app", "server": "granian"}, "Could not import 'nowhere'"),
        ({"app": "own:nope", "server": "gunicorn"}, "Failed to find attribute 'nope' in 'own'"),
        ({"server": "hypercorn", "server_options": {"treads": 4}}, "arguments: --treads=4"),
        ({"server_options": {"treads": 4}}, "unexpected keyword argument 'treads'"),
    ],
)
def test_a_server_that_does_not_start_is_quoted(
    tmp_path: Path, keys: dict[str, object], message: str
) -> None:
    (tmp_path / "own.py").write_text(APPS)
    of = {"name": "own", "app": "own:asgi", "cwd": tmp_path} | keys
    with (
        pytest.raises(ServerFailedError, match="exited with code") as failed,
        serving(Target.model_validate(of)),
    ):
        pass
    assert message in str(failed.value)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    found = [tmp_path / str(number) for number in range(8)]
    for folder in found:
        folder.mkdir()
    return found


def running(server: Server, *, path: str = "/", ready: str = "/", **changes: object) -> Plan:
    """Return a plan for a server that runs already."""
    own = {"name": "own", "url": server.url, "pid": server.child.pid, "ready": ready}
    scenario = {"name": "get", "requests": [{"path": path}], "closed": [2, 4, 8]}
    table = {"name": "running", "blocks": 1, "warmup_s": 0.1, "measure_s": 0.3, "collapse_s": 1.0}
    return Plan.model_validate(table | {"targets": [own], "scenarios": [scenario]} | changes)


def measure(plan: Plan, folders: list[Path]) -> Iterator[CellRecord]:
    with Rig(plan, folders[-1]) as rig:
        for cell, folder in zip(cells(plan), folders, strict=False):
            yield from rig.measure([cell], [folder])


def test_a_running_server_is_measured_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(APPS)
    with ExitStack() as stack:
        app = Target(name="own", app="own:asgi", cwd=tmp_path, workers=2)
        one, two = (stack.enter_context(serving(app)) for _ in range(2))
        url = one.url.replace("127.0.0.1", "localhost")
        write_plan(
            tmp_path,
            f'{{ name = "one", url = "{url}", pid = {one.child.pid} }}',
            f'{{ name = "two", url = "{two.url}" }}',
        )
        done = twinbench("run", "plan.toml", cwd=tmp_path, self_check=False)
        assert done.returncode == 0, done.stderr
        for server in (one, two):
            server.check_alive()
    assert f"'one' was running before, at {url}: it is not fresh" in done.stdout
    results = json.loads((tmp_path / "reports/latest/results.json").read_text())
    for cell in results["cells"]:
        assert (cell["errors"], cell["requests"] > 0) == (0, True), cell
        assert (cell["server_memory_mib"] is None) == (cell["target"] == "two"), cell
    page = (tmp_path / "reports/latest/report.html").read_text()
    assert "was running before: not fresh, not pinned, no memory limit; no telemetry" in page


def test_a_running_server_that_hangs_is_waited_for(tmp_path: Path, folders: list[Path]) -> None:
    gate = tmp_path / "gate"
    with serving(gated(tmp_path)) as server:
        found = measure(running(server, path="/block", ready="/ok"), folders)
        assert next(found).outcome == "collapsed"
        gate.touch()
        assert [(each.outcome, each.restarted) for each in found] == [("done", "")] * 2
        server.check_alive()


def test_a_running_server_that_stays_silent_loses_the_rest(folders: list[Path]) -> None:
    command = behaving("silent", "50")
    with serving(Target(name="own", command=command)) as server:
        first, *rest = measure(running(server, ready_s=1.0), folders)
        server.check_alive()
    assert first.outcome == "collapsed"
    assert [each.outcome for each in rest] == ["lost", "lost"]
    assert f"'own' does not respond at {server.url}: it was not ready within 1 s" in rest[0].reason
    assert rest[0].reason == rest[1].reason


def test_a_running_server_that_dies_loses_the_rest(folders: list[Path]) -> None:
    command = behaving("ok")
    with serving(Target(name="own", command=command)) as server:
        [child] = psutil.Process(server.child.pid).children()
        plan = running(server)
        own = plan.targets[0].model_copy(update={"pid": child.pid})
        found = measure(plan.model_copy(update={"targets": [own]}), folders)
        assert next(found).outcome == "done"
        child.send_signal(signal.SIGKILL)
        psutil.wait_procs([child], LONG_S)
        assert [each.outcome for each in found] == ["lost", "lost"]


@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("http://192.0.2.7:8000", 2, "url: '192.0.2.7' is not this machine; --remote allows it"),
        ("http://127.0.0.1:1", 3, "does not respond at http://127.0.0.1:1: it does not accept"),
    ],
)
def test_a_url_that_cannot_be_measured_is_one_line(
    tmp_path: Path, url: str, code: int, message: str
) -> None:
    write_plan(tmp_path, f'{{ name = "one", url = "{url}" }}')
    refused = twinbench("run", "plan.toml", cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (code, 1)
    assert message in refused.stderr
