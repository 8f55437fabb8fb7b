"""Gates: a cell that must fail each, and one that just does not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.support import factories, runs
from tests.support.runs import Made, analysed_cell
from twinbench.analyse.results import CellResult
from twinbench.plan import Cell

BEGIN, END = runs.WINDOW_NS
VALID: tuple[str, list[str]] = ("valid", [])


def judgement(cell: CellResult) -> tuple[str, list[str]]:
    return cell.status, cell.reasons


def closed(**changes: object) -> Callable[[Cell], Made]:
    return lambda cell: runs.steady(cell, 1000, **changes)


def test_steady_cells_pass_every_gate(tmp_path: Path) -> None:
    assert judgement(analysed_cell(tmp_path / "closed", closed())) == VALID
    opened = analysed_cell(
        tmp_path / "open", lambda c: (runs.record(c), runs.arrivals(1000, 5)), open=1000
    )
    assert judgement(opened) == VALID


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"generator_cpu_s": 0.81}, "the load generator used 81% of its core"),
        ({"generator_cpu_s": 0.5, "generator_waited_s": 0.4}, "waited for it 40% of the time"),
        ({"drained": False}, "the server was still busy"),
    ],
)
def test_generator_cpu_and_undrained_server(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    found = analysed_cell(tmp_path, closed(**changes))
    assert found.status == "invalid"
    assert reason in found.reasons[0]


def test_lost_cell_is_invalid_with_its_reason(tmp_path: Path) -> None:
    make = closed(outcome="lost", reason="it died", window_ns=(0, 0))
    assert judgement(analysed_cell(tmp_path, make)) == ("invalid", ["it died"])


def test_cell_without_responses_is_invalid(tmp_path: Path) -> None:
    found = analysed_cell(tmp_path, lambda c: (runs.record(c), runs.responses(10, 8).clear()))
    assert found.status == "invalid"
    assert "no response in the window" in found.reasons[0]


@pytest.mark.parametrize("unserved", [1, 2])
def test_users_without_a_response_are_a_remark(tmp_path: Path, unserved: int) -> None:
    found = analysed_cell(tmp_path, closed(users_unserved=unserved))
    assert found.status == "valid"
    assert len(found.reasons) == 1


def test_collapse_comes_before_every_gate(tmp_path: Path) -> None:
    def make(cell: Cell) -> Made:
        record = runs.record(
            cell, outcome="collapsed", drained=False, generator_cpu_s=1.0, unanswered=8
        )
        return record, runs.arrivals(1000, 1, wrong=900)

    found = analysed_cell(tmp_path, make, open=1000)
    assert found.status == "collapsed"
    assert found.reasons == ["no response for 2 s while 8 requests were in flight"]


@pytest.mark.parametrize(("wrong", "status"), [(1, "valid"), (2, "invalid")])
def test_wrong_responses_beyond_one_in_a_thousand(tmp_path: Path, wrong: int, status: str) -> None:
    found = analysed_cell(
        tmp_path, lambda c: (runs.record(c), runs.responses(1000, 8, wrong=wrong))
    )
    assert found.status == status
    if status == "invalid":
        said = "2 of 1000 responses were wrong, most of them 'status 500, expected 200'"
        assert said in found.reasons[0]


def test_requests_without_response_are_errors_of_an_open_load(tmp_path: Path) -> None:
    found = analysed_cell(
        tmp_path, lambda c: (runs.record(c), runs.arrivals(1000, 5, wrong=2)), open=1000
    )
    assert found.status == "invalid"
    assert "most of them 'no answer when the load ended'" in found.reasons[0]


# Little's law.


@pytest.mark.parametrize(
    ("share", "status"), [(0.96, "invalid"), (0.98, "valid"), (1.04, "invalid")]
)
def test_littles_law_allows_three_percent(tmp_path: Path, share: float, status: str) -> None:
    found = analysed_cell(tmp_path, lambda c: (runs.record(c), runs.responses(1000, 8 * share)))
    assert found.status == status
    assert ("Little's law" in "".join(found.reasons)) == (status == "invalid")


def test_littles_law_is_exact_with_long_latencies(tmp_path: Path) -> None:
    """Users in step, each response a quarter of the window late, and none at the edges."""

    def make(cell: Cell) -> Made:
        sent = np.repeat(BEGIN - 125_000_000 + np.arange(5) * 250_000_000, 8)
        return runs.record(cell), runs.rows(sent, sent, sent + 250_000_000)

    found = analysed_cell(tmp_path, make)
    assert found.throughput_rps == 32
    assert judgement(found) == VALID


def test_littles_law_counts_requests_without_response(tmp_path: Path) -> None:
    """One of two users waits all through the window; its request ends as an error after it."""

    def make(cell: Cell) -> Made:
        sent, done = np.array([BEGIN - 1]), np.array([END + 10**9])
        waits = runs.rows(sent, sent, done, ["no answer when the load ended"])
        return runs.record(cell), runs.responses(10_000, 0.1).vstack(waits)

    assert judgement(analysed_cell(tmp_path, make, closed=2)) == VALID


def test_littles_law_finds_users_who_pause_after_errors(tmp_path: Path) -> None:
    """One error in 1,900 is allowed; that it costs a user a tenth of the window is not."""

    def make(cell: Cell) -> Made:
        both = np.repeat(BEGIN + np.arange(1000) * 1_000_000, 2)
        pause = (both > BEGIN + 500_000_000) & (both <= BEGIN + 600_000_000)
        pause[1::2] = False
        sent = both[~pause]
        errors = ["status 500, expected 200" if n == 1000 else "" for n in range(len(sent))]
        return runs.record(cell), runs.rows(sent, sent, sent + 1_000_000 - 1, errors)

    found = analysed_cell(tmp_path, make, closed=2)
    assert found.status == "invalid"
    [reason] = found.reasons
    assert reason.startswith("1.9 requests were in flight on average with 2 users (-5.0%;")


@pytest.mark.parametrize(("cpu_s", "status"), [(0.05, "invalid"), (0.3, "valid")])
def test_littles_law_grants_the_generators_own_work(
    tmp_path: Path, cpu_s: float, status: str
) -> None:
    """6 % less than one user in flight."""

    def make(cell: Cell) -> Made:
        return runs.record(cell, generator_cpu_s=cpu_s), runs.responses(4000, 0.235)

    assert analysed_cell(tmp_path, make, closed=1).status == status


# Open loads.


def test_dropped_arrivals_make_a_cell_invalid(tmp_path: Path) -> None:
    def make(cell: Cell) -> Made:
        return runs.record(cell, dropped=60, scheduled=1060), runs.arrivals(1000, 5)

    found = analysed_cell(tmp_path, make, open=1000)
    assert found.status == "invalid"
    assert found.reasons[0].startswith("censored: 60 of 1,060 arrivals were dropped because")
    assert (found.scheduled, found.dropped) == (1060, 60)


@pytest.mark.parametrize(
    ("growth_ms", "status"), [(0, "valid"), (5, "valid"), (50, "invalid"), (300, "invalid")]
)
def test_growing_backlog_is_invalid(tmp_path: Path, growth_ms: int, status: str) -> None:
    """Latencies grow by so much per second: of 1,000 arrivals so many more are in flight."""

    def make(cell: Cell) -> Made:
        return runs.record(cell), runs.arrivals(1000, 5 + growth_ms * np.arange(2000) / 1000)

    found = analysed_cell(tmp_path, make, open=1000)
    assert found.status == status
    assert ("requests in flight grew" in "".join(found.reasons)) == (status == "invalid")


def test_stall_at_the_end_of_the_window_is_no_backlog(tmp_path: Path) -> None:
    def make(cell: Cell) -> Made:
        requests = runs.arrivals(1000, 5)
        stalled = pl.col("intended_ns").is_between(BEGIN + 2 * (END - BEGIN) // 3, END - 1)
        done = pl.when(stalled).then(END + 1).otherwise(pl.col("done_ns"))
        return runs.record(cell), requests.with_columns(done_ns=done)

    found = analysed_cell(tmp_path, make, open=1000)
    assert judgement(found) == VALID
    assert (found.latency_ms.max or 0) > 300


def test_long_latency_is_no_backlog(tmp_path: Path) -> None:
    found = analysed_cell(tmp_path, lambda c: (runs.record(c), runs.arrivals(1000, 900)), open=1000)
    assert judgement(found) == VALID


@pytest.mark.parametrize(
    ("rate", "scheduled", "status"),
    [(1000, 1008, "valid"), (1000, 1012, "invalid"), (20, 21, "valid")],
)
def test_offered_rate_must_be_reached(
    tmp_path: Path, rate: int, scheduled: int, status: str
) -> None:
    """A request at the edge of a slow window may be missing."""

    def make(cell: Cell) -> Made:
        return runs.record(cell, scheduled=scheduled), runs.arrivals(rate, 5)

    found = analysed_cell(tmp_path, make, open=rate)
    assert found.status == status
    assert ("1,000 of 1,012" in "".join(found.reasons)) == (status == "invalid")


@pytest.mark.parametrize(("lag_ms", "status"), [(0.29, "valid"), (0.31, "invalid")])
def test_lag_at_the_median(tmp_path: Path, lag_ms: float, status: str) -> None:
    requests = runs.arrivals(1000, 5, lag_ms=lag_ms)
    assert analysed_cell(tmp_path, lambda c: (runs.record(c), requests), open=1000).status == status


def late(requests: pl.DataFrame, lag_ms: float) -> pl.DataFrame:
    """Send every twentieth request late."""
    every_twentieth = pl.int_range(pl.len()) % 20 == 0
    lag_ns = pl.when(every_twentieth).then(int(lag_ms * 1e6)).otherwise(50_000)
    return requests.with_columns(sent_ns=pl.col("intended_ns") + lag_ns)


@pytest.mark.parametrize(
    ("response_ms", "floor_ms", "status"),
    [
        (20, 1.6, "invalid"),  # above both
        (20, 1.7, "valid"),  # thrice the floor
        (20, 6.0, "valid"),  # what the machine itself is late
        (100, 1.6, "valid"),  # not a tenth of the response
        (20, None, "valid"),  # not known: a remark
    ],
)
def test_lag_at_p99_beyond_response_and_floor(
    tmp_path: Path, response_ms: float, floor_ms: float | None, status: str
) -> None:
    requests = late(runs.arrivals(4000, response_ms), lag_ms=5)
    self_check = factories.self_check(lag_p99_ms=floor_ms) if floor_ms else None
    found = analysed_cell(
        tmp_path, lambda c: (runs.record(c), requests), self_check=self_check, open=4000
    )
    assert found.status == status
    assert ("without a self-check" in "".join(found.reasons)) == (floor_ms is None)


def test_background_requests_do_not_hide_a_late_generator(tmp_path: Path) -> None:
    """A lag of 3 ms is little beside responses of 100 ms, but not of 4 ms."""

    def make(cell: Cell) -> Made:
        timed, slow = (runs.arrivals(1000, ms) for ms in (4, 100))
        slow = slow.with_columns(request=pl.lit(np.int32(1)))
        return runs.record(cell, scheduled=2000), late(pl.concat([timed, slow]), lag_ms=3)

    requests = [{"path": "/"}, {"path": "/slow", "background": True}]
    scenario = {"name": "mix", "requests": requests, "open": [2000]}
    self_check = factories.self_check(lag_p99_ms=0.2)
    found = runs.analysed(tmp_path, make, self_check=self_check, scenarios=[scenario])
    assert found.cells[0].status == "invalid"
    assert "late" in found.cells[0].reasons[0]
