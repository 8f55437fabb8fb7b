"""When the requests of an open load are meant to be sent."""

import itertools

import numpy as np
import pytest
from scipy import stats

from loadtests.arrivals import schedule_ns
from twinbench.plan import Arrivals

# A sound schedule fails so seldom; the seed is fixed, so it never does by chance.
P = 0.001


def test_poisson_gaps_are_exponential_and_independent() -> None:
    gaps = np.diff(schedule_ns(1000, "poisson", 20.0, seed=7)) / 1e6
    assert stats.kstest(gaps, stats.expon(scale=1.0).cdf).pvalue > P
    assert stats.spearmanr(gaps[:-1], gaps[1:]).pvalue > P
    assert len(gaps) == pytest.approx(20_000, abs=4 * 20_000**0.5)


def test_constant_gaps_are_equal() -> None:
    moments = schedule_ns(250, "constant", 2.0, seed=7)
    assert moments[0] == 4_000_000
    assert len(moments) in (499, 500)
    assert set(np.diff(moments)) <= {3_999_999, 4_000_000, 4_000_001}


@pytest.mark.parametrize("arrivals", ["poisson", "constant"])
def test_processes_share_one_schedule(arrivals: Arrivals) -> None:
    whole = schedule_ns(300, arrivals, 1.0, seed=3)
    shares = [schedule_ns(300, arrivals, 1.0, 3, process, 4) for process in range(4)]
    assert sorted(itertools.chain(*shares)) == whole
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_seed_gives_the_same_moments_and_another_others() -> None:
    assert schedule_ns(50, "poisson", 1.0, 1) == schedule_ns(50, "poisson", 1.0, 1)
    assert schedule_ns(50, "poisson", 1.0, 1) != schedule_ns(50, "poisson", 1.0, 2)
    assert schedule_ns(50, "poisson", 1.0, 1)[0] != 2 * schedule_ns(100, "poisson", 1.0, 1)[0]


def test_nothing_is_due_in_no_time() -> None:
    assert schedule_ns(1, "constant", 0.5, 1) == []
