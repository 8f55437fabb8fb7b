"""Figures of one measurement: which requests count, and how."""

import numpy as np
import polars as pl
import pytest

from tests.support import factories, runs
from tests.support.runs import analysed_cell
from twinbench.analyse.window import Windows, percentiles
from twinbench.plan import Cell, Load, LoadKind

BEGIN, END = runs.WINDOW_NS
OPEN = Load("open", 1000)


@pytest.mark.parametrize(
    ("p", "needed"), [(1, 2000), (50, 40), (90, 200), (99, 2000), (99.9, 20_000)]
)
def test_percentile_needs_twenty_samples_beyond(p: float, needed: int) -> None:
    values = np.arange(1.0, needed + 1)
    assert percentiles(values[:-1], [p]) == [None]
    assert percentiles(values, [p])[0] == pytest.approx(1 + p / 100 * (needed - 1))
    assert percentiles(np.empty(0), [p]) == [None]


def test_closed_load_counts_responses_inside_the_window() -> None:
    middle = (BEGIN + END) // 2
    cell = analysed_cell(runs.responses(4000, 2), windows_ns=[(middle, END)])
    assert cell.requests == 2000
    assert cell.throughput_rps == pytest.approx(4000)
    assert (cell.latency_ms.p50, cell.latency_ms.p99) == pytest.approx((2, 2), rel=1e-3)


def test_requests_between_two_windows_do_not_count() -> None:
    quarter = (END - BEGIN) // 4
    windows = [(BEGIN, BEGIN + quarter), (END - quarter, END)]
    between = (pl.col("done_ns") >= windows[0][1]) & (pl.col("done_ns") < windows[1][0])
    requests = runs.responses(4000, 2)
    slow = requests.with_columns(
        sent_ns=pl.when(between).then(windows[0][1]).otherwise(pl.col("sent_ns"))
    )
    cell = analysed_cell(slow, windows_ns=windows)
    assert (cell.requests, cell.errors) == (2000, 0)
    assert cell.throughput_rps == pytest.approx(4000, rel=0.01)
    assert cell.latency_ms.max == pytest.approx(2, rel=0.01)


def test_telemetry_between_two_windows_does_not_count() -> None:
    third = (END - BEGIN) // 3
    samples = runs.telemetry(cores_stolen_s=0, threads_used=5)
    busy = pl.col("t_ns").is_between(BEGIN + third, END - third)
    stolen = (
        pl.when(busy)
        .then(pl.col("t_ns") - BEGIN - third)
        .otherwise(pl.when(pl.col("t_ns") > BEGIN + third).then(third).otherwise(0))
    )
    samples = samples.with_columns(
        cores_stolen_s=stolen / 1e9, threads_used=pl.when(busy).then(40).otherwise(5)
    )
    windows = [(BEGIN, BEGIN + third - 1), (END - third + 1, END)]
    cell = analysed_cell(runs.responses(4000, 2), telemetry=samples, windows_ns=windows)
    # Between two samples of 50 ms a value is interpolated.
    assert cell.stolen_cpu == pytest.approx(0, abs=0.1)
    assert cell.threads_used_max == 5


def test_open_load_times_from_the_intended_send() -> None:
    found = analysed_cell(runs.arrivals(1000, 5, lag_ms=0.25), load=OPEN)
    assert found.latency_ms.p50 == pytest.approx(5.25)
    assert found.service_ms.p50 == pytest.approx(5)
    assert found.generator.lag_p50_ms == pytest.approx(0.25)


def test_open_load_counts_late_responses_to_requests_due_inside() -> None:
    """The server stalls for the last 100 ms of the window, and 50 ms longer."""
    stalled = pl.col("intended_ns") >= END - 100_000_000
    done = pl.when(stalled).then(END + 50_000_000).otherwise(pl.col("done_ns"))
    found = analysed_cell(runs.arrivals(1000, 5).with_columns(done_ns=done), load=OPEN)
    assert (found.requests, found.errors) == (1000, 0)
    assert found.latency_ms.max == pytest.approx(150)
    assert found.throughput_rps == 905  # 900 arrivals in the window, and 5 before it


def test_open_load_ignores_requests_due_before_the_window() -> None:
    latency_ms = np.where(np.arange(2000) < 1000, 500, 5)
    found = analysed_cell(runs.arrivals(1000, latency_ms), load=OPEN)
    assert found.requests == 1000
    assert found.latency_ms.max == pytest.approx(5.05)


def responses(users: int, response_s: float, offset_s: float, kind: LoadKind) -> float:
    """Responses counted of `users` in step; one of their waves begins `offset_s` in the window."""
    waves_s = offset_s + response_s * np.arange(-20, 20)
    sent = np.repeat(BEGIN + (1e9 * waves_s).astype(np.int64), users)
    record = runs.record(Cell(1, 1, "noop", "sync", Load(kind, users)))
    requests = runs.rows(sent, sent, sent + int(1e9 * response_s))
    return Windows.of(record, requests, factories.plan().scenario("noop")).responses


@pytest.mark.parametrize("offset_s", [0.0, 0.1, 0.35, 0.69])
@pytest.mark.parametrize(("users", "response_s"), [(4, 0.7), (256, 1.4), (8, 0.05)])
def test_throughput_does_not_depend_on_where_waves_are(
    users: int, response_s: float, offset_s: float
) -> None:
    assert responses(users, response_s, offset_s, "closed") == pytest.approx(users / response_s)


def test_open_load_counts_whole_responses() -> None:
    assert responses(4, 0.7, 0.1, "open") == 8  # after 0.1 and 0.8 s


def test_background_requests_are_load_without_response_time() -> None:
    timed, slow = runs.responses(500, 4), runs.responses(50, 120)
    requests = pl.concat([timed, slow.with_columns(request=pl.lit(np.int32(1)))])
    mix = [{"path": "/"}, {"path": "/slow", "background": True}]
    plan = factories.plan(scenarios=[factories.scenario(requests=mix, closed=[8])])
    cell = analysed_cell(requests, plan=plan)
    assert (cell.status, cell.requests) == ("valid", 550)
    assert cell.throughput_rps == pytest.approx(550)
    assert (cell.latency_ms.max, cell.service_ms.max) == pytest.approx((4, 4))


def test_telemetry_inside_the_window_counts() -> None:
    samples = runs.telemetry(cores_stolen_s=0.02, loop_lag_ms=3, threads_used=40)
    later = runs.telemetry(cores_stolen_s=0.9, loop_lag_ms=50, threads_used=41)
    later = later.with_columns(
        t_ns=pl.col("t_ns") + END - BEGIN + 1, cores_stolen_s=pl.col("cores_stolen_s") + 0.02
    )
    found = analysed_cell(runs.responses(1000, 8), telemetry=pl.concat([samples, later]))
    assert found.stolen_cpu == pytest.approx(0.02)
    assert (found.loop_lag_p99_ms, found.threads_used_max) == (3, 40)
    assert (found.other_cpu, found.connections_used_max) == (None, None)


def test_telemetry_before_a_collapse_counts() -> None:
    """The window of a collapse may be short: without the time before it nothing is sampled."""
    found = analysed_cell(
        runs.responses(1000, 8),
        plan=factories.plan(collapse_s=0.5),
        telemetry=runs.telemetry(threads_waiting=60),
        outcome="collapsed",
        windows_ns=[(END - 1, END)],
    )
    assert found.threads_waiting_max == 60
