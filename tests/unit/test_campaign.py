"""Order, resume and interruption of a run, with measurements that take no time."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import factories, runs
from tests.support.factories import preflight_pair
from twinbench import campaign, run
from twinbench.analyse.run import analyse
from twinbench.campaign import unfinished
from twinbench.plan import Cell, cells
from twinbench.report.view import build_view
from twinbench.store import CellRecord, Session, Store, now

CELLS = cells(factories.plan())


def new_run(folder: Path, started: datetime | None = None) -> Store:
    manifest = factories.manifest(factories.plan())
    if started:
        manifest.sessions = [Session(started=started, ended=started)]
    return Store.create(manifest, folder)


def measure_pending(
    store: Store, measured: list[Cell] | None = None, fail_at: int = 0, error: Any = None
) -> list[int]:
    """Measure what is missing, into `measured`; raise `error` in the cell number `fail_at`."""

    def measure(group: Sequence[Cell], folders: Sequence[Path]) -> list[CellRecord]:
        for cell, folder in zip(group, folders, strict=True):
            assert list(folder.iterdir()) == []
            if cell.number == fail_at:
                (folder / "requests.parquet").write_text("half")
                raise error
            if measured is not None:
                measured.append(cell)
        return [runs.record(cell) for cell in group]

    kept: list[int] = []
    campaign.run(store, campaign.pending(store), measure, lambda record: kept.append(record.number))
    return kept


def unfinished_folder(runs_folder: Path, plan: str = "made-up") -> Path | None:
    """Folder of the run that would be resumed; any remark is an error."""
    remarks: list[str] = []
    found = unfinished(runs_folder, plan, remarks.append)
    assert remarks == []
    return found.folder if found else None


@pytest.fixture
def set_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def change(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def test_all_measurements_are_made_in_order_and_kept(tmp_path: Path) -> None:
    store, measured = new_run(tmp_path), list[Cell]()
    kept = measure_pending(store, measured)
    assert measured == CELLS
    assert kept == [record.number for record in store.records()] == list(range(1, 13))
    assert campaign.pending(store) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("boom")])
def test_interrupted_run_keeps_what_was_finished(tmp_path: Path, error: BaseException) -> None:
    store, resumed = new_run(tmp_path), list[Cell]()
    with pytest.raises(type(error)):
        measure_pending(store, fail_at=6, error=error)
    # The fifth takes turns with the sixth.
    assert [record.number for record in store.records()] == [1, 2, 3, 4]
    assert store.manifest().sessions[-1].ended
    measure_pending(store, resumed)
    assert resumed == CELLS[4:]


def test_lost_measurement_is_made_again(tmp_path: Path) -> None:
    store = new_run(tmp_path)
    measure_pending(store)
    store.finish(runs.record(CELLS[6], outcome="lost", reason="it died"))
    assert [cell.number for cell in campaign.pending(store)] == [7, 8]  # a pair
    assert unfinished_folder(tmp_path) == store.folder.resolve()


def test_killed_sessions_end_with_their_last_measurement(tmp_path: Path) -> None:
    store = new_run(tmp_path)
    manifest = store.manifest()
    manifest.sessions[-1].ended = None
    store.write_manifest(manifest)
    store.begin(CELLS[0])
    store.finish(runs.record(CELLS[0]))
    campaign.begin_session(store)
    campaign.begin_session(store)  # killed before its first measurement
    first, second, current = store.manifest().sessions
    assert first.ended == store.last_written()
    assert second.ended == second.started
    assert current.ended is None
    assert store.elapsed_s() >= 0


def test_resume_finds_unfinished_run_of_plan(tmp_path: Path) -> None:
    assert unfinished_folder(tmp_path) is None
    store = new_run(tmp_path)
    assert unfinished_folder(tmp_path) == store.folder.resolve()
    assert unfinished_folder(tmp_path, "other") is None
    measure_pending(store)
    assert unfinished_folder(tmp_path) is None


@pytest.mark.parametrize("spoiled", ["manifest.json", "cells/0001/cell.json"])
def test_resume_skips_unreadable_run_with_a_remark(tmp_path: Path, spoiled: str) -> None:
    store, other = new_run(tmp_path), new_run(tmp_path / "elsewhere")
    measure_pending(other)
    (other.folder / spoiled).write_text("{")
    other.folder.rename(tmp_path / "99999999-000000-made-up")
    remarks: list[str] = []
    found = unfinished(tmp_path, "made-up", remarks.append)
    assert found
    assert found.folder == store.folder.resolve()
    [remark] = remarks
    assert f"99999999-000000-made-up/{spoiled}: not of this version" in remark


def test_latest_link_moves_to_the_run(tmp_path: Path) -> None:
    store, latest = new_run(tmp_path / "runs"), tmp_path / "latest"
    for _ in range(2):
        store.update_latest_link(latest)
        assert latest.resolve() == store.folder.resolve()
    assert latest.readlink() == Path("runs") / store.folder.name


def test_newest_preflight_is_kept_and_shown(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, factories.plan(), lambda cell: runs.steady(cell, 1000))
    assert analyse(store).preflight == []
    for requests in (1, 2):
        pair = preflight_pair(requests=requests)
        run._keep_preflight([pair], store)
        assert analyse(store).preflight == [pair]
    assert len(build_view(analyse(store)).preflight.rows) == 1


def test_remark_made_while_measuring_is_kept(tmp_path: Path) -> None:
    store = new_run(tmp_path)

    def measure(group: Sequence[Cell], folders: Sequence[Path]) -> list[CellRecord]:
        store.remark("made while measuring")
        return [runs.record(cell) for cell in group]

    campaign.run(store, CELLS[:1], measure, lambda _: None)
    assert store.manifest().remarks == ["made while measuring"]
    assert store.manifest().sessions[-1].ended


@pytest.mark.parametrize(
    ("zone", "stamp", "shown"),
    [
        ("UTC0", "20260117-173000+0000", "2026-01-17 17:30 UTC"),
        ("XYZ-5:30", "20260117-230000+0530", "2026-01-17 23:00 UTC+05:30"),
        ("XYZ8", "20260117-093000-0800", "2026-01-17 09:30 UTC-08:00"),
    ],
)
def test_folder_and_page_show_the_same_local_time(
    set_zone: Callable[[str], None], tmp_path: Path, zone: str, stamp: str, shown: str
) -> None:
    set_zone(zone)
    store = new_run(tmp_path, datetime(2026, 1, 17, 17, 30, tzinfo=UTC).astimezone())
    assert store.folder.name == f"{stamp}-made-up"
    set_zone("UTC0")  # read elsewhere
    assert shown in build_view(analyse(store)).origin


def test_resume_finds_newest_run_when_clocks_went_back(
    set_zone: Callable[[str], None], tmp_path: Path
) -> None:
    moment = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
    set_zone("SUMMER-2")
    first = new_run(tmp_path, moment.astimezone())
    set_zone("WINTER-1")
    last = new_run(tmp_path, (moment + timedelta(minutes=30)).astimezone())
    assert last.folder.name < first.folder.name
    assert unfinished_folder(tmp_path) == last.folder.resolve()


def test_now_is_local_time_with_its_zone(set_zone: Callable[[str], None]) -> None:
    set_zone("XYZ-5:30")
    assert now().utcoffset() == timedelta(hours=5, minutes=30)
