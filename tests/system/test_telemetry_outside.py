"""What is seen of real servers from outside, and what is ended because it is too big."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.system import wedges
from tests.system.processes import BEHAVING
from tests.system.watched import APP, comes, serving, target
from twinbench.measure import telemetry
from twinbench.measure.rig import Rig
from twinbench.measure.telemetry import COLUMNS, UNSEEN, MemoryLimit, ServerSampler
from twinbench.measure.tree import PsutilTree, Use, tree
from twinbench.plan import Plan, cells

NO_LIMIT = MemoryLimit(1e9, "never")


@pytest.mark.parametrize(("key", "value", "threads"), [("telemetry", False, 1), ("workers", 2, 2)])
def test_without_a_probe_the_outside_is_still_watched(
    tmp_path: Path, key: str, value: int, threads: int
) -> None:
    wanted = target(tmp_path).model_copy(update={key: value})
    with serving(wanted) as server, ServerSampler(server, NO_LIMIT) as watch:
        assert server.inside is None
        assert comes(lambda: watch.frame().height > 3)
    rows = watch.frame()
    assert rows["loop_lag_ms"].null_count() == rows["telemetry_cpu_s"].null_count() == rows.height
    assert int(str(rows["threads"].min())) >= threads
    for column in ("t_ns", "cpu_s"):
        assert rows[column].is_sorted()
        assert rows[column].null_count() == 0
    assert 10 < float(str(rows["memory_mib"].min())) < 1000


def test_a_full_disk_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        watch = ServerSampler(server, NO_LIMIT)
        with pytest.raises(OSError, match="No space left"):
            watch.write(Path("/dev/full"))


@pytest.mark.serial
def test_a_reader_that_fails_costs_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(PsutilTree):
        left = 3

        def use(self) -> Use:
            if not self.left:
                raise RuntimeError("boom")
            self.left -= 1
            return super().use()

    monkeypatch.setattr(telemetry, "tree", Failing)
    with Rig(wedges.plan("ok"), tmp_path) as rig:
        record, result = wedges.measured(rig, "ok", tmp_path)
    assert (record.outcome, record.server_cpu_s) == ("done", None)
    assert record.remarks == [f"{UNSEEN}: RuntimeError: boom"]
    assert result.throughput_rps > 0
    assert pl.read_parquet(tmp_path / "telemetry.parquet").height == 3


def test_where_there_is_no_proc_psutil_says_what_it_can(tmp_path: Path) -> None:
    with serving(target(tmp_path)) as server:
        ours, other = tree(server.child.pid).use(), PsutilTree(server.child.pid).use()
    assert other.threads == ours.threads == 2
    assert other.memory_mib == pytest.approx(ours.memory_mib, rel=0.2)


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
    scenarios: list[dict[str, object]] = [
        # Time enough for three answers of 100 MB, on a busy machine too.
        {
            "name": "grow",
            "requests": [{"path": "/grow"}],
            "targets": ["own"],
            "measure_s": 4.0,
        },
        {"name": "ok", "requests": [{"path": "/ok"}]},
    ]
    return Plan.model_validate(
        {
            "name": "watched",
            "warmup_s": 0.1,
            "measure_s": 0.8,
            "collapse_s": 3.0,
            "blocks": 1,
            "memory_mib": 250,
            "targets": targets,
            "scenarios": [{"closed": [2], **scenario} for scenario in scenarios],
        }
    )


@pytest.mark.serial
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
