"""async against sync: what speaks for a condition, what against it, and what does neither."""

import pytest

from tests.claimed import USERS, blocks, cell, compared, looked, results
from twinbench.analyse.results import CellStatus, Metric, Verdict
from twinbench.plan import Load

Condition = dict[str, object]
RATIO: Condition = {
    "kind": "ratio",
    "scenario": "wait",
    "closed": [128],
    "metric": "throughput",
}
PAIR = [cell("wait", "sync"), cell("wait", "async")]


@pytest.mark.parametrize(
    ("bound", "interval", "expected"),
    [
        ({"more_than": 2}, (2.01, 3.0), "supported"),
        ({"more_than": 2}, (1.5, 1.99), "refuted"),
        ({"more_than": 2}, (1.99, 3.0), "undecided"),
        ({"less_than": 0.5}, (0.1, 0.49), "supported"),
        ({"less_than": 0.5}, (0.51, 0.6), "refuted"),
        ({"less_than": 0.5}, (0.4, 0.51), "undecided"),
        ({"about": [0.9, 1.1]}, (0.95, 1.05), "supported"),
        ({"about": [0.9, 1.1]}, (1.2, 1.3), "refuted"),
        ({"about": [0.9, 1.1]}, (0.7, 0.8), "refuted"),
        ({"about": [0.9, 1.1]}, (0.95, 1.2), "undecided"),
        ({"about": [0.9, 1.1]}, (0.5, 2.0), "undecided"),
    ],
)
def test_the_whole_interval_has_to_lie_on_one_side(
    bound: Condition, interval: tuple[float, float], expected: Verdict
) -> None:
    found = results(PAIR, [compared("wait", interval)])
    assert looked(RATIO | bound, found).verdict == expected


@pytest.mark.parametrize(
    ("metric", "survivor", "bound", "expected"),
    [
        ("throughput", "async", {"more_than": 41}, "supported"),
        ("throughput", "async", {"less_than": 1.03}, "refuted"),
        ("throughput", "async", {"about": [0.9, 1.1]}, "refuted"),
        ("throughput", "sync", {"more_than": 1.03}, "refuted"),
        ("throughput", "sync", {"less_than": 0.5}, "supported"),
        ("p99", "async", {"less_than": 0.5}, "supported"),
        ("p99", "async", {"more_than": 1.03}, "refuted"),
        ("p99", "sync", {"more_than": 1.03}, "supported"),
        ("per_cpu_s", "async", {"more_than": 1.03}, "undecided"),
    ],
)
def test_who_alone_answers_is_ahead_by_more_than_any_factor(
    metric: Metric, survivor: str, bound: Condition, expected: Verdict
) -> None:
    found = results(PAIR, [compared("wait", None, metric, survivor=survivor)])
    evidence = looked(RATIO | {"metric": metric} | bound, found)
    assert evidence.verdict == expected
    assert expected == "undecided" or f"only {survivor} answers" in evidence.said


def test_a_ratio_that_is_not_known_decides_nothing_and_says_why() -> None:
    nothing = results(PAIR, [compared("wait", None, reasons=["no valid cells of sync"])])
    evidence = looked(RATIO | {"more_than": 1.03}, nothing)
    assert evidence.verdict == "undecided"
    assert "no valid cells of sync" in evidence.said


def test_one_block_decides_nothing() -> None:
    found = results(PAIR, [compared("wait", None, ratio={"estimate": 9.0})])
    assert looked(RATIO | {"more_than": 1.03}, found).verdict == "undecided"


@pytest.mark.parametrize(
    ("sync", "other", "expected"),
    [
        ([730, 740, 735], [2400, 2450, 2500], "supported"),
        ([798, 800, 802], [2400, 2450, 2500], "supported"),
        ([900, 905, 910], [2400, 2450, 2500], "refuted"),
        ([300, 302, 304], [2400, 2450, 2500], "undecided"),  # something else limits it
        ([730, 740, 735], [700, 710, 720], "undecided"),  # and the other as well
        ([600, 800, 900], [2400, 2450, 2500], "undecided"),  # perhaps far below the limit
        ([760, 820, 860], [2400, 2450, 2500], "undecided"),  # perhaps above it
        ([730], [2400], "undecided"),
        ([], [2400, 2450, 2500], "undecided"),
    ],
)
def test_plateau(sync: list[float], other: list[float], expected: Verdict) -> None:
    condition = {
        "kind": "plateau",
        "scenario": "wait",
        "closed": [128],
        "app": "sync",
        "limit_rps": 800,
        "near": 0.2,
    }
    cells = blocks("wait", "sync", "throughput_rps", sync)
    cells += blocks("wait", "async", "throughput_rps", other)
    cells.append(cell("wait", "sync", USERS, 9, status="void", throughput_rps=9000.0))
    assert looked(condition, results(cells)).verdict == expected


@pytest.mark.parametrize(
    ("sync", "other", "expected"),
    [
        (["collapsed", "collapsed"], ["valid", "valid"], "supported"),
        (["valid", "collapsed"], ["valid", "void"], "supported"),
        (["valid", "valid"], ["valid", "valid"], "refuted"),
        (["valid", "void"], ["collapsed", "collapsed"], "refuted"),
        (["collapsed", "collapsed"], ["valid", "collapsed"], "undecided"),
        (["collapsed", "collapsed"], ["void", "void"], "undecided"),
        (["void", "void"], ["valid", "valid"], "undecided"),
    ],
)
def test_stops(sync: list[CellStatus], other: list[CellStatus], expected: Verdict) -> None:
    cells = [cell("wait", "sync", USERS, n, status=status) for n, status in enumerate(sync)]
    cells += [cell("wait", "async", USERS, n, status=status) for n, status in enumerate(other)]
    condition = {"kind": "stops", "scenario": "wait", "closed": [128], "app": "sync"}
    assert looked(condition, results(cells)).verdict == expected


@pytest.mark.parametrize(
    ("sync", "other", "expected"),
    [
        # Blocks far apart, the differences all but equal: pairs show what means would hide.
        ([0.50, 0.80, 1.20], [0.34, 0.65, 1.04], "supported"),
        ([0.50, 0.80, 1.20], [0.10, 0.41, 0.80], "refuted"),
        ([0.34, 0.65, 1.04], [0.50, 0.80, 1.20], "refuted"),  # the other way round
        ([0.50, 0.80, 1.20], [0.45, 0.60, 0.80], "undecided"),
        ([0.50], [0.34], "undecided"),
        ([], [0.34, 0.65], "undecided"),
    ],
)
def test_difference(sync: list[float], other: list[float], expected: Verdict) -> None:
    load = Load("closed", 1)
    condition = {"kind": "difference_ms", "scenario": "noop", "closed": [1], "about": [0.08, 0.32]}
    cells = blocks("noop", "sync", "p50_ms", sync, load)
    cells += blocks("noop", "async", "p50_ms", other, load)
    assert looked(condition, results(cells)).verdict == expected


def test_the_interval_of_a_difference_is_students_t() -> None:
    # Differences 1, 2, 3: mean 2, sd 1, n = 3; t(0.975, 2) = 4.302653: 2 +- 2.484.
    cells = blocks("noop", "sync", "p50_ms", [11.0, 22.0, 33.0], Load("closed", 1))
    cells += blocks("noop", "async", "p50_ms", [10.0, 20.0, 30.0], Load("closed", 1))
    condition = {"kind": "difference_ms", "scenario": "noop", "closed": [1], "more_than": 0}
    assert "2 ms (-0.484 to 4.48) at 1 user" in looked(condition, results(cells)).said
