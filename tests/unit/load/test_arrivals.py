"""Schedule of an open load's arrivals."""

import itertools

import numpy as np
import pytest
from scipy import stats

from twinbench.load.arrivals import schedule_ns
from twinbench.plan import Arrivals

# A right schedule fails this seldom; with a fixed seed never by chance.
P = 0.001


def test_poisson_gaps_are_exponential_and_independent() -> None:
    gaps = np.diff(schedule_ns(1000, "poisson", 20.0, seed=7)) / 1e6
    assert stats.kstest(gaps, stats.expon(scale=1.0).cdf).pvalue > P
    assert stats.spearmanr(gaps[:-1], gaps[1:]).pvalue > P
    assert len(gaps) == pytest.approx(20_000, abs=4 * 20_000**0.5)


def test_constant_gaps_are_equal() -> None:
    times = schedule_ns(250, "constant", 2.0, seed=7)
    assert times[0] == 4_000_000
    assert len(times) in (499, 500)
    assert set(np.diff(times)) <= {3_999_999, 4_000_000, 4_000_001}
    assert schedule_ns(1, "constant", 0.5, 1) == []


@pytest.mark.parametrize("arrivals", ["poisson", "constant"])
def test_processes_share_one_schedule(arrivals: Arrivals) -> None:
    whole = schedule_ns(300, arrivals, 1.0, seed=3)
    shares = [schedule_ns(300, arrivals, 1.0, 3, process, 4) for process in range(4)]
    assert sorted(itertools.chain(*shares)) == whole
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_schedule_depends_on_seed_and_rate() -> None:
    assert schedule_ns(50, "poisson", 1.0, 1) == schedule_ns(50, "poisson", 1.0, 1)
    assert schedule_ns(50, "poisson", 1.0, 1) != schedule_ns(50, "poisson", 1.0, 2)
    assert schedule_ns(50, "poisson", 1.0, 1)[0] != 2 * schedule_ns(100, "poisson", 1.0, 1)[0]
