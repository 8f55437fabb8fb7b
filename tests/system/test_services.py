"""Services of a plan, and what is prepared before each server: order, failures, and the end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import factories, faults
from tests.support.gated import get, serving, target
from tests.support.processes import (
    LONG_S,
    clean_rig,
    command,
    marked_environment,
    none_left,
    twinbench,
    wait_for,
)
from tests.system.planted import PLAN, write_pair
from twinbench.measure.server import Server, ServerFailedError
from twinbench.measure.services import Services
from twinbench.plan import Plan, Service, Target
from twinbench.text import toml

# Listens on its port, and never sends a byte.
SILENT = """
import os, socket, sys, time
print("about to listen")
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(600)
"""
# Makes its first argument, a file, and stays.
STAYING = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
PREPARING = """
import os, pathlib, sys
pathlib.Path(os.environ["FOLDER"], "prepared").open("a").write(os.getcwd() + sys.argv[1] + " ")
"""
APP = """
import os
from pathlib import Path
from fastapi import FastAPI
PREPARED = Path(os.environ["FOLDER"], "prepared").read_text()
app = FastAPI()
@app.get("/")
def prepared() -> str:
    return PREPARED
"""


def python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", script, *arguments]


def service(name: str, **keys: object) -> Service:
    return Service.model_validate({"name": name} | keys)


@contextmanager
def running(*services: Service, ready_s: float = LONG_S) -> Iterator[Services]:
    found = Services(services, (), ready_s)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def failure(*services: Service, ready_s: float = LONG_S) -> str:
    with pytest.raises(ServerFailedError) as failed, running(*services, ready_s=ready_s):
        pass
    return str(failed.value)


def filled(services: Services, text: str) -> str:
    """Return `text` of a plan with the addresses of services filled in, everywhere alike."""
    wanted = Target(name="x", command=[text], env={"A": text}, prepare=[text])
    found = services.with_addresses(wanted)
    assert found.command == found.prepare == [found.env["A"]]
    return found.env["A"]


def test_services_get_addresses_of_earlier_ones() -> None:
    silent = service("db", command=python(SILENT, "{port}"))  # needs not speak HTTP
    later = service(
        "files",
        command=[sys.executable, "-m", "http.server", "{port}", "--directory", "{scratch}"],
        env={"DB": "{services.db.host}:{services.db.port}"},
        ready="http://127.0.0.1:{port}/",
    )
    with running(silent, later) as services:
        url = filled(services, "{services.files.url}")
        assert b"Directory listing" in get(f"{url}/")
        host, port = filled(services, "{services.db.host} {services.db.port}").split()
        socket.create_connection((host, int(port))).close()
        assert services.uncounted == {f"{host}:{port}": "service 'db'", url[7:]: "service 'files'"}
        assert filled(services, "{services.db.url}/x") == f"http://{host}:{port}/x"
        assert services.why_died() == ""


def test_requests_to_a_service_that_is_an_app_are_counted() -> None:
    with running(Service.model_validate(factories.UPSTREAM)) as services:
        url = filled(services, "{services.upstream.url}")
        before = services.answered(LONG_S)
        get(f"{url}/delay?ms=1")
        assert services.answered(LONG_S) == before + 1
        assert (services.counted, services.uncounted) == ({url.removeprefix("http://")}, {})


def test_a_service_with_a_fixed_port_has_that_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fixed = service(
            "files",
            command=[sys.executable, "-m", "http.server", str(port)],
            ready=f"http://127.0.0.1:{port}/nothing",
            ready_status=404,
        )
        assert f"another process listens on its port, {port}; end that one" in failure(fixed)
    with running(fixed) as services:
        assert filled(services, "{services.files.url}") == f"http://127.0.0.1:{port}"


def test_a_service_that_ended_is_started_again_with_those_after_it() -> None:
    one, two, three = (service(name, command=python(SILENT, "{port}")) for name in "abc")
    with running(one, two, three) as services:
        ports = "{services.a.port} {services.b.port} {services.c.port}"
        before = filled(services, ports).split()
        services._running[1].child.stop()
        assert services.why_died().startswith("service 'b' died: it was killed by signal 9; its")
        services.start()
        assert services.why_died() == ""
        after = filled(services, ports).split()
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"command": python("print('no luck', flush=True); import sys; sys.exit(7)", "{port}")},
            "it exited with code 7; its last output: no luck",
        ),
        (
            {"command": python("import time; print('hm', flush=True); time.sleep(9)", "{port}")},
            "it was not ready within 2 s (ready_s): it does not listen on port ",
        ),
        (
            {"command": python(SILENT, "{port}"), "ready": "/health"},
            "it was not ready within 2 s (ready_s): GET /health was not answered; its last output",
        ),
        ({"command": ["/nowhere/it", "{port}"]}, "/nowhere/it: No such file"),
    ],
)
def test_a_service_that_does_not_start_is_explained(keys: dict[str, object], message: str) -> None:
    found = failure(service("x", **keys), ready_s=2.0 if "ready_s" in message else LONG_S)
    assert found.startswith("service 'x' could not be started: ")
    assert message in found


def plan_file(folder: Path, table: str) -> Path:
    """Write the plan of `faults.TINY` with `table` before its targets."""
    (folder / "plan.toml").write_text(faults.TINY.replace("targets = [", f"{table}\ntargets = ["))
    return folder / "plan.toml"


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("keys", "code", "message"),
    [
        ({"command": python("exit(7)")}, 3, "service 'x' died: it exited with code 7"),
        ({"command": python("exit(7)", "{port}")}, 3, "service 'x' could not be started: it exi"),
        ({"app": "nowhere:app"}, 2, "service 'x' could not be started: there is no module"),
    ],
)
def test_a_failing_service_refuses_the_plan(
    tmp_path: Path, keys: dict[str, object], code: int, message: str
) -> None:
    plan_file(tmp_path, f"services = {toml([{'name': 'x', **keys}])}")
    done = twinbench("check", "plan.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert f"plan.toml: {message}" in done.stderr


def test_each_server_is_prepared_in_its_own_folder(tmp_path: Path) -> None:
    prepare = python(PREPARING, " in {scratch}")
    own = target(tmp_path, APP, env={"FOLDER": "{scratch}"}, prepare=prepare)
    prepared = set()
    for _ in range(2):
        with serving(own) as server:
            text = get(server.url + "/").decode()
            assert text == f'"{tmp_path} in {server.folder} "'  # once
            prepared.add(text)
    assert len(prepared) == 2


def test_programs_beside_the_interpreter_are_found_first(tmp_path: Path) -> None:
    program = tmp_path / "own-program"
    program.write_text('#!/bin/sh\necho "$0 $1" >> "$FOLDER/log"\n[ -z "$2" ] || exec "$2" $3 $4\n')
    program.chmod(0o755)
    (tmp_path / "python").symlink_to(sys.executable)
    wanted = Target(
        name="x",
        command=["own-program", "command", sys.executable, "-mhttp.server", "{port}"],
        prepare=["own-program", "prepare"],
        python=tmp_path / "python",
        env={"FOLDER": str(tmp_path)},
    )
    with serving(wanted):
        assert (tmp_path / "log").read_text() == f"{program} prepare\n{program} command\n"


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (python("print('half'); exit(3)"), "python exited with code 3; its last output: half"),
        (python("exit(2)"), "python exited with code 2; its last output: it printed nothing"),
        (["no-such-program"], "no-such-program exited with code 127; its last output: no-such-pro"),
        (
            python("import time; print('on', flush=True); time.sleep(600)"),
            "python did not end within 2 s (ready_s); its last output: on",
        ),
    ],
)
def test_a_failing_prepare_is_explained_and_loses_a_cell(
    tmp_path: Path, prepare: list[str], message: str
) -> None:
    ready_s = 2.0 if "ready_s" in message else LONG_S
    table = faults.plan("ok").model_dump(exclude_none=True) | {"ready_s": ready_s}
    table["targets"][0]["prepare"] = prepare
    # The name of the interpreter's file is that of this environment.
    message = message.replace("python ", f"{Path(sys.executable).name} ")
    with clean_rig(Plan.model_validate(table), tmp_path) as rig:
        record, _ = faults.measure(rig, "ok", tmp_path)
    assert record.outcome == "lost"
    assert record.reason.startswith(f"'ok' could not be prepared: {message}")


def test_the_preflight_refuses_a_target_that_is_not_prepared(tmp_path: Path) -> None:
    path = plan_file(tmp_path, "")
    words = toml(python("print('no table'); exit(1)"))
    path.write_text(path.read_text().replace('"one",', f'"one", prepare = {words},'))
    done = twinbench("check", "plan.toml", cwd=tmp_path)
    assert done.returncode == 3
    assert "plan.toml: targets[0]: 'one' could not be prepared: python" in done.stderr
    assert "exited with code 1; its last output: no table" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("what", ["a service starts", "prepare runs"])
def test_an_interrupt_while_it_starts_leaves_nothing(
    tmp_path: Path, what: str, number: signal.Signals
) -> None:
    path, begun = plan_file(tmp_path, ""), tmp_path / "begun"
    words = toml(python(STAYING, str(begun), "{port}"))
    if what == "a service starts":
        plan_file(tmp_path, f"services = [{{ name = 'x', command = {words} }}]")
    else:
        path.write_text(path.read_text().replace('"one",', f'"one", prepare = {words},'))
    (temporary := tmp_path / "temporary").mkdir()
    mark = f"starting-{os.getpid()}"
    env = marked_environment(mark) | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(
        command("check", "plan.toml"),
        cwd=tmp_path,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_for(begun.exists)
    process.send_signal(number)
    _, errors = process.communicate(timeout=LONG_S)
    assert none_left(mark)
    if number == signal.SIGINT:
        assert (process.returncode, errors) == (130, "Interrupted.\n")
        assert list(temporary.iterdir()) == []


def test_ready_s_is_for_prepare_and_for_the_start(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waiting = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    server = Server(Target(name="x", command=python(SILENT, "{port}"), prepare=python(waiting)))
    try:
        with pytest.raises(ServerFailedError, match=r"did not end within 0\.5 s"):
            server.wait_until_ready(0.5)
        gate.touch()
        assert wait_for(server.child.is_prepared)
        with pytest.raises(ServerFailedError, match=r"it was not ready within 0\.5 s"):
            server.wait_until_ready(0.5)
    finally:
        server.stop()


def test_requests_to_a_command_are_said_not_to_be_counted(tmp_path: Path) -> None:
    words = toml(python(SILENT.strip(), "{port}"))
    write_pair(tmp_path, plan=f"{PLAN}[[services]]\nname = 'db'\ncommand = {words}\n")
    done = twinbench("check", "plan.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "upstream requests (those to service 'db' are not counted)" in done.stdout
