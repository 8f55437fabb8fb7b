"""Gates: a cell that must fail each, and one that just does not."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.support import factories, runs
from tests.support.runs import analysed_cell
from twinbench.analyse.results import CellResult
from twinbench.job import LocustSummary
from twinbench.plan import Load

BEGIN, END = runs.WINDOW_NS
STEADY = runs.responses(1000, 8)
TWO_USERS = Load("closed", 2)
VALID: tuple[str, list[str]] = ("valid", [])


def rate(rps: int) -> Load:
    return Load("open", rps)


def judgement(cell: CellResult) -> tuple[str, list[str]]:
    return cell.status, cell.reasons


def test_steady_cells_pass_every_gate() -> None:
    assert judgement(analysed_cell(STEADY)) == VALID
    assert judgement(analysed_cell(runs.arrivals(1000, 5), load=rate(1000))) == VALID


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"generator_cpu_s": 0.81}, "the load generator used 81% of its core"),
        ({"generator_cpu_s": 0.5, "generator_waited_s": 0.4}, "waited for it 40% of the time"),
        ({"drained": False}, "the server was still busy"),
        ({"idle_cpu_s": {"a": 0.0, "b": 0.04}}, "'b' used 4% of the server's core"),
        ({"outcome": "lost", "reason": "it died", "windows_ns": []}, "it died"),
    ],
)
def test_record_makes_a_cell_invalid(changes: dict[str, Any], reason: str) -> None:
    found = analysed_cell(STEADY, **changes)
    assert found.status == "invalid"
    assert reason in found.reasons[0]


@pytest.mark.parametrize(
    ("locust", "status", "reason"),
    [
        ({}, "valid", ""),
        ({"exceptions": 1, "first_exception": "KeyError: 'a'"}, "valid", "1 exception; the first:"),
        ({"exceptions": 2, "first_exception": "KeyError: 'a'"}, "invalid", "2 exceptions, beside"),
        ({"users_ended": 1}, "invalid", "1 of 8 users had ended"),
    ],
)
def test_locustfile_is_judged_by_its_users(
    locust: dict[str, Any], status: str, reason: str
) -> None:
    users = LocustSummary(clients=["HttpUser"], **locust)
    # A quarter of Little's law: its users may wait.
    found = analysed_cell(runs.responses(1000, 2), locust=users)
    assert found.status == status
    assert reason in "".join(found.reasons)
    assert found.client == "HttpUser"


def test_busy_client_of_locust_is_named_with_its_limit() -> None:
    users = LocustSummary(clients=["HttpUser"])
    found = analysed_cell(STEADY, locust=users, generator_cpu_s=0.9)
    assert found.status == "invalid"
    assert "Locust's HttpUser used 90% of its core, enough for about 1,111 req" in found.reasons[0]


@pytest.mark.parametrize(
    ("changes", "disturbed"),
    [
        ({"generator_cpu_s": 0.5, "generator_waited_s": 0.4}, True),
        ({"generator_cpu_s": 0.81}, False),
        ({"drained": False}, False),
        ({"generator_cpu_s": 0.5, "generator_waited_s": 0.4, "drained": False}, False),
        ({}, False),
    ],
)
def test_only_the_machine_disturbs(changes: dict[str, Any], disturbed: bool) -> None:
    assert analysed_cell(STEADY, **changes).disturbed == disturbed


def test_idle_servers_may_use_a_little() -> None:
    found = analysed_cell(STEADY, idle_cpu_s={"b": 0.02})
    assert judgement(found) == VALID
    assert found.idle_cpu == pytest.approx(0.02)


def test_replaced_server_is_a_remark() -> None:
    found = analysed_cell(STEADY, restarted="collapsed at 128 users")
    assert found.status == "valid"
    assert "collapsed at 128 users" in found.reasons[0]


def test_cell_without_responses_is_invalid() -> None:
    found = analysed_cell(STEADY.clear())
    assert found.status == "invalid"
    assert "no response in the window" in found.reasons[0]


def test_users_without_a_response_are_a_remark() -> None:
    for unserved, remarks in ((0, 0), (1, 1)):  # of eight
        found = analysed_cell(STEADY, users_unserved=unserved)
        assert (found.status, len(found.reasons)) == ("valid", remarks)


def test_collapse_comes_before_every_gate() -> None:
    failing: dict[str, Any] = {"drained": False, "generator_cpu_s": 1.0, "unanswered": 8}
    wrong = runs.arrivals(1000, 1, wrong=900)
    found = analysed_cell(wrong, load=rate(1000), outcome="collapsed", **failing)
    assert judgement(found) == (
        "collapsed",
        ["no response for 2 s while 8 requests were in flight"],
    )


@pytest.mark.parametrize(("wrong", "status"), [(1, "valid"), (2, "invalid")])
def test_wrong_responses_beyond_one_in_a_thousand(wrong: int, status: str) -> None:
    found = analysed_cell(runs.responses(1000, 8, wrong=wrong))
    opened = analysed_cell(runs.arrivals(1000, 5, wrong=wrong), load=rate(1000))
    assert (found.status, opened.status) == (status, status)
    if status == "invalid":
        reason = "2 of 1000 responses were wrong, most of them 'status 500, expected 200'"
        assert reason in found.reasons[0]
        assert "most of them 'no answer when the load ended'" in opened.reasons[0]


# Little's law.


@pytest.mark.parametrize(
    ("share", "status"), [(0.96, "invalid"), (0.98, "valid"), (1.04, "invalid")]
)
def test_littles_law_allows_three_percent(share: float, status: str) -> None:
    found = analysed_cell(runs.responses(1000, 8 * share))
    assert found.status == status
    assert ("Little's law" in "".join(found.reasons)) == (status == "invalid")


def test_littles_law_is_exact_with_long_latencies() -> None:
    """Users in step, each response a quarter of the window late, and none at the edges."""
    sent = np.repeat(BEGIN - 125_000_000 + np.arange(5) * 250_000_000, 8)
    found = analysed_cell(runs.rows(sent, sent, sent + 250_000_000))
    assert found.throughput_rps == 32
    assert judgement(found) == VALID


def test_littles_law_counts_requests_without_response() -> None:
    """One of two users waits all through the window; its request ends as an error after it."""
    sent, done = np.array([BEGIN - 1]), np.array([END + 10**9])
    waits = runs.rows(sent, sent, done, ["no answer when the load ended"])
    requests = runs.responses(10_000, 0.1).vstack(waits)
    assert judgement(analysed_cell(requests, load=TWO_USERS)) == VALID


def test_littles_law_finds_users_who_pause_after_errors() -> None:
    """One error in 1,900 is allowed; that it costs a user a tenth of the window is not."""
    both = np.repeat(BEGIN + np.arange(1000) * 1_000_000, 2)
    pause = (both > BEGIN + 500_000_000) & (both <= BEGIN + 600_000_000)
    pause[1::2] = False
    sent = both[~pause]
    errors = ["status 500, expected 200" if n == 1000 else "" for n in range(len(sent))]
    found = analysed_cell(runs.rows(sent, sent, sent + 1_000_000 - 1, errors), load=TWO_USERS)
    assert found.status == "invalid"
    [reason] = found.reasons
    assert reason.startswith("1.9 requests were in flight on average with 2 users (-5.0%;")


@pytest.mark.parametrize(("cpu_s", "status"), [(0.05, "invalid"), (0.3, "valid")])
def test_littles_law_grants_the_generators_own_work(cpu_s: float, status: str) -> None:
    """6 % less than one user in flight."""
    requests = runs.responses(4000, 0.235)
    found = analysed_cell(requests, load=Load("closed", 1), generator_cpu_s=cpu_s)
    assert found.status == status


# Open loads.


def test_dropped_arrivals_make_a_cell_invalid() -> None:
    found = analysed_cell(runs.arrivals(1000, 5), load=rate(1000), dropped=60, scheduled=1060)
    assert found.status == "invalid"
    assert found.reasons[0].startswith("censored: 60 of 1,060 arrivals were dropped because")


@pytest.mark.parametrize(
    ("latency_ms", "growth_ms", "status"),
    [(5, 0, "valid"), (900, 0, "valid"), (5, 5, "valid"), (5, 50, "invalid"), (5, 300, "invalid")],
)
def test_growing_backlog_is_invalid(latency_ms: int, growth_ms: int, status: str) -> None:
    """Latencies grow by `growth_ms` each second; of 1,000 arrivals/s as many more are in flight."""
    requests = runs.arrivals(1000, latency_ms + growth_ms * np.arange(2000) / 1000)
    found = analysed_cell(requests, load=rate(1000))
    assert found.status == status
    assert ("requests in flight grew" in "".join(found.reasons)) == (status == "invalid")


def test_stall_at_the_end_of_the_window_is_no_backlog() -> None:
    stalled = pl.col("intended_ns").is_between(BEGIN + 2 * (END - BEGIN) // 3, END - 1)
    done = pl.when(stalled).then(END + 1).otherwise(pl.col("done_ns"))
    found = analysed_cell(runs.arrivals(1000, 5).with_columns(done_ns=done), load=rate(1000))
    assert judgement(found) == VALID
    assert (found.latency_ms.max or 0) > 300


@pytest.mark.parametrize(
    ("rps", "scheduled", "status"),
    [(1000, 1008, "valid"), (1000, 1012, "invalid"), (20, 21, "valid")],
)
def test_offered_rate_must_be_reached(rps: int, scheduled: int, status: str) -> None:
    """A request at the edge of a slow window may be missing."""
    found = analysed_cell(runs.arrivals(rps, 5), load=rate(rps), scheduled=scheduled)
    assert found.status == status
    assert ("1,000 of 1,012" in "".join(found.reasons)) == (status == "invalid")


@pytest.mark.parametrize(("lag_ms", "status"), [(0.29, "valid"), (0.31, "invalid")])
def test_lag_at_the_median(lag_ms: float, status: str) -> None:
    requests = runs.arrivals(1000, 5, lag_ms=lag_ms)
    assert analysed_cell(requests, load=rate(1000)).status == status


def late(requests: runs.Requests, lag_ms: float) -> runs.Requests:
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
    response_ms: float, floor_ms: float | None, status: str
) -> None:
    requests = late(runs.arrivals(4000, response_ms), lag_ms=5)
    floor = factories.self_check(lag_p99_ms=floor_ms).floor if floor_ms else None
    found = analysed_cell(requests, load=rate(4000), floor=floor)
    assert found.status == status
    assert ("without a self-check" in "".join(found.reasons)) == (floor_ms is None)


def test_background_requests_do_not_hide_a_late_generator() -> None:
    """A lag of 3 ms is little beside responses of 100 ms, but not of 4 ms."""
    timed, slow = (runs.arrivals(1000, ms) for ms in (4, 100))
    slow = slow.with_columns(request=pl.lit(np.int32(1)))
    mix = [{"path": "/"}, {"path": "/slow", "background": True}]
    found = analysed_cell(
        late(pl.concat([timed, slow]), lag_ms=3),
        load=rate(2000),
        plan=factories.plan(scenarios=[factories.scenario(requests=mix, open=[2000])]),
        floor=factories.self_check(lag_p99_ms=0.2).floor,
    )
    assert found.status == "invalid"
    assert "late" in found.reasons[0]
