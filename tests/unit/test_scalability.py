"""The Universal Scalability Law: planted parameters must come out of a fit."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.points import fallen, point
from twinbench.analyse.results import Point, Usl
from twinbench.analyse.scalability import scalability

LOADS = (1, 8, 32, 64, 128, 256)
NOISE = 0.05  # of a point's throughput over five blocks, as measured here


def planted(users: int, rate: float, contention: float, coherency: float) -> float:
    """The law by itself, as Gunther writes it."""
    lost = contention * (users - 1) + coherency * users * (users - 1)
    return rate * users / (1 + lost)


def fitted(points: Sequence[Point]) -> Usl:
    usl = scalability(points)
    assert usl
    return usl


@pytest.mark.parametrize(
    ("rate", "contention", "coherency"),
    [
        (635.0, 0.9, 0.00004),  # a core that one user fills already
        (2757.0, 0.5, 0.002),
        (19.0, 0.02, 0.00001),  # a wait: all users at once, but for a little
        (19.0, 0.0, 0.0),  # all of them
        (100.0, 0.0, 0.001),
        (100.0, 0.3, 0.0),
    ],
)
def test_planted_parameters_are_recovered(rate: float, contention: float, coherency: float) -> None:
    usl = fitted([point(n, planted(n, rate, contention, coherency)) for n in LOADS])
    assert usl.rate_rps == pytest.approx(rate, rel=1e-3)
    assert usl.contention == pytest.approx(contention, rel=1e-3, abs=1e-5)
    assert usl.coherency == pytest.approx(coherency, rel=1e-3, abs=1e-7)
    assert usl.r2 == pytest.approx(1)
    assert (usl.low, usl.high) == (1, 256)


def test_with_noise_the_fit_is_nearer_to_the_law_than_the_points_are() -> None:
    rng = np.random.default_rng(20260117)
    true = [planted(n, 1000, 0.2, 0.0005) for n in LOADS]
    of_points, of_fit = [], []
    for _ in range(60):
        noisy = [rps * math.exp(rng.normal(0, NOISE)) for rps in true]
        usl = fitted([point(n, rps) for n, rps in zip(LOADS, noisy, strict=True)])
        assert usl.r2 > 0.95
        drawn = [planted(n, usl.rate_rps, usl.contention, usl.coherency) for n in LOADS]
        of_points.append(np.square(np.log(noisy) - np.log(true)).mean())
        of_fit.append(np.square(np.log(drawn) - np.log(true)).mean())
    # Three parameters from six points take up half of the variance.
    assert np.mean(of_fit) == pytest.approx(np.mean(of_points) / 2, rel=0.25)


@given(st.lists(st.floats(min_value=0.1, max_value=1e5), min_size=4, max_size=6))
def test_whatever_the_points_the_parameters_make_sense(rps: list[float]) -> None:
    usl = scalability([point(n, x) for n, x in zip(LOADS, rps, strict=False)])
    if usl is None:
        assert max(rps) == pytest.approx(min(rps), rel=1e-6)
        return
    assert usl.rate_rps > 0
    assert 0 <= usl.contention <= 1
    assert usl.coherency >= 0
    # It is never worse than a flat line, which is the law with a contention of 1.
    assert -1e-6 <= usl.r2 <= 1


def test_three_points_are_met_by_any_three_parameters() -> None:
    points = [point(1, 100), point(8, 500), point(32, 600)]
    assert scalability(points) is None
    assert scalability([*points, fallen(64, 100), point(128)]) is None
    assert scalability([*points, point(64, 610)])


def test_where_it_fell_it_is_not_fitted() -> None:
    points = [point(n, planted(n, 100, 0.1, 0.001)) for n in LOADS[:4]]
    usl = fitted([*points, fallen(128, 3)])
    assert usl.r2 == pytest.approx(1)
    assert (usl.low, usl.high) == (1, 64)


def test_of_a_flat_line_nothing_is_to_be_explained() -> None:
    assert scalability([point(n, 700) for n in LOADS]) is None
    assert scalability([point(n, 700 + 1e-10 * n) for n in LOADS]) is None
