"""Where one overtakes the other: planted crossings are found, and none where there is none."""

import math

import numpy as np
import pytest

from tests.support import runs
from twinbench.analyse.crossovers import crossovers
from twinbench.analyse.intervals import geometric
from twinbench.analyse.results import MORE_IS_BETTER, Comparison, Crossover, Estimate, Metric
from twinbench.plan import Load

LOADS = (1, 8, 32, 64, 128, 256)
# The sd of the logarithm of a ratio of two cells of 2 s, paired in a block, as measured here.
NOISE = 0.08
BLOCKS = 5

Ratio = tuple[float, float, float]


def compared(
    load: int, ratio: Ratio | None, metric: Metric = "throughput", survivor: str | None = None
) -> Comparison:
    """async against sync at a load: a ratio with its interval, decided as far as that excludes 1
    by 3 %; None: not comparable."""
    more, decided = metric in MORE_IS_BETTER, "not comparable"
    if ratio:
        low, _, high = ratio
        above, below = ("faster", "slower") if more else ("slower", "faster")
        decided = above if low > 1.03 else below if high < 1 / 1.03 else "no difference shown"
    values = dict(zip(("low", "estimate", "high"), ratio, strict=True)) if ratio else None
    return Comparison.model_validate(
        {
            "scenario": "noop",
            "load": Load("closed", load),
            "metric": metric,
            "baseline": "sync",
            "candidate": "async",
            "ratio": values,
            "blocks": BLOCKS,
            "decision": decided,
            "survivor": survivor,
            "reasons": [],
        }
    )


def fell(load: int, survivor: str | None) -> Comparison:
    return compared(load, None, survivor=survivor)


def found(*comparisons: Comparison) -> Crossover:
    (one,) = crossovers(runs.plan(), comparisons)
    return one


def where(crossover: Crossover) -> tuple[float | None, ...]:
    return crossover.low, crossover.at, crossover.high


BEHIND, EVEN, AHEAD = (0.64, 0.8, 0.9), (0.9, 1.02, 1.2), (1.25, 1.5625, 2.0)


def test_the_candidate_overtakes_where_the_interpolated_ratio_is_1() -> None:
    # From 16 to 64 users the estimate goes from 1 / 2 to 2, the bounds from 1 / 4 and 1 / 1.4142 to
    # 1.4142 and 4: on logarithms 1 is reached half way, by the bounds a fifth of the way apart.
    root = math.sqrt(2)
    one = found(compared(16, (1 / 4, 1 / 2, 1 / root)), compared(64, (root, 2, 4)))
    assert (one.found, one.ahead) == ("crossover", "")
    assert where(one) == pytest.approx((16 * 4 ** (1 / 5), 32, 16 * 4 ** (4 / 5)))
    assert (one.scenario, one.load_kind, one.metric) == ("noop", "closed", "throughput")
    assert (one.baseline, one.candidate) == ("sync", "async")


def test_the_other_way_round_is_a_reverse_at_the_same_load() -> None:
    there = found(compared(16, BEHIND), compared(64, AHEAD))
    turned = [(1 / high, 1 / mid, 1 / low) for low, mid, high in (BEHIND, AHEAD)]
    back = found(compared(16, turned[0]), compared(64, turned[1]))
    assert (there.found, back.found) == ("crossover", "reverse")
    assert where(back) == pytest.approx(where(there))


@pytest.mark.parametrize("metric", ["p50", "p99"])
def test_of_latency_less_is_better(metric: Metric) -> None:
    one = found(compared(16, AHEAD, metric), compared(64, BEHIND, metric))
    assert one.found == "crossover"
    other = found(compared(16, BEHIND, metric), compared(64, AHEAD, metric))
    assert other.found == "reverse"
    assert one.at
    assert other.at
    assert 16 < one.at < 64
    assert one.at * other.at == pytest.approx(16 * 64)  # mirrored


def test_where_nothing_is_decided_in_between_the_interval_is_wide() -> None:
    near = found(compared(8, BEHIND), compared(64, AHEAD))
    wide = found(compared(8, BEHIND), compared(16, EVEN), compared(32, EVEN), compared(64, AHEAD))
    assert wide.found == "crossover"
    assert None not in where(near) + where(wide)
    assert 8 < (wide.low or 0) < 16 < 32 < (wide.high or 0) < 64
    assert 8 < (wide.at or 0) < 16  # EVEN is above 1 by its estimate


def test_what_is_not_comparable_is_passed_over() -> None:
    with_gap = found(compared(8, BEHIND), compared(16, None), compared(64, AHEAD))
    assert where(with_gap) == where(found(compared(8, BEHIND), compared(64, AHEAD)))
    alone = compared(16, None).model_copy(update={"ratio": Estimate(estimate=9.0)})
    assert where(found(compared(8, BEHIND), alone, compared(64, AHEAD))) == where(with_gap)


def test_all_who_are_ahead_are_one() -> None:
    one = found(compared(1, EVEN), compared(8, AHEAD), compared(64, EVEN), compared(128, AHEAD))
    assert (one.found, one.ahead, *where(one)) == ("none", "async", None, None, None)
    assert found(compared(1, BEHIND)).ahead == "sync"


def test_nothing_decided_is_nothing_known() -> None:
    one = found(compared(1, EVEN), compared(8, None), fell(64, None))
    assert (one.found, one.ahead, *where(one)) == ("not known", "", None, None, None)


def test_who_survives_is_ahead_and_overtakes_somewhere_before() -> None:
    # Sync answers faster up to 32 users, and not at all from 64 on.
    one = found(compared(8, BEHIND), compared(32, BEHIND), fell(64, "async"), fell(128, "async"))
    assert one.found == "crossover"
    assert where(one) == (32, None, 64)
    assert found(compared(8, AHEAD), fell(64, "async")).ahead == "async"
    # Where it is not sure at 16 any more that it is faster, it may have been overtaken before.
    unsure = found(compared(8, BEHIND), compared(16, EVEN), fell(64, "async"))
    assert unsure.at is None
    assert unsure.high == 64
    assert 8 < (unsure.low or 0) < 16


def test_after_a_fall_of_the_candidate_it_may_be_ahead_again() -> None:
    one = found(fell(8, "sync"), compared(32, AHEAD))
    assert (one.found, *where(one)) == ("crossover", 8, None, 32)
    assert where(found(fell(8, "sync"), fell(64, "async"))) == (8, None, 64)


def test_of_several_changes_the_last_is_told() -> None:
    one = found(compared(1, BEHIND), compared(8, AHEAD), compared(64, BEHIND))
    assert one.found == "reverse"
    assert where(one) == where(found(compared(8, AHEAD), compared(64, BEHIND)))


def test_loads_are_taken_in_order_and_metrics_apart() -> None:
    both = [compared(64, AHEAD), compared(16, BEHIND), compared(16, AHEAD, "p50")]
    throughput, p50 = crossovers(runs.plan(), both)
    assert (throughput.found, throughput.metric) == ("crossover", "throughput")
    assert (p50.found, p50.metric, p50.ahead) == ("none", "p50", "sync")


def simulated(rng: np.random.Generator, crossing: float, slope: float) -> Crossover:
    """From blocks with noise, as a run would have them: the ratio grows by `slope`, on logarithms,
    with each doubling of the load, and is 1 at `crossing`."""

    def ratio_at(load: int) -> Ratio:
        noise = rng.normal(0, NOISE, BLOCKS)
        ratio = geometric(np.exp(slope * math.log2(load / crossing) + noise).tolist())
        assert ratio
        assert ratio.low
        assert ratio.high
        return ratio.low, ratio.estimate, ratio.high

    return found(*(compared(load, ratio_at(load)) for load in LOADS))


def test_the_interval_holds_a_planted_crossing() -> None:
    rng = np.random.default_rng(20260117)
    seen, held, told = 0, 0, []
    for _ in range(400):
        crossing = math.exp(rng.uniform(math.log(8), math.log(128)))
        one = simulated(rng, crossing, slope=0.3)
        if one.found == "crossover" and one.low and one.at and one.high:
            seen += 1
            held += one.low <= crossing <= one.high
            told.append(math.log2(one.at / crossing))
    assert seen > 380
    assert held / seen > 0.9
    assert abs(float(np.mean(told))) < 0.05  # on neither side of the truth


def test_of_noise_alone_no_crossing_is_made() -> None:
    rng = np.random.default_rng(20260117)
    made = [simulated(rng, 1.0, slope=0.0).found for _ in range(400)]
    assert made.count("not known") > 0.9 * len(made)
    assert made.count("crossover") + made.count("reverse") <= 2


def test_users_and_arrivals_are_apart() -> None:
    plan = runs.plan(
        scenarios=[{"name": "noop", "requests": [{"path": "/"}], "closed": [1], "open": [9]}]
    )
    arrivals = compared(9, AHEAD).model_copy(update={"load": Load("open", 9)})
    closed, opened = crossovers(plan, [arrivals, compared(1, BEHIND)])
    assert (closed.load_kind, closed.ahead) == ("closed", "sync")
    assert (opened.load_kind, opened.ahead) == ("open", "async")
