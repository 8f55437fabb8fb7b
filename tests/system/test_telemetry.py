"""What is seen of real servers while they are blocked, crowded, short of connections, too big."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from tests.system.processes import BEHAVING
from twinbench.measure import probe
from twinbench.measure.rig import Rig
from twinbench.measure.server import Server
from twinbench.measure.telemetry import COLUMNS, MemoryLimit, Watch
from twinbench.measure.tree import PsutilTree, tree
from twinbench.plan import Plan, Target, cells

READY_S = 30.0
LONG_S = 30.0  # for what comes at once
NO_LIMIT = MemoryLimit(1e9, "never")

APP = """
import time
from contextlib import asynccontextmanager
from pathlib import Path
from fastapi import FastAPI
GATE = Path(__file__).with_name("gate")
def until_open():
    while not GATE.exists():
        time.sleep(0.005)
@asynccontextmanager
async def lifespan(app):
    if OWN:
        kept.append(engine().connect())
    yield
app = FastAPI(lifespan=lifespan)
kept = []
def engine():
    global one
    from sqlalchemy import create_engine, pool
    if one is None:
        one = create_engine("sqlite://", poolclass=pool.QueuePool, pool_size=1 + OWN,
            max_overflow=0, connect_args={"check_same_thread": False})
    return one
one, OWN = None, False
@app.get("/ok")
async def ok(): return "ok"
@app.get("/block")
async def block(): until_open()
@app.get("/wait")
def wait(): until_open()
@app.get("/hold")
def hold():
    with engine().connect():
        until_open()
@app.get("/keep")
def keep(): kept.append(engine().connect())
@app.get("/grow")
async def grow(): kept.append(bytearray(b"x") * 100_000_000)
"""


def target(folder: Path, text: str = APP) -> Target:
    (folder / "own.py").write_text(text)
    return Target(name="own", app="own:app", cwd=folder)


@contextmanager
def serving(wanted: Target) -> Iterator[Server]:
    server = Server(wanted)
    try:
        yield server.wait_until_ready(READY_S)
    finally:
        server.stop()


@contextmanager
def asking(server: Server, path: str, times: int, gate: Path) -> Iterator[None]:
    """So many requests in flight; at the end the gate is opened, and all are answered."""
    url = server.url + path
    threads = [threading.Thread(target=get, args=[url]) for _ in range(times)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        gate.touch()
        for thread in threads:
            thread.join()
        gate.unlink()


def get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=60) as answer:
        answer.read()


def comes(sees: Callable[[], bool]) -> bool:
    """True once `sees`; False if that does not come in a long time."""
    end = time.monotonic() + LONG_S
    while not sees():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def last(server: Server, *columns: str) -> tuple[object, ...]:
    """What the probe saw last."""
    assert server.inside
    rows = server.inside.rows()
    return rows.select(columns).row(-1) if rows.height else ()


def test_a_blocked_loop_is_seen_while_it_is_blocked(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        assert comes(lambda: bool(last(server, "t_ns")))
        with asking(server, "/block", 1, tmp_path / "gate"):
            assert comes(lambda: float(str(last(server, "loop_lag_ms")[0])) > 300)
            assert server.state(time.monotonic() + 0.1) == {}
        assert comes(lambda: float(str(last(server, "loop_lag_ms")[0])) < 300)


def test_threads_in_use_and_waited_for_are_counted(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        with asking(server, "/wait", 47, tmp_path / "gate"):
            assert comes(lambda: last(server, "threads_used", "threads_waiting") == (40, 7))
        assert comes(lambda: last(server, "threads_used", "threads_waiting") == (0, 0))


def test_connections_in_use_and_waited_for_are_counted(tmp_path: Path) -> None:
    columns = ("connections_used", "connections_waiting")
    with serving(target(tmp_path)) as server:
        assert comes(lambda: last(server, *columns) == (None, None))
        # SQLAlchemy is imported by the first request.
        with asking(server, "/hold", 1, tmp_path / "gate"):
            pass
        assert comes(lambda: last(server, *columns) == (0, 0))
        with asking(server, "/hold", 3, tmp_path / "gate"):
            assert comes(lambda: last(server, *columns) == (1, 2))
        assert comes(lambda: last(server, *columns) == (0, 0))
        assert server.drained(LONG_S)


@pytest.mark.parametrize("own", [False, True])
def test_a_connection_that_is_kept_is_not_drained_unless_it_was_kept_from_the_start(
    tmp_path: Path, own: bool
) -> None:
    text = APP.replace("one, OWN = None, False", f"one, OWN = None, {own}")
    with serving(target(tmp_path, "import sqlalchemy\n" + text)) as server:
        assert server.drained(LONG_S)
        get(server.url + "/keep")
        assert not server.drained(0.3)


def test_40_threads_at_once_are_counted_right() -> None:
    pools = Path(__file__).with_name("pools.py")
    done = subprocess.run(
        [sys.executable, str(pools), str(Path(probe.__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert json.loads(done.stdout) == {
        **{f"{name} held": [1, 0] for name in ("queue", "null", "static")},
        **{f"{name} after": [0, 0] for name in ("queue", "null", "static")},
        **{way: [1, 0] for way in ("closed", "detached", "invalidated", "dropped")},
    }


@pytest.mark.parametrize(("key", "value", "threads"), [("telemetry", False, 1), ("workers", 2, 2)])
def test_without_a_probe_the_outside_is_still_watched(
    tmp_path: Path, key: str, value: int, threads: int
) -> None:
    wanted = target(tmp_path).model_copy(update={key: value})
    with serving(wanted) as server, Watch(server, NO_LIMIT) as watch:
        assert server.inside is None
        assert comes(lambda: watch.frame().height > 3)
    rows = watch.frame()
    assert rows["loop_lag_ms"].null_count() == rows["telemetry_cpu_s"].null_count() == rows.height
    assert int(str(rows["threads"].min())) >= threads
    for column in ("t_ns", "cpu_s", "switches_voluntary", "switches_forced"):
        assert rows[column].is_sorted()
        assert rows[column].null_count() == 0
    assert 10 < float(str(rows["memory_mib"].min())) < 1000


def test_a_full_disk_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        watch = Watch(server, NO_LIMIT)
        with pytest.raises(OSError, match="No space left"):
            watch.write(Path("/dev/full"))


def test_where_there_is_no_proc_psutil_says_what_it_can(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        ours, other = tree(server.child.pid).use(), PsutilTree(server.child.pid).use()
    assert other.threads == ours.threads == 2
    assert other.memory_mib == pytest.approx(ours.memory_mib, rel=0.2)
    assert (other.switches_voluntary, other.switches_forced) == (None, None)


def test_the_time_of_a_child_that_has_ended_still_counts(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    script = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {burn!r}])\n"
        f"open({str(tmp_path / 'over')!r}, 'w')\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        watched = tree(process.pid)
        assert comes(lambda: watched.use().cpu_s >= 0 and (tmp_path / "over").exists())
        assert watched.use().cpu_s >= 0.4
    finally:
        process.kill()
        process.wait()
    gone = watched.use()
    assert (gone.threads, gone.memory_mib) == (0, 0)
    assert gone.cpu_s >= 0.4


def plan(folder: Path) -> Plan:
    (folder / "own.py").write_text(APP)
    command = [sys.executable, str(BEHAVING), "{port}", "wait"]
    targets = [
        {"name": "own", "app": "own:app", "cwd": folder},
        {"name": "command", "command": command},
    ]
    scenarios = [
        {"name": "grow", "requests": [{"path": "/grow"}], "targets": ["own"]},
        {"name": "ok", "requests": [{"path": "/ok"}]},
    ]
    return Plan.model_validate(
        {
            "name": "watched",
            "warmup_s": 0.1,
            "measure_s": 0.8,
            "collapse_s": 0.5,
            "blocks": 1,
            "memory_mib": 250,
            "targets": targets,
            "scenarios": [{"kind": "io", "closed": [2], **scenario} for scenario in scenarios],
        }
    )


def test_a_server_that_is_too_big_is_ended_and_the_next_cell_measured(tmp_path: Path) -> None:
    todo = {(cell.scenario, cell.target): cell for cell in cells(plan(tmp_path))}
    with Rig(plan(tmp_path), tmp_path) as rig:
        record = rig.measure(todo["grow", "own"], folder := _made(tmp_path / "1"))
        assert record.outcome == "lost"
        assert record.reason.startswith("'own' used ")
        assert record.reason.endswith(" MiB, more than memory_mib = 250; it was ended")
        assert float(str(pl.read_parquet(folder / "telemetry.parquet")["memory_mib"].max())) > 250
        for name in ("own", "command"):
            record = rig.measure(todo["ok", name], folder := _made(tmp_path / f"ok {name}"))
            assert (record.outcome, record.reason) == ("done", "")
            rows = pl.read_parquet(folder / "telemetry.parquet")
            assert rows.columns == COLUMNS
            seen = rows.filter(pl.col.t_ns.is_between(*record.window_ns))
            assert seen.height > 0
            # Of somebody else's program only the outside is known.
            assert seen["loop_lag_ms"].is_null().all() == (name == "command")
            assert seen["cores_busy_s"].is_null().all() == (not rig.cores.server)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
