"""Two servers at once, whose loads take turns; real ones, on the same core."""

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from tests.support.processes import behaving
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, cells, measured_together
from twinbench.store import CellRecord

BUSY = Path(__file__).parents[1] / "support" / "busy.py"


def target(name: str, *behaviour: str) -> dict[str, object]:
    return {"name": name, "command": behaving(*behaviour)}


def plan(other: dict[str, object], **changes: object) -> Plan:
    table: dict[str, object] = {
        "name": "turns",
        "warmup_s": 0.1,
        "measure_s": 0.6,
        "windows": 3,
        "collapse_s": 0.5,
        "blocks": 1,
        "targets": [target("ok", "ok"), other],
        "scenarios": [{"name": "get", "requests": [{"path": "/"}], "closed": [2]}],
    }
    return Plan.model_validate(table | changes)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    found = [tmp_path / name for name in ("one", "other")]
    for folder in found:
        folder.mkdir()
    return found


def measure(of: Plan, folders: Sequence[Path], tmp_path: Path) -> dict[str, CellRecord]:
    """Return the records of all loads, the last one of each target."""
    with Rig(of, tmp_path) as rig:
        groups = measured_together(of, cells(of))
        return {r.target: r for group in groups for r in rig.measure(group, folders)}


@pytest.mark.serial
@pytest.mark.parametrize("kind", ["closed", "open"])
def test_windows_alternate_and_do_not_overlap(
    folders: list[Path], tmp_path: Path, kind: str
) -> None:
    scenario = {"name": "get", "requests": [{"path": "/"}], kind: [50]}
    found = measure(plan(target("other", "ok"), scenarios=[scenario]), folders, tmp_path)
    windows = sorted(
        (*window, name) for name, record in found.items() for window in record.windows_ns
    )
    first, second = windows[0][2], windows[1][2]
    assert [name for *_, name in windows] == [first, second, first, second]
    for (_, end, _), (begin, *_) in pairwise(windows):
        assert end < begin
    for folder, record in zip(folders, found.values(), strict=True):
        assert (record.outcome, record.reason, record.drained) == ("done", "", True)
        assert record.window_s == pytest.approx(0.6)
        assert record.idle_cpu_s.keys() == found.keys() - {record.target}
        requests = pl.read_parquet(folder / "requests.parquet")
        assert set(requests["error"]) == {""}
        # Nothing is sent while the other has its turn.
        for begin, end, name in windows:
            inside = requests.filter(pl.col("sent_ns").is_between(begin, end)).height
            assert (inside > 0) == (name == record.target)


@pytest.mark.serial
def test_idle_server_that_computes_is_seen(folders: list[Path], tmp_path: Path) -> None:
    busy: dict[str, object] = {"name": "busy", "command": [sys.executable, str(BUSY), "{port}"]}
    found = measure(plan(busy), folders, tmp_path)
    assert found["ok"].idle_cpu_s["busy"] > 0.2 * found["ok"].window_s
    assert found["busy"].idle_cpu_s["ok"] < 0.1 * found["busy"].window_s


@pytest.mark.serial
@pytest.mark.parametrize("behaviour", [("silent", "50"), ("die", "50")])
def test_server_that_stops_leaves_the_other_its_turns(
    folders: list[Path], tmp_path: Path, behaviour: tuple[str, str]
) -> None:
    """It is replaced for the next load; the record says so."""
    scenario = {"name": "get", "requests": [{"path": "/"}], "closed": [1, 2]}
    of = plan(target("bad", *behaviour), scenarios=[scenario])
    first, second = measured_together(of, cells(of))
    with Rig(of, tmp_path) as rig:
        before = {record.target: record for record in rig.measure(first, folders)}
        after = {record.target: record for record in rig.measure(second, folders)}
    outcome = {"silent": "collapsed", "die": "lost"}[behaviour[0]]
    for found in (before, after):
        assert found["bad"].outcome == outcome
        assert (found["bad"].unanswered > 0) == (outcome == "collapsed")
        assert found["ok"].outcome == "done"
        assert found["ok"].window_s == pytest.approx(0.6)
    assert (before["bad"].restarted, before["ok"].restarted, after["ok"].restarted) == ("",) * 3
    assert after["bad"].restarted


@pytest.mark.serial
def test_idle_connections_that_are_closed_are_opened_again(
    folders: list[Path], tmp_path: Path
) -> None:
    """A server closes idle connections between two turns; that is no error."""
    found = measure(plan(target("impatient", "impatient"), measure_s=1.5), folders, tmp_path)
    assert {record.outcome for record in found.values()} == {"done"}
    for folder in folders:
        assert set(pl.read_parquet(folder / "requests.parquet")["error"]) == {""}
