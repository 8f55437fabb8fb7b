"""Expected values against cases worked out by hand; bounds."""

import numpy as np
import pytest

from tests.instrument import MissingDataError, checks

pytestmark = pytest.mark.smoke


def test_exponential_services_wait_twice_as_long_as_constant() -> None:
    exponential = np.random.default_rng(1).exponential(2.0, 400_000)
    constant = checks.pollaczek_khinchine(0.25, np.full(10, 2.0))
    assert constant == pytest.approx(1.0)  # 0.25 x 4 / (2 x 0.5)
    assert checks.pollaczek_khinchine(0.25, exponential) == pytest.approx(2 * constant, rel=0.02)


def test_erlang_c_of_one_and_two_slots() -> None:
    # One slot: rho S / (1 - rho). Two: rho^2 S / (1 - rho^2).
    assert checks.erlang_c(1, 0.3, 2.0) == pytest.approx(0.6 * 2 / 0.4)
    assert checks.erlang_c(2, 0.6, 2.0) == pytest.approx(0.36 * 2 / (1 - 0.36))


def test_waits_of_a_few_requests_by_hand() -> None:
    arrivals, services = np.array([0.0, 1.0, 2.0, 20.0]), np.array([5.0, 3.0, 1.0, 1.0])
    assert checks.waits(arrivals, services).tolist() == [0, 4, 6, 0]
    assert checks.waits(arrivals, services, 2).tolist() == [0, 0, 2, 0]


@pytest.mark.parametrize(("slots", "rate", "rel"), [(1, 0.5, 0.05), (40, 36, 0.2)])
def test_the_recursion_agrees_with_the_formulas(slots: int, rate: float, rel: float) -> None:
    rng = np.random.default_rng(2)
    arrivals = np.cumsum(rng.exponential(1 / rate, 200_000))
    services = rng.exponential(1.0, 200_000)
    expected = checks.erlang_c(slots, rate, 1.0)
    assert checks.waits(arrivals, services, slots).mean() == pytest.approx(expected, rel=rel)
    if slots == 1:
        assert checks.pollaczek_khinchine(rate, services) == pytest.approx(expected, rel=rel)


def test_the_interval_of_a_batch_mean_covers_the_mean() -> None:
    rng = np.random.default_rng(3)
    means = [checks.batch_mean(rng.exponential(1.0, 400)) for _ in range(400)]
    # One in a thousand, a little more for skewed batches.
    assert sum(abs(mean.value - 1) > mean.reach for mean in means) <= 5
    assert checks.batch_mean(rng.exponential(1.0, 40_000)).reach < 0.05


def test_exponential_gaps_pass_and_others_do_not() -> None:
    rng = np.random.default_rng(4)
    distances = [checks.anderson_darling(rng.exponential(3.0, 500)) for _ in range(1000)]
    assert sum(distance > checks.ANDERSON_DARLING_MOST for distance in distances) <= 4
    # One in twenty exceeds 1.321 (Stephens 1974): our correction is that of his table.
    assert 25 <= sum(distance > 1.321 for distance in distances) <= 80
    for other in (rng.uniform(0, 2, 500), rng.exponential(3.0, 500) + 0.5):
        assert checks.anderson_darling(other) > checks.ANDERSON_DARLING_MOST


def test_dependent_gaps_are_found() -> None:
    gaps = np.random.default_rng(5).exponential(1.0, 2000)
    assert abs(checks.serial_dependence(gaps)) < checks.NORMAL_MOST
    assert checks.serial_dependence(gaps[:-1] + gaps[1:]) > checks.NORMAL_MOST


def test_a_figure_that_is_not_finite_cannot_be_checked() -> None:
    with pytest.raises(MissingDataError, match="wait: nothing to compare"):
        checks.within("wait", "ms", float("nan"), 1)
