"""Blocks and seconds that fit into a time, and the difference that they will probably show."""

import math

import pytest
from scipy import stats

from tests.support import factories
from twinbench.analyse import statistics
from twinbench.plan import Plan
from twinbench.plan.duration import (
    ALPHA,
    LEAST_BLOCKS,
    LEAST_WINDOW_S,
    MARGIN,
    POWER,
    USUAL_NOISE,
    Noise,
    estimated_s,
    expected_difference,
    fitted,
    t_quantile,
)

START_S = 0.65
CALM, WILD = Noise(0.03, 0.01, "calm"), Noise(0.3, 0.01, "wild")


def plan(**changes: object) -> Plan:
    return factories.plan(warmup_s=0.1, **changes)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 10, 200])
@pytest.mark.parametrize("p", [0.8, 0.975, 0.9999])
def test_quantiles_are_those_of_scipy(freedom: int, p: float) -> None:
    assert t_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-6)


def test_levels_are_those_of_the_analysis() -> None:
    assert (ALPHA, POWER, MARGIN) == (statistics.ALPHA, statistics.POWER, statistics.MARGIN)


@pytest.mark.parametrize("seconds", [60, 120, 300, 600, 3600])
@pytest.mark.parametrize("noise", [CALM, USUAL_NOISE, WILD])
def test_fitted_plan_uses_the_time_and_no_more(seconds: float, noise: Noise) -> None:
    found = fitted(plan(), seconds, START_S, noise)
    assert 0.85 * seconds < estimated_s(found, START_S) < seconds
    assert found.blocks >= LEAST_BLOCKS
    assert found.measure_s >= LEAST_WINDOW_S


def test_little_time_gives_few_blocks_and_too_little_an_error() -> None:
    assert 2 <= fitted(plan(), 20, START_S, USUAL_NOISE).blocks < LEAST_BLOCKS
    with pytest.raises(ValueError, match="two blocks of this plan take 11 s or more") as refused:
        fitted(plan(), 5, START_S, USUAL_NOISE)
    assert fitted(plan(), 11, START_S, USUAL_NOISE).blocks == 2
    assert "11 s" in str(refused.value)


def test_slow_starts_take_their_time() -> None:
    found = fitted(plan(), 120, 8.0, USUAL_NOISE)
    assert 90 < estimated_s(found, 8.0) < 120


def test_setup_of_each_user_takes_its_time() -> None:
    setup = [{"path": "/login", "per": "user"}, {"path": "/once"}]
    of = plan(scenarios=[factories.scenario(closed=[1, 50], setup=setup)])
    logins_s = of.blocks * 2 * 50 * 0.06
    assert estimated_s(of, START_S, 0.06) == pytest.approx(estimated_s(of, START_S) + logins_s)
    found = fitted(of, 300, START_S, USUAL_NOISE, 0.06)
    assert 0.85 * 300 < estimated_s(found, START_S, 0.06) < 300


def test_scenario_keeps_a_length_of_its_own() -> None:
    own = factories.scenario(name="own", closed=[8], measure_s=4.0)
    short = factories.scenario(name="short", closed=[8])
    found = fitted(plan(scenarios=[own, short]), 300, START_S, USUAL_NOISE)
    assert found.measure_s_of("own") == 4.0
    assert found.measure_s_of("short") == found.measure_s
    assert 250 < estimated_s(found, START_S) < 300


@pytest.mark.parametrize("blocks", [3, 5, 6, 10])
@pytest.mark.parametrize("loads", [[8], [1, 8, 32, 64, 128, 256]])
def test_expected_difference_is_that_of_the_analysis(blocks: int, loads: list[int]) -> None:
    of = plan(blocks=blocks, measure_s=2.0, scenarios=[factories.scenario(closed=loads)])
    error = USUAL_NOISE.of_block(2.0) / math.sqrt(blocks)
    exact = math.log1p(statistics.smallest_difference(error, blocks, len(loads)))
    assert math.log1p(expected_difference(of, USUAL_NOISE)) == pytest.approx(exact, rel=0.05)


def test_one_block_shows_nothing() -> None:
    assert expected_difference(plan(blocks=1), CALM) == math.inf
