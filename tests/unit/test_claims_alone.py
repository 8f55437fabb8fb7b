"""Conditions that look at one app: what speaks for them, what against, and what does neither."""

import pytest

from tests import runs
from tests.claimed import USERS, blocks, cell, claim, looked, results
from twinbench.analyse.claims import judge
from twinbench.analyse.results import CellResult, CellStatus, Verdict
from twinbench.plan import Load

Condition = dict[str, object]
LAG: Condition = {
    "kind": "level",
    "scenario": "compute",
    "closed": [128],
    "app": "sync",
    "figure": "loop_lag_p99_ms",
    "more_than": 5,
}
INTERFERENCE: Condition = {
    "kind": "interference",
    "scenario": "noop_beside_compute",
    "open": [530],
    "app": "sync",
    "alone": "noop_alone",
    "alone_open": [500],
    "more_than": 2,
}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([6.0, 7.0, 90.0], "supported"),
        ([1.0, 2.0, 4.9], "refuted"),
        ([4.0, 7.0, 90.0], "undecided"),
        ([90.0], "undecided"),
        ([None, None], "undecided"),
        ([None, 6.0, 7.0], "supported"),
    ],
)
def test_level_needs_all_blocks_on_one_side(values: list[float | None], expected: Verdict) -> None:
    cells = [
        cell("compute", "sync", USERS, block, loop_lag_p99_ms=value)
        for block, value in enumerate(values)
    ]
    cells += blocks("compute", "async", "loop_lag_p99_ms", [0.1, 0.1])  # not asked
    assert looked(LAG, results(cells)).verdict == expected


def test_a_level_of_zero_is_not_more_than_zero() -> None:
    cells = [cell("compute", "sync", USERS, n, connections_waiting_max=0) for n in range(3)]
    condition = LAG | {"figure": "connections_waiting_max", "more_than": 0}
    assert looked(condition, results(cells)).verdict == "refuted"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("valid", "supported"), ("collapsed", "supported"), ("void", "undecided")],
)
def test_a_server_that_stopped_is_looked_into_and_a_void_cell_is_not(
    status: CellStatus, expected: Verdict
) -> None:
    cells = [cell("compute", "sync", USERS, n, status=status, loop_lag_p99_ms=9.0) for n in (1, 2)]
    assert looked(LAG, results(cells)).verdict == expected


def beside(values: list[float], alone: list[float]) -> list[CellResult]:
    cells = blocks("noop_beside_compute", "sync", "p99_ms", values, Load("open", 530))
    others = blocks("noop_alone", "sync", "p99_ms", alone, Load("open", 500))
    cells += blocks("noop_alone", "async", "p99_ms", [99.0] * 3, Load("open", 500))  # not asked
    return cells + [each.model_copy(update={"id": each.id + 10}) for each in others]


@pytest.mark.parametrize(
    ("values", "alone", "expected"),
    [
        # Blocks far apart, a ratio of three in each of them.
        ([3.0, 9.1, 27.0], [1.0, 3.0, 9.0], "supported"),
        ([1.5, 4.6, 13.5], [1.0, 3.0, 9.0], "refuted"),
        ([1.5, 9.0, 27.0], [1.0, 3.0, 9.0], "undecided"),
        ([3.0], [1.0], "undecided"),
    ],
)
def test_interference(values: list[float], alone: list[float], expected: Verdict) -> None:
    assert looked(INTERFERENCE, results(beside(values, alone))).verdict == expected


def test_interference_needs_both_scenarios() -> None:
    assert judge([claim(INTERFERENCE)], results(beside([3.0, 9.0], []))) == []
    evidence = looked(INTERFERENCE, results(beside([3.0, 9.0], [1.0, 3.0])))
    assert evidence.cells == [1, 2, 11, 12]


def test_interference_below_the_floor_decides_nothing() -> None:
    cells = beside([1.5, 1.6, 1.5], [0.5, 0.5, 0.5])
    assert looked(INTERFERENCE, results(cells)).verdict == "supported"
    floor = runs.calibration(latency_p99_ms=1.0)
    assert looked(INTERFERENCE, results(cells, calibration=floor)).verdict == "undecided"
    floor = runs.calibration(latency_p99_ms=0.7)
    assert looked(INTERFERENCE, results(cells, calibration=floor)).verdict == "supported"
    turned = beside([0.5, 0.5, 0.5], [1.5, 1.6, 1.5])
    assert looked(INTERFERENCE, results(turned, calibration=floor)).verdict == "refuted"
