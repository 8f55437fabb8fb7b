"""What counts of an open load, and that the two kinds of load never meet."""

from pathlib import Path

import numpy as np
import pytest

from tests.support import runs
from tests.support.analysed import opened
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell, Load
from twinbench.store import CellRecord

BEGIN, END = runs.WINDOW_NS
BOTH = {
    "name": "noop",
    "requests": [{"path": "/"}],
    "closed": [1, 8],
    "open": [100, 1000],
}


def of_both_kinds(
    tmp_path: Path, sync_ms: float = 4, async_ms: float = 2, **floor: float
) -> Results:
    """sync and async equal under closed loads; under open ones as late as given."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        if cell.load.kind == "closed":
            return runs.steady(cell, 1000)
        latency_ms = sync_ms if cell.target == "sync" else async_ms
        return runs.record(cell), runs.arrivals(cell.load.value, latency_ms)

    self_check = runs.self_check(**floor) if floor else None
    plan = runs.plan(scenarios=[BOTH])
    return analyse(runs.write_run(tmp_path, plan, make, self_check=self_check))


def test_responses_are_timed_from_when_they_were_meant(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.record(cell), runs.arrivals(1000, 5, lag_ms=0.25)

    found = opened(tmp_path, make)
    assert found.latency_ms.p50 == pytest.approx(5.25)
    assert found.service_ms.p50 == pytest.approx(5)
    assert found.generator.lag_p50_ms == pytest.approx(0.25)


def test_what_was_meant_inside_the_window_counts_whenever_it_was_answered(tmp_path: Path) -> None:
    """The server stands still for the last 100 ms of the window, and 50 ms longer: 100 requests
    are answered after the window, and the slowest of them are what is to be seen."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        requests = runs.arrivals(1000, 5)
        stalled = requests["intended_ns"] >= END - 100_000_000
        done = requests["done_ns"].to_numpy().copy()
        done[stalled.to_numpy()] = END + 50_000_000
        return runs.record(cell), requests.with_columns(done_ns=done)

    found = opened(tmp_path, make)
    assert (found.requests, found.errors) == (1000, 0)
    assert found.latency_ms.max == pytest.approx(150)
    assert found.throughput_rps == 905  # 900 arrivals in the window, and 5 before it


def test_arrivals_before_the_window_do_not_count(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        requests = runs.arrivals(1000, np.where(np.arange(2000) < 1000, 500, 5))
        return runs.record(cell), requests

    found = opened(tmp_path, make)
    assert found.requests == 1000
    assert found.latency_ms.max == pytest.approx(5.05)


def test_a_curve_for_each_kind_of_load(tmp_path: Path) -> None:
    found = of_both_kinds(tmp_path).curves
    assert [(c.target, c.load_kind, [p.value for p in c.points]) for c in found] == [
        ("sync", "closed", [1, 8]),
        ("async", "closed", [1, 8]),
        ("sync", "open", [100, 1000]),
        ("async", "open", [100, 1000]),
    ]


def test_open_loads_are_compared_by_response_time(tmp_path: Path) -> None:
    results = of_both_kinds(tmp_path)
    for comparison in results.compared("noop", "open", "p50"):
        assert comparison.ratio
        assert comparison.ratio.estimate == pytest.approx(2.05 / 4.05)
        assert comparison.decision == "faster"
    for comparison in results.compared("noop", "open", "throughput"):
        assert comparison.decision == "no difference shown"
    assert results.decisive("noop", "closed") == "throughput"


@pytest.mark.parametrize(
    ("rates", "decisive"), [([100, 1000], "p50"), ([100, 2000], "p50"), ([2000, 4000], "p99")]
)
def test_p99_decides_where_it_has_samples_at_every_rate(
    tmp_path: Path, rates: list[int], decisive: str
) -> None:
    """2,000 make a p99."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.record(cell), runs.arrivals(cell.load.value, 5)

    plan = runs.plan(scenarios=[BOTH | {"closed": [], "open": rates}])
    results = analyse(runs.write_run(tmp_path, plan, make))
    assert results.decisive("noop", "open") == decisive


def test_a_rate_is_no_lower_load_of_so_many_users(tmp_path: Path) -> None:
    """50 answers a second at a rate of 50 are no collapse beside 1,000 with one user."""
    scenario = BOTH | {"closed": [1], "open": [50]}

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        if cell.load.kind == "closed":
            return runs.steady(cell, 1000)
        return runs.record(cell), runs.arrivals(50, 5)

    results = analyse(runs.write_run(tmp_path, runs.plan(scenarios=[scenario]), make))
    assert {cell.status for cell in results.cells} == {"valid"}


@pytest.mark.parametrize(
    ("sync_ms", "decision"),
    [(1.9, "not comparable"), (2.1, "faster")],
)
def test_latencies_under_twice_the_floor_are_not_compared(
    tmp_path: Path, sync_ms: float, decision: str
) -> None:
    """One of the two above it is enough: that it is slower is certain then."""
    results = of_both_kinds(tmp_path, sync_ms, 0.5, latency_p50_ms=1.0)
    found = results.compared("noop", "open", "p50")
    assert {comparison.decision for comparison in found} == {decision}
    if decision == "not comparable":
        assert "both are less than 2 times this machine's floor of 1 ms" in found[0].reasons[0]
        assert found[0].ratio is None


def test_all_answers_after_the_window_make_a_throughput_of_none(tmp_path: Path) -> None:
    """A few arrivals a second, each answered a second later: valid, with nothing to average."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        requests = runs.arrivals(5, 1500)
        return runs.record(cell), requests.filter(requests["intended_ns"] >= BEGIN)

    plan = runs.plan(scenarios=[BOTH | {"closed": [], "open": [5]}])
    results = analyse(runs.write_run(tmp_path, plan, make))
    assert results.cells[0].load == Load("open", 5)
    assert results.curves[0].points[0].throughput_rps is None
