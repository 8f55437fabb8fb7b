"""Order, resume and interruption, with a measurement that takes no time."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import runs
from twinbench import campaign, run
from twinbench.analyse.run import analyse
from twinbench.campaign import unfinished
from twinbench.findings import PreflightPair
from twinbench.plan import Cell, cells
from twinbench.report.view import build_view
from twinbench.store import CellRecord, Session, Store, StoreError, now


class Bench:
    """Measures at once, remembers what, and fails where it is told to."""

    def __init__(self, fail_at: int = 0, error: BaseException | None = None) -> None:
        self.measured: list[Cell] = []
        self._fail_at, self._error = fail_at, error

    def __call__(self, cell: Cell, folder: Path) -> CellRecord:
        assert folder.is_dir()
        assert not list(folder.iterdir())
        if len(self.measured) == self._fail_at and self._error:
            (folder / "requests.parquet").write_text("half")
            raise self._error
        self.measured.append(cell)
        return runs.record(cell)


def never(remark: str) -> None:
    raise AssertionError(remark)


def new_run(folder: Path) -> Store:
    return Store.create(runs.manifest(runs.plan()), folder)


def begun(folder: Path, started: datetime) -> Store:
    manifest = runs.manifest(runs.plan())
    manifest.sessions = [Session(started=started, ended=started)]
    return Store.create(manifest, folder)


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def change(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def go(store: Store, bench: Bench) -> list[int]:
    seen: list[int] = []
    campaign.run(store, campaign.pending(store), bench, lambda record: seen.append(record.number))
    return seen


def test_every_cell_is_measured_in_order_and_kept(tmp_path: Path) -> None:
    store, bench = new_run(tmp_path), Bench()
    seen = go(store, bench)
    assert bench.measured == cells(runs.plan())
    assert seen == [record.number for record in store.records()] == list(range(1, 13))
    assert campaign.pending(store) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("boom")])
def test_what_was_finished_survives_an_interruption_and_is_not_measured_again(
    tmp_path: Path, error: BaseException
) -> None:
    store = new_run(tmp_path)
    with pytest.raises(type(error)):
        go(store, Bench(fail_at=5, error=error))
    assert [record.number for record in store.records()] == [1, 2, 3, 4, 5]
    assert store.manifest().sessions[-1].ended
    resumed = Bench()
    go(store, resumed)
    assert resumed.measured == cells(runs.plan())[5:]


def test_a_lost_cell_is_measured_again(tmp_path: Path) -> None:
    store = new_run(tmp_path)
    go(store, Bench())
    store.finish(runs.record(cells(runs.plan())[6], outcome="lost", reason="it died"))
    assert [cell.number for cell in campaign.pending(store)] == [7]
    found = unfinished(tmp_path, "made-up", never)
    assert found
    assert found.folder == store.folder.resolve()


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    """Interrupted, then killed before the first cell of the second session."""
    store = new_run(tmp_path)
    store.begin(cells(runs.plan())[0])
    store.finish(runs.record(cells(runs.plan())[0]))
    campaign.begin_session(store)
    campaign.begin_session(store)
    for session in store.manifest().sessions[:-1]:
        assert session.ended
        assert session.ended >= session.started
    assert store.elapsed_s() >= 0


def test_a_session_that_was_killed_ends_with_its_last_cell(tmp_path: Path) -> None:
    store = new_run(tmp_path)
    manifest = store.manifest()
    manifest.sessions[-1].ended = None
    store.write_manifest(manifest)
    store.begin(cells(runs.plan())[0])
    store.finish(runs.record(cells(runs.plan())[0]))
    campaign.begin_session(store)
    killed, current = store.manifest().sessions
    assert killed.ended == store.last_written()
    assert current.ended is None


def test_the_newest_unfinished_run_of_a_plan_is_found(tmp_path: Path) -> None:
    assert unfinished(tmp_path, "made-up", never) is None
    store = new_run(tmp_path)
    found = unfinished(tmp_path, "made-up", never)
    assert found
    assert found.folder == store.folder.resolve()
    assert unfinished(tmp_path, "other", never) is None
    go(store, Bench())
    assert unfinished(tmp_path, "made-up", never) is None


@pytest.mark.parametrize("spoiled", ["manifest.json", "cells/0001/cell.json"])
def test_an_unreadable_newer_run_does_not_block_resume(tmp_path: Path, spoiled: str) -> None:
    store, other = new_run(tmp_path), new_run(tmp_path / "elsewhere")
    go(other, Bench())
    (other.folder / spoiled).write_text("{")
    other.folder.rename(tmp_path / "99999999-000000-made-up")
    remarks: list[str] = []
    found = unfinished(tmp_path, "made-up", remarks.append)
    assert found
    assert found.folder == store.folder.resolve()
    [remark] = remarks
    assert f"99999999-000000-made-up/{spoiled}: not of this version" in remark


def test_latest_points_to_the_run_and_moves(tmp_path: Path) -> None:
    store = new_run(tmp_path / "runs")
    latest = tmp_path / "latest"
    for _ in range(2):
        store.update_latest_link(latest)
        assert latest.resolve() == store.folder.resolve()
    assert latest.readlink() == Path("runs") / store.folder.name


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no run here"):
        Store.open(tmp_path)


def test_a_manifest_that_is_not_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(StoreError, match="not of this version of twinbench"):
        Store.open(tmp_path).manifest()


def test_the_newest_preflight_is_kept_and_analysed(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, runs.plan(), lambda cell: runs.steady(cell, 1000))
    assert analyse(store).preflight == []
    for requests in (1, 2):
        pair = PreflightPair(baseline="sync", candidate="async", requests=requests)
        run._keep_preflight([pair], store)
        assert analyse(store).preflight == [pair]
    assert len(build_view(analyse(store)).preflight.rows) == 1


def test_a_remark_made_while_measuring_is_kept(tmp_path: Path) -> None:
    store = Store.create(runs.manifest(runs.plan()), tmp_path)

    def measure(cell: Cell, folder: Path) -> CellRecord:
        store.remark("seen while measuring")
        return runs.record(cell)

    campaign.run(store, cells(runs.plan())[:1], measure, lambda _: None)
    manifest = store.manifest()
    assert manifest.remarks == ["seen while measuring"]
    assert manifest.sessions[-1].ended


@pytest.mark.parametrize(
    ("zone", "stamp", "said"),
    [
        ("UTC0", "20260117-173000+0000", "2026-01-17 17:30 UTC"),
        ("XYZ-5:30", "20260117-230000+0530", "2026-01-17 23:00 UTC+05:30"),
        ("XYZ8", "20260117-093000-0800", "2026-01-17 09:30 UTC-08:00"),
    ],
)
def test_folder_and_page_tell_the_same_local_time(
    local_zone: Callable[[str], None], tmp_path: Path, zone: str, stamp: str, said: str
) -> None:
    local_zone(zone)
    store = begun(tmp_path, datetime(2026, 1, 17, 17, 30, tzinfo=UTC).astimezone())
    assert store.folder.name == f"{stamp}-made-up"
    local_zone("UTC0")  # read elsewhere
    assert said in build_view(analyse(store)).origin


def test_the_newest_run_is_the_one_begun_last(
    local_zone: Callable[[str], None], tmp_path: Path
) -> None:
    """Its name is the lower one: the clocks went back between the two."""
    moment = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
    local_zone("SUMMER-2")
    first = begun(tmp_path, moment.astimezone())
    local_zone("WINTER-1")
    last = begun(tmp_path, (moment + timedelta(minutes=30)).astimezone())
    assert last.folder.name < first.folder.name
    found = unfinished(tmp_path, "made-up", print)
    assert found
    assert found.folder.name == last.folder.name


def test_now_is_local_time_with_its_zone(local_zone: Callable[[str], None]) -> None:
    local_zone("XYZ-5:30")
    assert now().utcoffset() == timedelta(hours=5, minutes=30)
