"""The gates on closed loads, and on all: a cell that must fail, and one that just does not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support import runs
from tests.support.analysed import Made, closed, opened, sure
from twinbench.plan import Cell

BEGIN, END = runs.WINDOW_NS


def test_a_steady_closed_cell_passes_every_gate(tmp_path: Path) -> None:
    assert sure(closed(tmp_path, lambda cell: runs.steady(cell, 1000))) == ("valid", [])


@pytest.mark.parametrize(("unserved", "who"), [(1, "1 user had"), (2, "2 users had")])
def test_users_without_an_answer_are_remarked(tmp_path: Path, unserved: int, who: str) -> None:
    found = closed(
        tmp_path,
        lambda c: (runs.record(c, users_unserved=unserved), runs.steady(c, 1000)[1]),
    )
    assert sure(found) == ("valid", [f"{who} had no answer when the window began"])


@pytest.mark.parametrize(
    ("share", "status"), [(0.96, "invalid"), (0.98, "valid"), (1.04, "invalid")]
)
def test_littles_law_holds_within_three_percent(tmp_path: Path, share: float, status: str) -> None:
    found = closed(tmp_path, lambda c: (runs.record(c), runs.answers(1000, 8 * share)))
    assert found.status == status
    assert ("in flight on average with 8 users" in "".join(found.reasons)) == (status == "invalid")


def test_littles_law_is_exact_where_latencies_are_a_quarter_of_the_window(tmp_path: Path) -> None:
    """All 8 users in step, each answer a quarter of a second late, and none at the edges: 32
    answers in one second, of which 8 were mostly worked on before it; some in flight at its end.
    """

    def make(cell: Cell) -> Made:
        sent = np.repeat(BEGIN - 125_000_000 + np.arange(5) * 250_000_000, 8)
        return runs.record(cell), runs.rows(sent, sent, sent + 250_000_000, [""] * 40)

    found = closed(tmp_path, make)
    assert found.throughput_rps == 32
    assert sure(found) == ("valid", [])


def test_requests_without_an_answer_are_in_flight_too(tmp_path: Path) -> None:
    """One of two users waits all through the window; its request ends as an error after it."""

    def make(cell: Cell) -> Made:
        sent, done = np.array([BEGIN - 1]), np.array([END + 10**9])
        waits = runs.rows(sent, sent, done, ["no answer when the load ended"])
        return runs.record(cell), runs.answers(10_000, 0.1).vstack(waits)

    assert sure(closed(tmp_path, make, users=2)) == ("valid", [])


def test_users_who_pause_after_errors_are_off(tmp_path: Path) -> None:
    """One error in 1,900 answers is allowed; that it costs one of two users a tenth of the
    window is not."""

    def make(cell: Cell) -> Made:
        both = np.repeat(BEGIN + np.arange(1000) * 1_000_000, 2)
        pause = (both > BEGIN + 500_000_000) & (both <= BEGIN + 600_000_000)
        pause[1::2] = False
        sent = both[~pause]
        errors = ["status 500, expected 200" if n == 1000 else "" for n in range(len(sent))]
        return runs.record(cell), runs.rows(sent, sent, sent + 1_000_000 - 1, errors)

    found = closed(tmp_path, make, users=2)
    assert found.status == "invalid"
    [why] = found.reasons
    assert why.startswith("1.9 requests were in flight on average with 2 users (-5.0%;")


def test_what_the_generator_does_between_two_requests_is_no_fault(tmp_path: Path) -> None:
    def make(cpu_s: float) -> Callable[[Cell], Made]:
        return lambda cell: (
            runs.record(cell, generator_cpu_s=cpu_s),
            runs.answers(4000, 0.235),  # 6 % less than one user
        )

    assert closed(tmp_path / "idle", make(0.05), users=1).status == "invalid"
    assert closed(tmp_path / "busy", make(0.3), users=1).status == "valid"


@pytest.mark.parametrize("wrong", [1, 2])
def test_wrong_answers_beyond_one_in_a_thousand(tmp_path: Path, wrong: int) -> None:
    found = closed(tmp_path, lambda c: (runs.record(c), runs.answers(1000, 8, wrong=wrong)))
    assert found.status == ("valid" if wrong == 1 else "invalid")


def test_a_server_that_is_still_busy_afterwards_voids(tmp_path: Path) -> None:
    found = closed(tmp_path, lambda c: (runs.record(c, drained=False), runs.steady(c, 1000)[1]))
    assert found.status == "invalid"
    assert "still busy after the last answer" in found.reasons[0]


def test_a_collapse_comes_before_every_gate(tmp_path: Path) -> None:
    def make(cell: Cell) -> Made:
        record = runs.record(
            cell, outcome="collapsed", drained=False, generator_cpu_s=1.0, dropped=500
        )
        return record, runs.arrivals(1000, 1, wrong=900)

    assert opened(tmp_path, make).status == "collapsed"
