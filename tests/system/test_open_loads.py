"""Open loads for real: what arrives is sent when it is meant to be, or is dropped and counted."""

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.support import runs
from tests.system.processes import BEHAVING, clean_rig
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, cells
from twinbench.store import CellRecord

pytestmark = pytest.mark.serial

RATE = 200
# However long the machine stops the server, none is dropped for that.
MORE_THAN_ARRIVE = 300
SCHEDULE = ("intended_ns", "request")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with clean_rig(runs.plan(), tmp_path_factory.mktemp("logs")) as found:
        yield found


def measured(rig: Rig, folder: Path, *behaviour: str, **plan: object) -> CellRecord:
    """One open cell on a server of behaving.py; its records in `folder`."""
    folder.mkdir(exist_ok=True)
    scenario = {
        "name": "get",
        "requests": [{"path": "/"}, {"path": "/other"}],
        "open": [RATE],
        "in_flight": plan.pop("in_flight", MORE_THAN_ARRIVE),
        "arrivals": plan.pop("arrivals", "poisson"),
    }
    command = [sys.executable, str(BEHAVING), "{port}", *behaviour]
    written = {
        "name": "open",
        "warmup_s": 0.2,
        "measure_s": 1.0,
        "collapse_s": 10.0,
        "targets": [{"name": "one", "command": command}],
        "scenarios": [scenario],
    }
    read = Plan.model_validate(written | plan)
    return rig.measure(cells(read)[0], folder, read)


def rows(record: CellRecord, folder: Path) -> pl.DataFrame:
    """The requests that were meant to be sent inside the window, in that order."""
    begin, end = record.window_ns
    found = pl.read_parquet(folder / "requests.parquet").sort("intended_ns")
    return found.filter(pl.col("intended_ns") >= begin, pl.col("intended_ns") < end)


def test_every_arrival_is_sent_and_none_before_its_time(rig: Rig, tmp_path: Path) -> None:
    record = measured(rig, tmp_path, "wait", arrivals="constant")
    sent = rows(record, tmp_path)
    assert (record.outcome, record.dropped, record.unanswered) == ("done", 0, 0)
    assert len(sent) == record.scheduled == RATE * record.window_s
    assert sent["sent_ns"].is_between(sent["intended_ns"], sent["done_ns"]).all()
    assert set(sent["intended_ns"].diff().drop_nulls()) <= {4_999_999, 5_000_000, 5_000_001}
    assert set(sent["error"]) == {""}
    assert set(sent["request"]) == {0, 1}


def test_several_processes_send_what_one_would(tmp_path: Path) -> None:
    """The same moments after the beginning; of several, each has its share."""
    found = []
    for processes in (1, 3):
        folder = tmp_path / str(processes)
        with clean_rig(runs.plan(processes=processes), tmp_path) as rig:
            record = measured(rig, folder, "ok")
        everything = pl.read_parquet(folder / "requests.parquet")
        assert everything["done_ns"].is_sorted()
        assert list(folder.glob("requests*.parquet")) == [folder / "requests.parquet"]
        assert len(rows(record, folder)) == record.scheduled
        moments = everything["intended_ns"].sort()
        found.append((moments - moments[0]).to_list())
    shorter = min(len(moments) for moments in found)
    assert found[0][:shorter] == found[1][:shorter]
    assert shorter > RATE


def test_what_finds_too_many_in_flight_is_dropped_and_counted(rig: Rig, tmp_path: Path) -> None:
    """A server that takes 20 ms has 4 requests in flight on average, and more now and then."""
    record = measured(rig, tmp_path, "wait", in_flight=3)
    sent = rows(record, tmp_path)
    assert record.outcome == "done"
    assert 0 < record.dropped < record.scheduled
    assert len(sent) + record.dropped == record.scheduled


def test_a_silent_server_has_collapsed(rig: Rig, tmp_path: Path) -> None:
    record = measured(rig, tmp_path, "silent", "60", collapse_s=0.5)
    assert record.outcome == "collapsed"
    assert record.unanswered > 1


@pytest.mark.parametrize("behaviour", ["error", "hang_up"])
def test_wrong_answers_do_not_stop_the_arrivals(rig: Rig, tmp_path: Path, behaviour: str) -> None:
    record = measured(rig, tmp_path, behaviour)
    sent = rows(record, tmp_path)
    assert (record.outcome, record.good) == ("done", 0)
    assert len(sent) == record.scheduled
    assert "" not in set(sent["error"])


def test_connections_that_were_ended_while_idle_are_made_anew(rig: Rig, tmp_path: Path) -> None:
    record = measured(rig, tmp_path, "short", in_flight=5)
    errors = rows(record, tmp_path)["error"].to_list()
    # A machine that stops the server for 25 ms has five requests in flight: then some are dropped.
    assert record.outcome == "done"
    assert len(errors) + record.dropped == record.scheduled
    # Now and then a request crosses with the end of its connection, which nobody can tell from
    # a server that resets it.
    assert set(errors) <= {"", "Connection reset by peer"}
    assert errors.count("") > len(errors) / 2
