"""The gates on open loads: a cell that must fail, and one that just does not."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.support import runs
from tests.support.analysed import Made, opened, sure
from twinbench.plan import Cell

BEGIN, END = runs.WINDOW_NS


def test_a_steady_open_cell_passes_every_gate(tmp_path: Path) -> None:
    found = opened(tmp_path, lambda c: (runs.record(c), runs.arrivals(1000, 5)))
    assert sure(found) == ("valid", [])


def test_dropped_arrivals_censor_a_cell(tmp_path: Path) -> None:
    def make(cell: Cell) -> Made:
        requests = runs.arrivals(1000, 5)
        return runs.record(cell, dropped=60, scheduled=1060), requests

    found = opened(tmp_path, make)
    assert found.status == "invalid"
    assert found.reasons[0].startswith("censored: 60 of 1,060 arrivals were dropped because")
    assert found.reasons[0].endswith("lower the rate, or raise in_flight")
    assert (found.scheduled, found.dropped) == (1060, 60)


@pytest.mark.parametrize(
    ("growth_ms", "status"), [(0, "valid"), (5, "valid"), (50, "invalid"), (300, "invalid")]
)
def test_a_growing_backlog_is_no_steady_state(tmp_path: Path, growth_ms: int, status: str) -> None:
    """Latencies that grow by so much a second: of 1,000 arrivals so many more are in flight at the
    end of that second. 5 are no backlog to speak of."""

    def make(cell: Cell) -> Made:
        return runs.record(cell), runs.arrivals(1000, 5 + growth_ms * np.arange(2000) / 1000)

    found = opened(tmp_path, make)
    assert found.status == status
    assert any("requests in flight grew" in why for why in found.reasons) == (status == "invalid")


def test_a_stall_at_the_end_of_the_window_is_seen_and_no_backlog(tmp_path: Path) -> None:
    def make(cell: Cell) -> Made:
        requests = runs.arrivals(1000, 5)
        begin, end = runs.WINDOW_NS
        frozen = begin + 2 * (end - begin) // 3
        meant = requests["intended_ns"].to_numpy()
        done = np.where((meant > frozen) & (meant < end), end + 1, requests["done_ns"].to_numpy())
        return runs.record(cell), requests.with_columns(done_ns=pl.Series(done))

    found = opened(tmp_path, make)
    assert sure(found) == ("valid", [])
    assert (found.latency_ms.max or 0) > 300


def test_a_long_latency_alone_is_no_backlog(tmp_path: Path) -> None:
    found = opened(tmp_path, lambda c: (runs.record(c), runs.arrivals(1000, 900)))
    assert sure(found) == ("valid", [])


def test_unanswered_arrivals_are_wrong_answers(tmp_path: Path) -> None:
    found = opened(tmp_path, lambda c: (runs.record(c), runs.arrivals(1000, 5, wrong=2)))
    assert found.status == "invalid"
    assert "most of them 'no answer when the load ended'" in found.reasons[0]


@pytest.mark.parametrize(("short", "status"), [(8, "valid"), (12, "invalid")])
def test_the_offered_rate_must_be_reached(tmp_path: Path, short: int, status: str) -> None:
    def make(cell: Cell) -> Made:
        return runs.record(cell, scheduled=1000 + short), runs.arrivals(1000, 5)

    found = opened(tmp_path, make)
    assert found.status == status
    assert any("1,000 of 1,012 requests" in why for why in found.reasons) == (status == "invalid")


def test_one_request_across_the_edge_of_a_slow_window_is_no_fault(tmp_path: Path) -> None:
    def make(cell: Cell) -> Made:
        return runs.record(cell, scheduled=21), runs.arrivals(20, 5)

    assert opened(tmp_path, make, rate=20).status == "valid"


@pytest.mark.parametrize(("lag_ms", "status"), [(0.29, "valid"), (0.31, "invalid")])
def test_a_late_median_voids(tmp_path: Path, lag_ms: float, status: str) -> None:
    found = opened(tmp_path, lambda c: (runs.record(c), runs.arrivals(1000, 5, lag_ms=lag_ms)))
    assert found.status == status


@pytest.mark.parametrize(
    ("lag_ms", "response_ms", "floor_ms", "status"),
    [
        (5, 20, 1.6, "invalid"),  # above both
        (5, 20, 1.7, "valid"),  # thrice the floor
        (5, 20, 6.0, "valid"),  # what the machine itself is late by
        (5, 100, 1.6, "valid"),  # not a tenth of the response
        (5, 20, None, "valid"),  # nobody knows: a remark
    ],
)
def test_a_late_tail_voids_beyond_response_and_floor(
    tmp_path: Path, lag_ms: float, response_ms: float, floor_ms: float | None, status: str
) -> None:
    def make(cell: Cell) -> Made:
        requests = runs.arrivals(4000, response_ms)
        late = np.where(np.arange(8000) % 20 == 0, int(lag_ms * 1e6), 50_000)
        return runs.record(cell), requests.with_columns(sent_ns=requests["intended_ns"] + late)

    self_check = runs.self_check(lag_p99_ms=floor_ms) if floor_ms else None
    found = opened(tmp_path, make, rate=4000, self_check=self_check)
    assert found.status == status
    assert any("a self-check would show" in why for why in found.reasons) == (floor_ms is None)
