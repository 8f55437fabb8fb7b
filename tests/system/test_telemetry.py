"""Telemetry of real servers: blocked, crowded, short of connections, too big."""

import json
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from tests.support.gated import APP, asking, get, serving, target
from tests.support.processes import BEHAVING, LONG_S, behaving, wait_for
from twinbench.measure import probe
from twinbench.measure.rig import Rig
from twinbench.measure.server import Server
from twinbench.measure.telemetry import COLUMNS, MemoryLimit, ServerSampler
from twinbench.plan import Plan, Target, cells

POOLS = BEHAVING.with_name("pools.py")
NO_LIMIT = MemoryLimit(1e9, "never")


def sampler(server: Server) -> ServerSampler:
    return ServerSampler(server.child, server.cores, server.telemetry, NO_LIMIT)


def last(server: Server, *columns: str) -> tuple[object, ...]:
    """Return values of the probe's last row."""
    assert server.telemetry
    rows = server.telemetry.rows()
    return rows.select(columns).row(-1) if rows.height else ()


def lag_ms(server: Server) -> float:
    return float(str(last(server, "loop_lag_ms")[0]))


def test_the_lag_of_a_blocked_loop_is_sampled(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        assert wait_for(lambda: bool(last(server, "t_ns")))
        with asking(server, "/block", 1, tmp_path / "gate"):
            assert wait_for(lambda: lag_ms(server) > 300)
            assert server.state(time.monotonic() + 0.1) == {}
        assert wait_for(lambda: lag_ms(server) < 300)


def test_threads_in_use_and_waited_for_are_counted(tmp_path: Path) -> None:
    columns = ("threads_used", "threads_waiting")
    with serving(target(tmp_path)) as server:
        with asking(server, "/wait", 47, tmp_path / "gate"):
            assert wait_for(lambda: last(server, *columns) == (40, 7))
        assert wait_for(lambda: last(server, *columns) == (0, 0))


def test_connections_in_use_and_waited_for_are_counted(tmp_path: Path) -> None:
    columns = ("connections_used", "connections_waiting")
    with serving(target(tmp_path)) as server:
        assert wait_for(lambda: last(server, *columns) == (None, None))
        # The first request imports SQLAlchemy.
        with asking(server, "/hold", 1, tmp_path / "gate"):
            pass
        assert wait_for(lambda: last(server, *columns) == (0, 0))
        with asking(server, "/hold", 3, tmp_path / "gate"):
            assert wait_for(lambda: last(server, *columns) == (1, 2))
        assert wait_for(lambda: last(server, *columns) == (0, 0))
        assert server.drained(LONG_S)


@pytest.mark.parametrize("at_start", [False, True])
def test_a_connection_kept_since_a_request_is_a_leak(tmp_path: Path, at_start: bool) -> None:
    text = APP.replace("one, OWN = None, False", f"one, OWN = None, {at_start}")
    with serving(target(tmp_path, "import sqlalchemy\n" + text)) as server:
        assert server.drained(LONG_S)
        get(server.url + "/keep")
        assert not server.drained(0.3)


def test_connections_of_40_threads_are_counted() -> None:
    done = subprocess.run(
        [sys.executable, str(POOLS), str(Path(probe.__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=LONG_S,
    )
    assert json.loads(done.stdout) == {
        **{f"{name} held": [1, 0] for name in ("queue", "null", "static")},
        **{f"{name} after": [0, 0] for name in ("queue", "null", "static")},
        **{way: [1, 0] for way in ("close", "detach", "invalidate", "drop")},
    }


@pytest.mark.parametrize("name", ["mmap.mmap", "time.thread_time_ns"])
def test_an_app_is_served_although_its_probe_fails(tmp_path: Path, name: str) -> None:
    module = name.partition(".")[0]
    with serving(target(tmp_path, f"import {module}\n{name} = None\n{APP}")) as server:
        assert wait_for(lambda: server.telemetry_error(LONG_S).startswith("TypeError: "))
        assert server.drained(LONG_S)


@pytest.mark.parametrize(("key", "value", "threads"), [("telemetry", False, 1), ("workers", 2, 2)])
def test_a_server_without_a_probe_is_sampled(
    tmp_path: Path, key: str, value: int, threads: int
) -> None:
    with serving(target(tmp_path, APP, **{key: value})) as server, sampler(server) as found:
        assert server.telemetry is None
        assert wait_for(lambda: found.frame().height > 3)
        rows = found.frame()
        with pytest.raises(OSError, match="No space left"):
            found.write(Path("/dev/full"))
    assert rows["loop_lag_ms"].null_count() == rows["telemetry_cpu_s"].null_count() == rows.height
    assert int(str(rows["threads"].min())) >= threads
    for column in ("t_ns", "cpu_s"):
        assert rows[column].is_sorted()
        assert rows[column].null_count() == 0
    assert 10 < float(str(rows["memory_mib"].min())) < 1000


def plan(folder: Path) -> Plan:
    command = behaving("wait")
    # Time for three responses of 100 MB, on a busy machine too.
    grow = {"name": "grow", "requests": [{"path": "/grow"}], "targets": ["own"], "measure_s": 4.0}
    scenarios: list[dict[str, object]] = [grow, {"name": "ok", "requests": [{"path": "/ok"}]}]
    return Plan.model_validate(
        {
            "name": "watched",
            "warmup_s": 0.1,
            "measure_s": 0.8,
            "collapse_s": 3.0,
            "blocks": 1,
            "memory_mib": 250,
            "targets": [target(folder), {"name": "command", "command": command}],
            "scenarios": [{"closed": [2], **scenario} for scenario in scenarios],
        }
    )


def test_a_server_that_is_too_big_does_not_start(tmp_path: Path) -> None:
    big = [sys.executable, "-c", "import time; kept = b'x' * 300_000_000; time.sleep(60)"]
    with Rig(plan(tmp_path), tmp_path) as rig:
        found = rig.start_all([Target(name="big", command=big), target(tmp_path)])
        assert str(found[0]).startswith("'big' could not be started: it used ")
        assert str(found[0]).endswith(" MiB, more than memory_mib = 250; it was ended")
        assert isinstance(found[1], Server)
        found[1].stop()


@pytest.mark.serial
def test_a_server_that_is_too_big_costs_one_cell(tmp_path: Path) -> None:
    todo = {(cell.scenario, cell.target): cell for cell in cells(plan(tmp_path))}
    with Rig(plan(tmp_path), tmp_path) as rig:
        (big := tmp_path / "big").mkdir()
        (record,) = rig.measure([todo["grow", "own"]], [big])
        assert record.outcome == "lost"
        assert record.reason.startswith("'own' used ")
        assert record.reason.endswith(" MiB, more than memory_mib = 250; it was ended")
        assert float(str(pl.read_parquet(big / "telemetry.parquet")["memory_mib"].max())) > 250
        for name in ("own", "command"):
            (folder := tmp_path / f"ok {name}").mkdir()
            (record,) = rig.measure([todo["ok", name]], [folder])
            assert (record.outcome, record.reason) == ("done", "")
            rows = pl.read_parquet(folder / "telemetry.parquet")
            assert rows.columns == COLUMNS
            window = rows.filter(pl.col.t_ns.is_between(*record.windows_ns[0]))
            assert window.height > 0
            # Other programs have no probe.
            assert window["loop_lag_ms"].is_null().all() == (name == "command")
            assert window["cores_busy_s"].is_null().all() == (not rig.cores.server)
