"""Closed and open loads on servers with known behaviour."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest

from tests.support import factories
from tests.support.processes import behaving, clean_rig
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, cells
from twinbench.store import CellRecord

pytestmark = pytest.mark.serial

RATE = 200
# No arrival is dropped, however long the machine stops the server.
MORE_THAN_ARRIVE = 300
OPEN = {"open": [RATE], "in_flight": MORE_THAN_ARRIVE}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    plan = factories.plan(services=[factories.UPSTREAM])
    with clean_rig(plan, tmp_path_factory.mktemp("logs")) as found:
        yield found


def measure(rig: Rig, folder: Path, *behaviour: str, **scenario: object) -> CellRecord:
    """Measure a cell on a server of behaving.py; its records are in `folder`."""
    folder.mkdir(exist_ok=True)
    command = behaving(*behaviour)
    requests = [{"path": "/"}, {"path": "/other"}]
    plan = Plan.model_validate(
        {
            "name": "known",
            "warmup_s": 0.2,
            "measure_s": 1.0,
            "collapse_s": 10.0,
            "targets": [{"name": "one", "command": command}],
            "scenarios": [{"name": "get", "requests": requests, **scenario}],
        }
    )
    (record,) = rig.measure(cells(plan)[:1], [folder], plan)
    return record


def due(record: CellRecord, folder: Path) -> pl.DataFrame:
    """Return the requests that were due in the window, in that order."""
    ((begin, end),) = record.windows_ns
    found = pl.read_parquet(folder / "requests.parquet").sort("intended_ns")
    return found.filter(pl.col("intended_ns") >= begin, pl.col("intended_ns") < end)


def assert_all_sent(record: CellRecord, folder: Path) -> None:
    """Check that arrivals 5 ms apart were all sent, and none too early."""
    sent = due(record, folder)
    assert (record.outcome, record.dropped, record.unanswered) == ("done", 0, 0)
    assert len(sent) == record.scheduled == RATE * record.window_s
    assert sent["sent_ns"].is_between(sent["intended_ns"], sent["done_ns"]).all()
    assert set(sent["intended_ns"].diff().drop_nulls()) <= {4_999_999, 5_000_000, 5_000_001}
    assert set(sent["error"]) == {""}


def test_a_wait_of_20_ms_limits_the_throughput(rig: Rig, tmp_path: Path) -> None:
    record = measure(rig, tmp_path, "wait", closed=[10])
    assert (record.outcome, record.unanswered, record.drained) == ("done", 0, True)
    # Never more than the wait allows; how much less depends on the machine.
    assert 0 < record.good <= record.window_s * 10 / 0.02 + 10
    assert record.window_s >= 1.0
    assert (record.server_memory_mib or 0) > 1


def test_several_processes_share_one_load(tmp_path: Path) -> None:
    with clean_rig(factories.plan(processes=3), tmp_path) as rig:
        for users in (1, 10, 1):
            record = measure(rig, tmp_path, "wait", closed=[users])
            assert (record.outcome, record.reason, record.users_unserved) == ("done", "", 0)
            assert record.good > 0
            assert [path.name for path in tmp_path.glob("requests*")] == ["requests.parquet"]
        record = measure(rig, tmp_path, "ok", arrivals="constant", **OPEN)
    assert_all_sent(record, tmp_path)
    assert pl.read_parquet(tmp_path / "requests.parquet")["done_ns"].is_sorted()
    assert (tmp_path / "generator.log").read_text() == ""


def test_server_and_generator_have_cores_of_their_own(rig: Rig, tmp_path: Path) -> None:
    if not rig.cores.server:
        pytest.skip("this machine has one core, or cannot pin")
    measure(rig, tmp_path, "ok", closed=[1])
    found: dict[str, set[int]] = {}
    for process in psutil.Process().children(recursive=True):
        for name in ("behaving.py", "twinbench.load.generator", "apps.upstream"):
            if any(name in part for part in process.cmdline()):
                found.setdefault(name, set()).update(process.cpu_affinity())
    assert found == {
        "behaving.py": set(rig.cores.server),
        "twinbench.load.generator": set(rig.cores.generator),
        "apps.upstream": set(rig.cores.generator),
    }
    assert not set(rig.cores.server) & set(rig.cores.generator)
    assert set(psutil.Process().cpu_affinity()) == set(rig.cores.generator)


def test_every_arrival_is_sent_and_none_too_early(rig: Rig, tmp_path: Path) -> None:
    record = measure(rig, tmp_path, "wait", arrivals="constant", **OPEN)
    assert_all_sent(record, tmp_path)
    assert set(due(record, tmp_path)["request"]) == {0, 1}


def test_arrivals_beyond_in_flight_are_dropped(rig: Rig, tmp_path: Path) -> None:
    # A wait of 20 ms gives 4 requests in flight on average, and more now and then.
    record = measure(rig, tmp_path, "wait", open=[RATE], in_flight=3)
    assert record.outcome == "done"
    assert 0 < record.dropped < record.scheduled
    assert len(due(record, tmp_path)) + record.dropped == record.scheduled


@pytest.mark.parametrize("behaviour", ["error", "hang_up"])
def test_wrong_responses_do_not_stop_the_arrivals(rig: Rig, tmp_path: Path, behaviour: str) -> None:
    record = measure(rig, tmp_path, behaviour, **OPEN)
    sent = due(record, tmp_path)
    assert (record.outcome, record.good) == ("done", 0)
    assert len(sent) == record.scheduled
    assert "" not in set(sent["error"])


def test_connections_closed_while_idle_are_replaced(rig: Rig, tmp_path: Path) -> None:
    record = measure(rig, tmp_path, "short", open=[RATE], in_flight=5)
    errors = due(record, tmp_path)["error"].to_list()
    # A machine that stops the server for 25 ms has five requests in flight: then some are dropped.
    assert record.outcome == "done"
    assert len(errors) + record.dropped == record.scheduled
    # A request may cross with the end of its connection, which looks like a reset.
    assert set(errors) <= {"", "Connection reset by peer"}
    assert errors.count("") > len(errors) / 2
