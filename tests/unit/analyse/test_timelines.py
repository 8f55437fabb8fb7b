"""Timelines: which cells are shown, and what is counted."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.support import factories, runs
from tests.support.runs import Made
from twinbench.analyse.results import Timeline
from twinbench.analyse.run import analyse_cell
from twinbench.analyse.timelines import timelines
from twinbench.plan import Cell

SECOND_NS = 1_000_000_000
ONE_TARGET = [{"name": "sync", "app": "a:app"}]
NOOP = factories.scenario(closed=[8])
THREE_LOADS = factories.scenario(closed=[1, 8, 64])


def timeline(
    tmp_path: Path,
    requests: runs.Requests,
    samples: pl.DataFrame | None = None,
    scenario: dict[str, object] = NOOP,
    **changes: object,
) -> Timeline:
    """Return that of one cell with these requests, taken as valid."""
    plan = factories.plan(blocks=1, targets=ONE_TARGET, scenarios=[scenario])
    store = runs.write_run(
        tmp_path,
        plan,
        lambda cell: (runs.record(cell, **changes), requests),
        telemetry=lambda _: samples,
    )
    [record] = store.records()
    cell = analyse_cell(record, store.requests(record), plan).result
    [found] = timelines(store, plan, [record], [cell.model_copy(update={"status": "valid"})])
    return found


def requests_at(*times_s: tuple[float, float, str]) -> runs.Requests:
    """Return requests by intended and done in seconds, and error; the window is from 1 to 2."""
    intended = np.array([round(begin * SECOND_NS) for begin, _, _ in times_s])
    done = np.array([round(end * SECOND_NS) for _, end, _ in times_s])
    return runs.rows(intended, intended, done, [error for *_, error in times_s])


def counted(timeline: Timeline) -> dict[tuple[int, int], int]:
    """Return counts by start of their bins: ms since the window began, tenths of decades of ms."""
    return {
        (round(timeline.seconds[i] * 1e3), round(10 * np.log10(timeline.latency_ms[j]))): count
        for i, row in enumerate(timeline.counts)
        for j, count in enumerate(row)
        if count
    }


def test_responses_are_counted_by_arrival_and_response_time(tmp_path: Path) -> None:
    found = timeline(
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


def test_open_load_is_timed_from_the_intended_send(tmp_path: Path) -> None:
    late = runs.arrivals(100, 1.0, lag_ms=99.0)
    found = timeline(tmp_path, late, scenario=NOOP | {"closed": [], "open": [100]})
    assert {latency for _, latency in counted(found)} == {20}


def test_background_requests_are_not_counted(tmp_path: Path) -> None:
    requests = requests_at((1.0, 1.010, ""), (1.0, 1.5, ""))
    requests = requests.with_columns(request=pl.Series([0, 1], dtype=pl.Int32))
    mix: list[dict[str, object]] = [{"path": "/"}, {"path": "/slow", "background": True}]
    found = timeline(tmp_path, requests, scenario=NOOP | {"requests": mix})
    assert [latency for _, latency in counted(found)] == [10]


@pytest.mark.parametrize(("outcome", "end_s"), [("done", 1.0), ("collapsed", 0.5)])
def test_timeline_ends_with_the_window_or_a_collapse(
    tmp_path: Path, outcome: str, end_s: float
) -> None:
    requests = requests_at((0.9, 0.95, ""), (0.95, 1.5, "no answer when the load ended"))
    found = timeline(tmp_path, requests, outcome=outcome, unanswered=1)
    assert found.seconds[-1] == pytest.approx(end_s)


def test_timeline_without_responses_has_no_latencies(tmp_path: Path) -> None:
    found = timeline(tmp_path, requests_at((0.9, 2.5, "no answer when the load ended")))
    assert found.latency_ms == []
    assert found.counts == [[]] * 60
    assert found.seconds[-1] == pytest.approx(1.5)


def test_telemetry_is_on_the_same_clock(tmp_path: Path) -> None:
    samples = runs.telemetry(loop_lag_ms=3.0, threads_waiting=2)
    early = samples.with_columns(t_ns=pl.col("t_ns") - SECOND_NS)
    found = timeline(tmp_path, requests_at((1.0, 1.1, "")), pl.concat([early, samples]))
    assert found.sampled_s == pytest.approx(np.arange(20) / 20)
    assert found.loop_lag_ms == [3.0] * 20
    assert found.threads_waiting == [2.0] * 20
    assert found.connections_waiting == [None] * 20
    without = timeline(tmp_path / "without", requests_at((1.0, 1.1, "")))
    assert (without.sampled_s, without.loop_lag_ms) == ([], [])


def test_time_between_windows_is_left_out(tmp_path: Path) -> None:
    windows = [(SECOND_NS, 12 * SECOND_NS // 10), (18 * SECOND_NS // 10, 2 * SECOND_NS)]
    samples = runs.telemetry(threads_waiting=2)  # twenty in a second
    requests = requests_at((1.05, 1.1, ""), (1.45, 1.5, ""), (1.75, 1.85, ""), (1.85, 1.9, ""))
    found = timeline(tmp_path, requests, samples, windows_ns=windows)
    assert (found.window_s, found.seconds[0], found.seconds[-1]) == pytest.approx((0.4, 0, 0.4))
    arrivals_ms = sorted(at_ms for at_ms, _ in counted(found))
    assert arrivals_ms == pytest.approx([100, 250, 300], abs=400 / 60)
    longest = max(edge for _, edge in counted(found))
    assert longest == 20  # 100 ms, though sent before the second window
    assert len(found.sampled_s) == pytest.approx(8, abs=1)
    assert all(0 <= at_s < 0.4 for at_s in found.sampled_s)


# Which cells are shown.


def steady(cell: Cell) -> Made:
    """The first block has the median latency."""
    return runs.steady(cell, {1: 2000, 2: 1000, 3: 4000}[cell.block])


def shown(
    tmp_path: Path, make: runs.MakeCell, scenario: dict[str, object] = THREE_LOADS
) -> list[Timeline]:
    return runs.analysed(tmp_path, make, scenarios=[scenario]).timelines


def loads(found: list[Timeline]) -> list[tuple[str, int]]:
    return [(timeline.target, timeline.load.value) for timeline in found]


def test_typical_cells_at_the_highest_load_are_shown(tmp_path: Path) -> None:
    found = shown(tmp_path, steady)
    assert loads(found) == [("sync", 64), ("async", 64)]
    # 64 users, 2,000 responses per second: 32 ms each, in the bin from 10 ** 1.5.
    assert {ms for timeline in found for _, ms in counted(timeline)} == {15}


def test_load_with_a_collapse_is_shown_before_others(tmp_path: Path) -> None:
    def make(cell: Cell) -> Made:
        record, requests = steady(cell)
        if (cell.target, cell.load.value, cell.block) == ("sync", 8, 3):
            return runs.record(cell, outcome="collapsed", unanswered=8), requests.head(7)
        return record, requests

    found = shown(tmp_path, make)
    assert loads(found) == [("sync", 8), ("async", 8)]
    assert sum(map(sum, found[0].counts)) == 7


def test_load_with_both_targets_is_shown_before_a_higher(tmp_path: Path) -> None:
    """Of each kind of load; none where all are invalid."""

    def make(cell: Cell) -> Made:
        if cell.load.kind == "open" or (cell.target, cell.load.value) == ("async", 64):
            return runs.record(cell), runs.responses(1000, cell.load.value, wrong=500)
        return steady(cell)

    found = shown(tmp_path, make, THREE_LOADS | {"open": [500]})
    assert loads(found) == [("sync", 8), ("async", 8)]
