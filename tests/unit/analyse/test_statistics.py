"""Intervals, p values, Holm and decisions: hand-computed cases and properties."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from twinbench.analyse.results import METRICS, Estimate, Metric
from twinbench.analyse.statistics import (
    ALPHA,
    MARGIN,
    MAX_TIMES,
    FamilyDecision,
    decide,
    geometric_mean,
    halved_by,
    holm,
    p_beyond_margin,
    smallest_difference,
    unpaired_ratio,
)

# Barely beyond the margin as a single load: p = 0.0427, see below.
BARELY = [0.2, 0.3, 0.4]

positive = st.lists(st.floats(min_value=1e-3, max_value=1e6), min_size=2, max_size=8)
log_ratios = st.lists(st.floats(-2, 2), min_size=2, max_size=10)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def interval(values: list[float]) -> tuple[float, float, float]:
    found = geometric_mean(values)
    assert found
    assert found.low is not None
    assert found.high is not None
    return found.low, found.estimate, found.high


def p_of(logs: list[float]) -> float:
    return float(p_beyond_margin(np.array(logs)))


def decisions(metric: Metric, *family: list[float]) -> list[FamilyDecision]:
    return list(decide({n: (metric, np.array(logs)) for n, logs in enumerate(family)}).values())


def test_interval_is_students_t_on_logarithms() -> None:
    # Logs 0, ln 2, ln 4: mean ln 2, sd ln 2, n = 3; t(0.975, 2) = 4.302653 from the tables.
    half_width = math.exp(4.302653 * math.log(2) / math.sqrt(3))
    assert interval([1.0, 2.0, 4.0]) == pytest.approx((2 / half_width, 2, 2 * half_width), rel=1e-6)
    assert interval([1.5] * 3) == pytest.approx((1.5, 1.5, 1.5))


def test_one_value_has_no_interval_and_none_no_mean() -> None:
    assert geometric_mean([3.0]) == Estimate(estimate=3.0)
    assert geometric_mean([]) is None
    assert geometric_mean([3.0, 0.0]) is None


@given(positive, st.floats(min_value=1e-3, max_value=1e6))
def test_interval_does_not_depend_on_order_or_unit(values: list[float], factor: float) -> None:
    found = interval(values)
    assert list(found) == pytest.approx(sorted(found), rel=1e-9)
    assert interval(values[::-1]) == pytest.approx(found)
    scaled = interval([value * factor for value in values])
    assert scaled == pytest.approx(tuple(bound * factor for bound in found), rel=1e-6)


def test_p_by_hand() -> None:
    """Mean 0.3, standard error 0.1 / sqrt 3.

    With two degrees of freedom, both tails of Student's t beyond t are 1 - t / sqrt(t^2 + 2).
    """
    t = (0.3 - math.log(1.03)) / (0.1 / math.sqrt(3))
    assert p_of(BARELY) == pytest.approx(1 - t / math.sqrt(t**2 + 2))
    assert p_of(BARELY) == pytest.approx(0.0427, abs=1e-4)
    assert p_of([0.3, -0.3]) == 1  # within the margin


@pytest.mark.parametrize(
    ("log", "p"), [(0.5, 0), (-0.5, 0), (0.02, 1), (0, 1), (math.log1p(MARGIN), 1)]
)
def test_p_without_spread_is_certain(log: float, p: float) -> None:
    assert p_of([log] * 4) == p


@given(log_ratios)
def test_p_below_alpha_is_an_interval_beyond_the_margin(logs: list[float]) -> None:
    p, (low, _, high) = p_of(logs), interval(np.exp(logs).tolist())
    assume(abs(p - ALPHA) > 1e-6 and np.std(logs) > 1e-6)  # there rounding decides
    assert (p < ALPHA) == (low > 1 + MARGIN or high < 1 / (1 + MARGIN))


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(("away", "decided"), [(1 + 1e-6, True), (1 - 1e-6, False)])
def test_interval_that_ends_at_the_margin(way: int, away: float, decided: bool) -> None:
    """The property above meets the two sides of the border by chance; this one for certain."""
    half_width = 4.302652730 * 0.1 / math.sqrt(3)  # t(0.975, 2) from a printed table
    middle = way * (math.log(1.03) + half_width * away)
    logs = [middle - 0.1, middle, middle + 0.1]
    low, _, high = interval(np.exp(logs).tolist())
    assert (low if way > 0 else high) == pytest.approx(1.03**way, rel=1e-6)
    assert (p_of(logs) < ALPHA) == decided


@given(log_ratios)
def test_exchanged_targets_exchange_the_decision(logs: list[float]) -> None:
    exchanged = {"faster": "slower", "slower": "faster"}
    [one], [other] = decisions("p99", logs), decisions("p99", [-log for log in logs])
    assert other.decision == exchanged.get(one.decision, one.decision)
    assert other.adjusted_p == pytest.approx(one.adjusted_p)
    assert other.smallest_difference == pytest.approx(one.smallest_difference)


@pytest.mark.parametrize("metric", METRICS)
def test_faster_is_higher_or_lower_by_metric(metric: Metric) -> None:
    better = 1 if metric in ("throughput", "per_cpu_s") else -1
    found = [decisions(metric, [better * log] * 3)[0].decision for log in (0.2, -0.2, 0.02)]
    assert found == ["faster", "slower", "no difference shown"]


def test_holm_by_hand() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, and none below the one before it."""
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.4, 0.9])).tolist() == pytest.approx([0.8, 0.9])
    assert holm(np.array([0.6, 0.9])).tolist() == [1, 1]


@given(p_values)
def test_holm_lies_between_none_and_bonferroni(p: list[float]) -> None:
    unadjusted = np.array(p)
    adjusted = holm(unadjusted)
    assert (adjusted >= unadjusted).all()
    assert (adjusted <= np.minimum(1, len(p) * unadjusted)).all()
    assert (np.diff(adjusted[np.argsort(unadjusted)]) >= 0).all()
    assert adjusted.min() == min(1, len(p) * min(p))


def test_decision_at_one_load_is_none_at_six() -> None:
    [single] = decisions("throughput", BARELY)
    assert (single.decision, single.reasons) == ("faster", [])
    for each in decisions("throughput", *[BARELY] * 6):
        assert each.decision == "no difference shown"
        assert each.adjusted_p == pytest.approx(6 * 0.0427, abs=1e-3)
        assert len(each.reasons) == 1


def test_decided_load_leaves_the_level_to_others() -> None:
    """Holm, not Bonferroni: with the other decided, a single load is left."""
    found = decisions("throughput", BARELY, [0.5, 0.5, 0.5])
    assert [each.decision for each in found] == ["faster", "faster"]
    assert decisions("throughput") == []


@given(st.floats(0, 5), st.integers(2, 20), st.integers(1, 12))
def test_smallest_difference_shrinks_with_more_data(error: float, blocks: int, loads: int) -> None:
    found = smallest_difference(error, blocks, loads)
    assert found >= MARGIN * (1 - 1e-9)
    assert found <= smallest_difference(error + 0.1, blocks, loads)
    assert found >= smallest_difference(error, blocks + 1, loads)
    assert found <= smallest_difference(error, blocks, loads + 1)


def test_smallest_difference_without_spread_and_with_huge_spread() -> None:
    assert smallest_difference(0, 5, 6) == pytest.approx(MARGIN)
    [found] = decisions("p99", [-50.0, 50.0])
    assert found.adjusted_p == 1
    assert 1e6 < found.smallest_difference < math.inf


@pytest.mark.parametrize(("sd", "blocks", "loads"), [(0.1, 2, 1), (0.1, 5, 6), (0.5, 10, 2)])
def test_halved_by_is_the_least_number_of_blocks(sd: float, blocks: int, loads: int) -> None:
    def difference(of_blocks: int) -> float:
        return smallest_difference(sd / math.sqrt(of_blocks), of_blocks, loads)

    times = halved_by(sd, blocks, loads)
    assert times
    found = round(times * blocks)
    assert found == pytest.approx(times * blocks)
    assert difference(found) <= difference(blocks) / 2 < difference(found - 1)


@given(st.floats(0.02, 2), st.integers(2, 20), st.integers(1, 12))
def test_halved_by_is_none_within_the_margin(sd: float, blocks: int, loads: int) -> None:
    times = halved_by(sd, blocks, loads)
    if smallest_difference(sd / math.sqrt(blocks), blocks, loads) / 2 <= MARGIN:
        assert times is None
    assert times is None or 1 < times <= MAX_TIMES


def test_halving_a_small_difference_takes_longer_than_four_times() -> None:
    """The margin is part of it, and does not become smaller."""
    small, large = halved_by(0.1, 20, 1), halved_by(0.5, 20, 1)
    assert small
    assert large
    assert small > 4 > large > 3  # a large one is less on the logarithmic scale
    assert halved_by(0.05, 20, 1) is None


def test_decision_says_what_time_would_halve_it() -> None:
    [noisy] = decisions("throughput", [-0.2, 0.1, 0.1])
    [steady] = decisions("throughput", [0.001, 0.0, 0.002])
    assert noisy.halved_by == halved_by(float(np.std([-0.2, 0.1, 0.1], ddof=1)), 3, 1)
    assert steady.halved_by is None


# Unpaired ratios.


@pytest.mark.parametrize("later", [[110.0, 130.0, 121.0, 99.0, 117.0], [180.0, 240.0, 205.0]])
def test_unpaired_interval_is_that_of_welch(later: list[float]) -> None:
    first = [100.0, 104.0, 98.0, 101.0]
    found = unpaired_ratio(first, later)
    welch = stats.ttest_ind(np.log(later), np.log(first), equal_var=False)
    low, high = np.exp(welch.confidence_interval(1 - ALPHA))
    mean = stats.gmean(later) / stats.gmean(first)
    assert found
    assert (found.low, found.estimate, found.high) == pytest.approx((low, mean, high))


def test_unpaired_ratio_without_spread_or_values() -> None:
    found = unpaired_ratio([10] * 3, [12] * 3)
    assert found
    assert (found.low, found.high) == pytest.approx((1.2, 1.2))
    few = unpaired_ratio([10] * 3, [12, 12])
    assert few
    assert few.estimate == pytest.approx(1.2)
    assert few.low is None
    assert unpaired_ratio([10, 10], []) is None
    assert unpaired_ratio([10, 0], [12, 12]) is None
