"""The external API's waits."""

import pytest

from apps.upstream import main as upstream


@pytest.mark.parametrize(
    ("query", "ms"),
    [("ms=50", 50.0), ("ms=0", 0.0), ("ms=10000", 10_000.0), ("ms=5&spread=0", 5.0)],
)
def test_a_fixed_wait_is_what_was_asked_for(query: str, ms: float) -> None:
    assert upstream.delay_ms(query) == ms


@pytest.mark.parametrize(
    "query", ["", "ms=-1", "ms=10001", "ms=x", "ms=nan", "ms=1&spread=4", "ms=1&more=2", "spread=1"]
)
def test_what_is_out_of_bounds_is_refused(query: str) -> None:
    assert upstream.delay_ms(query) is None


def test_spread_waits_are_lognormal_around_the_median_and_seeded() -> None:
    upstream.random.seed(upstream.SEED)
    once = [upstream.delay_ms("ms=50&spread=0.5") or 0 for _ in range(2000)]
    upstream.random.seed(upstream.SEED)
    again = [upstream.delay_ms("ms=50&spread=0.5") or 0 for _ in range(2000)]
    assert once == again
    # The median of 2,000 draws with sigma 0.5 strays by 1.4 %: five times that is allowed.
    assert sorted(once)[1000] == pytest.approx(50, rel=0.07)
    assert max(once) > 150
