"""p values, Holm, and decisions: hand-computed cases and properties."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from twinbench.analyse.decisions import (
    Judged,
    holm,
    judge,
    p_beyond,
    smallest_difference,
)
from twinbench.analyse.intervals import ALPHA, geometric
from twinbench.analyse.margins import MARGIN
from twinbench.analyse.results import METRICS, Metric
from twinbench.plan import Load

LOADS = [Load("closed", users) for users in (1, 8, 32, 64, 128, 256)]
# By itself beyond the margin, barely: p = 0.0427, see below.
BARELY = [0.2, 0.3, 0.4]

log_ratios = st.lists(st.floats(-2, 2), min_size=2, max_size=10)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)
rows_of_three = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1)


def p_of(logs: list[float]) -> float:
    return float(p_beyond(np.array(logs)))


def judged(metric: Metric, *family: list[float]) -> list[Judged]:
    found = judge(metric, {load: np.array(f) for load, f in zip(LOADS, family, strict=False)})
    return list(found.values())


def test_p_by_hand() -> None:
    """Mean 0.3, standard error 0.1 / sqrt 3; with two degrees of freedom the tails of Student's t
    beyond t on both sides together are 1 - t / sqrt(t^2 + 2)."""
    t = (0.3 - math.log(1.03)) / (0.1 / math.sqrt(3))
    assert p_of(BARELY) == pytest.approx(1 - t / math.sqrt(t**2 + 2))
    assert p_of(BARELY) == pytest.approx(0.0427, abs=1e-4)
    assert p_of([0.3, -0.3]) == 1  # nothing at all, which is within the margin


def test_many_at_once_are_as_each_by_itself() -> None:
    logs = np.random.default_rng(1).normal(0.1, 0.1, (3, 4, 5))
    together = p_beyond(logs)
    assert together.shape == (3, 4)
    assert together[1, 2] == pytest.approx(p_of(logs[1, 2].tolist()))


@pytest.mark.parametrize(
    ("log", "p"), [(0.5, 0), (-0.5, 0), (0.02, 1), (0, 1), (math.log1p(MARGIN), 1)]
)
def test_blocks_without_any_spread_are_certain(log: float, p: float) -> None:
    assert p_of([log] * 4) == p


@given(log_ratios)
def test_p_is_below_alpha_just_where_the_interval_is_beyond_the_margin(logs: list[float]) -> None:
    p, ratio = p_of(logs), geometric(np.exp(logs).tolist())
    assert ratio
    assert ratio.low is not None
    assert ratio.high is not None
    assume(abs(p - ALPHA) > 1e-6 and np.std(logs) > 1e-6)  # there rounding decides
    beyond = ratio.low > 1 + MARGIN or ratio.high < 1 / (1 + MARGIN)
    assert (p < ALPHA) == beyond


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(("away", "decided"), [(1 + 1e-6, True), (1 - 1e-6, False)])
def test_an_interval_that_ends_at_the_margin(way: int, away: float, decided: bool) -> None:
    """The property above meets the two sides of the border by chance; this one for certain."""
    reach = 4.302652730 * 0.1 / math.sqrt(3)  # t(0.975, 2) from a printed table
    middle = way * (math.log(1.03) + reach * away)
    logs = [middle - 0.1, middle, middle + 0.1]
    ratio = geometric(np.exp(logs).tolist())
    assert ratio
    end = ratio.low if way > 0 else ratio.high
    assert end == pytest.approx(1.03**way, rel=1e-6)
    assert (p_of(logs) < ALPHA) == decided


@given(log_ratios)
def test_to_exchange_the_two_turns_the_decision_round(logs: list[float]) -> None:
    turned = {"faster": "slower", "slower": "faster"}
    [one], [other] = judged("p99", logs), judged("p99", [-log for log in logs])
    assert other.decision == turned.get(one.decision, one.decision)
    assert other.adjusted_p == pytest.approx(one.adjusted_p)
    assert other.smallest_difference == pytest.approx(one.smallest_difference)


@pytest.mark.parametrize("metric", METRICS)
def test_more_is_better_of_some_and_less_of_others(metric: Metric) -> None:
    better = 1 if metric in ("throughput", "per_cpu_s") else -1
    assert judged(metric, [better * 0.2] * 3)[0].decision == "faster"
    assert judged(metric, [better * -0.2] * 3)[0].decision == "slower"
    assert judged(metric, [better * 0.02] * 3)[0].decision == "no difference shown"


def test_holm_by_hand() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, and none below the one before it."""
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.4, 0.9])).tolist() == pytest.approx([0.8, 0.9])
    assert holm(np.array([0.6, 0.9])).tolist() == [1, 1]


@given(p_values)
def test_holm_lies_between_none_and_bonferroni_and_keeps_the_order(p: list[float]) -> None:
    alone = np.array(p)
    adjusted = holm(alone)
    assert (adjusted >= alone).all()
    assert (adjusted <= np.minimum(1, len(p) * alone)).all()
    assert (np.diff(adjusted[np.argsort(alone)]) >= 0).all()
    assert adjusted.min() == min(1, len(p) * min(p))


@given(rows_of_three)
def test_each_row_is_a_family_of_its_own(rows: list[list[float]]) -> None:
    assert holm(np.array(rows)).tolist() == [holm(np.array(row)).tolist() for row in rows]


def test_what_is_beyond_the_margin_by_itself_is_not_among_six() -> None:
    [alone] = judged("throughput", BARELY)
    assert (alone.decision, alone.reasons) == ("faster", [])
    for one in judged("throughput", *[BARELY] * 6):
        assert one.decision == "no difference shown"
        assert one.adjusted_p == pytest.approx(6 * 0.0427, abs=1e-3)
        assert one.reasons == ["beyond the margin by itself, not among 6 loads"]


def test_what_is_certain_leaves_room_for_what_is_not() -> None:
    """Holm, not Bonferroni: with the other decided, one is left to be judged."""
    found = judged("throughput", BARELY, [0.5, 0.5, 0.5])
    assert [one.decision for one in found] == ["faster", "faster"]
    assert judged("throughput") == []


@given(st.floats(0, 5), st.integers(2, 20), st.integers(1, 12))
def test_a_smaller_difference_takes_less_spread_more_blocks_or_fewer_loads(
    error: float, blocks: int, loads: int
) -> None:
    found = smallest_difference(error, blocks, loads)
    assert found >= MARGIN * (1 - 1e-9)
    assert found <= smallest_difference(error + 0.1, blocks, loads)
    assert found >= smallest_difference(error, blocks + 1, loads)
    assert found <= smallest_difference(error, blocks, loads + 1)


def test_without_spread_the_margin_is_the_smallest_difference() -> None:
    assert smallest_difference(0, 5, 6) == pytest.approx(MARGIN)


def test_two_blocks_that_have_nothing_in_common_show_nothing_and_break_nothing() -> None:
    [found] = judged("p99", [-50.0, 50.0])
    assert found.adjusted_p == 1
    assert 1e6 < found.smallest_difference < math.inf
