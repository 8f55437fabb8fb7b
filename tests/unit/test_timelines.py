"""Timelines: which cells are shown, and what of them is counted."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.support import runs
from twinbench.analyse.cells import analyse_cell
from twinbench.analyse.results import CellResult, Timeline
from twinbench.analyse.timelines import timelines
from twinbench.plan import Cell, Plan
from twinbench.store import CellRecord, Store

SECOND_NS = 1_000_000_000


def judged(store: Store, plan: Plan) -> list[CellResult]:
    return [analyse_cell(r, store.requests(r), plan).result for r in store.records()]


def shown(tmp_path: Path, plan: Plan, make: runs.MakeCell) -> list[Timeline]:
    store = runs.write_run(tmp_path, plan, make)
    return timelines(store, plan, store.records(), judged(store, plan))


def one_cell(**scenario: object) -> Plan:
    table = {"name": "noop", "requests": [{"path": "/"}], "closed": [8]}
    return runs.plan(
        blocks=1, targets=[{"name": "sync", "app": "a:app"}], scenarios=[table | scenario]
    )


def told(
    tmp_path: Path,
    rows: runs.Requests,
    samples: pl.DataFrame | None = None,
    **scenario: object,
) -> Timeline:
    """Of one cell that has these requests, all of it taken as valid."""
    plan = one_cell(**scenario)
    store = runs.write_run(
        tmp_path, plan, lambda cell: (runs.record(cell), rows), look=lambda _: samples
    )
    [cell] = judged(store, plan)
    [found] = timelines(store, plan, store.records(), [cell.model_copy(update={"status": "valid"})])
    return found


def requests_at(*times_s: tuple[float, float, str]) -> runs.Requests:
    """Intended and done in seconds, and an error; the window is from 1 to 2."""
    intended = np.array([round(begin * SECOND_NS) for begin, _, _ in times_s])
    done = np.array([round(end * SECOND_NS) for _, end, _ in times_s])
    return runs.rows(intended, intended, done, [error for *_, error in times_s])


def counted(timeline: Timeline) -> dict[tuple[int, int], int]:
    """Counts by beginning of their bins: ms since the window began, and tenths of decades of ms."""
    return {
        (round(timeline.seconds[i] * 1e3), round(10 * np.log10(timeline.latency_ms[j]))): count
        for i, row in enumerate(timeline.counts)
        for j, count in enumerate(row)
        if count
    }


def test_every_answer_is_counted_where_it_arrived_and_by_how_long_it_took(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        requests_at(
            (0.4, 0.405, ""),
            (1.0, 1.010, ""),
            (1.0, 1.0105, ""),
            (1.2, 2.2, ""),
            (1.5, 2.2, "no answer when the load ended"),
            (1.9, 1.95, "status 500, expected 200"),
        ),
    )
    # From 0.4 to 2.2 s: 60 bins of 30 ms, the window beginning at the 21st.
    assert len(found.seconds) == 61
    assert (found.seconds[0], found.seconds[-1]) == pytest.approx((-0.6, 1.2))
    assert found.window_s == 1
    # 5 ms lie in a bin from 10 ** 0.6 = 4 ms on, 10 in one from 10 ** 1.0, 50 from 10 ** 1.6.
    assert counted(found) == {(-600, 6): 1, (0, 10): 2, (930, 16): 1, (1170, 30): 1}


def test_an_open_load_is_timed_from_when_it_was_meant_to_be_sent(tmp_path: Path) -> None:
    late = runs.arrivals(100, 1.0, lag_ms=99.0)
    found = told(tmp_path, late, closed=[], open=[100])
    assert {latency for _, latency in counted(found)} == {20}


def test_neighbours_are_not_counted(tmp_path: Path) -> None:
    requests = requests_at((1.0, 1.010, ""), (1.0, 1.5, ""))
    requests = requests.with_columns(request=pl.Series([0, 1], dtype=pl.Int32))
    timed: dict[str, object] = {"path": "/"}
    slow: dict[str, object] = {"path": "/slow", "background": True}
    found = told(tmp_path, requests, requests=[timed, slow])
    assert [latency for _, latency in counted(found)] == [10]


def test_a_silence_is_shown_to_the_end_of_the_window(tmp_path: Path) -> None:
    found = told(tmp_path, requests_at((0.9, 0.95, "")))
    assert found.seconds[-1] == pytest.approx(1.0)
    assert sum(map(sum, found.counts)) == 1


def test_a_collapse_ends_with_the_load(tmp_path: Path) -> None:
    """What was in flight is given up then: half a second before the window would have ended."""
    rows = requests_at((0.9, 0.95, ""), (0.95, 1.5, "no answer when the load ended"))
    store = runs.write_run(
        tmp_path,
        one_cell(),
        lambda cell: (runs.record(cell, outcome="collapsed", unanswered=1), rows),
    )
    [found] = timelines(store, one_cell(), store.records(), judged(store, one_cell()))
    assert found.seconds[-1] == pytest.approx(0.5)


def test_where_nothing_was_answered_there_are_no_latencies(tmp_path: Path) -> None:
    found = told(tmp_path, requests_at((0.9, 2.5, "no answer when the load ended")))
    assert found.latency_ms == []
    assert found.counts == [[]] * 60
    assert found.seconds[-1] == pytest.approx(1.5)


def test_telemetry_is_told_on_the_same_clock_null_where_nothing_was_seen(tmp_path: Path) -> None:
    samples = runs.telemetry(loop_lag_ms=3.0, threads_waiting=2)
    early = samples.with_columns(t_ns=pl.col("t_ns") - SECOND_NS)
    found = told(tmp_path, requests_at((1.0, 1.1, "")), pl.concat([early, samples]))
    assert found.sampled_s == pytest.approx(np.arange(20) / 20)
    assert found.loop_lag_ms == [3.0] * 20
    assert found.threads_waiting == [2.0] * 20
    assert found.connections_waiting == [None] * 20
    unseen = told(tmp_path / "unseen", requests_at((1.0, 1.1, "")))
    assert (unseen.sampled_s, unseen.loop_lag_ms) == ([], [])


def three_loads(**more: list[int]) -> Plan:
    noop = {"name": "noop", "requests": [{"path": "/"}], "closed": [1, 8, 64]}
    return runs.plan(scenarios=[noop | more])


def varied(cell: Cell) -> tuple[CellRecord, runs.Requests]:
    """The first block has the median latency."""
    return runs.steady(cell, {1: 2000, 2: 1000, 3: 4000}[cell.block])


def which(found: list[Timeline]) -> list[tuple[str, int]]:
    return [(timeline.target, timeline.load.value) for timeline in found]


def test_the_typical_cell_of_each_target_at_the_highest_load(tmp_path: Path) -> None:
    found = shown(tmp_path, three_loads(), varied)
    assert which(found) == [("sync", 64), ("async", 64)]
    # 64 users, 2,000 answers a second: 32 ms each, in the bin from 10 ** 1.5.
    assert {ms for timeline in found for _, ms in counted(timeline)} == {15}


def test_a_load_at_which_somebody_collapsed_tells_more(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = varied(cell)
        if (cell.target, cell.load.value, cell.block) == ("sync", 8, 3):
            return runs.record(cell, outcome="collapsed", unanswered=8), requests.head(7)
        return record, requests

    sync, async_ = shown(tmp_path, three_loads(), make)
    assert which([sync, async_]) == [("sync", 8), ("async", 8)]
    assert sum(map(sum, sync.counts)) == 7


def test_a_load_that_shows_both_tells_more_than_a_higher_one(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        if (cell.target, cell.load.value) == ("async", 64):
            return runs.record(cell), runs.answers(1000, 64, wrong=500)
        return varied(cell)

    assert which(shown(tmp_path, three_loads(), make)) == [("sync", 8), ("async", 8)]


def test_closed_and_open_loads_are_shown_apart_and_the_void_not_at_all(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        if cell.load.kind == "open":
            return runs.record(cell), runs.arrivals(cell.load.value, 5)
        return runs.record(cell), runs.answers(1000, cell.load.value, wrong=500)

    assert which(shown(tmp_path, three_loads(open=[500]), make)) == [("sync", 500), ("async", 500)]


def test_only_the_columns_that_are_asked_for_are_read(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, one_cell(), lambda cell: runs.steady(cell, 1000))
    [record] = store.records()
    assert store.requests(record, ["status", "done_ns"]).columns == ["status", "done_ns"]
