"""Time of a plan: how long it takes, what fits into a given time, and what that will show.

Without scipy: reading a plan must be quick.
"""

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

from twinbench.plan.models import Plan

# Beside warm-up and window: connecting, a longer warm-up at high loads, draining, writing. Measured
# on two cores, as the mean of the plan `bench`.
CELL_OVERHEAD_S = 0.3
# Beside that, of a locustfile: it is imported for each load, its users start, and those who wait
# between tasks warm up for as long.
LOCUSTFILE_S = 2.5
# With fewer blocks Student's t is so large that hardly anything can be shown; with more than these
# their overhead costs more than it narrows.
LEAST_BLOCKS, MOST_BLOCKS = 5, 20
# Shorter windows hold too few responses of a slow app.
LEAST_WINDOW_S = 0.5
# Of the time: what collapses, or drains slowly, takes longer than the mean.
RESERVE = 0.1
ALPHA, POWER, MARGIN = 0.05, 0.8, 0.03  # as in analyse/statistics.py


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of a log ratio, and where they come from.

    `window`: of two windows of one second; `process`: between pairs of fresh processes.
    """

    window: float
    process: float
    source: str

    def of_block(self, measure_s: float) -> float:
        """Return that of one block whose windows take `measure_s` for each target."""
        return math.hypot(self.process, self.window / math.sqrt(measure_s))


# docs/decisions/0019-targets-take-turns.md
USUAL_NOISE = Noise(0.07, 0.03, "a shared two-core machine")


def estimated_s(plan: Plan, start_s: float, setup_s: float = 0.0) -> float:
    """Return how long the measurements of `plan` take.

    `start_s`: for the start of a server; `setup_s`: for a setup request that is sent for each user.
    """
    return plan.blocks * (_beside_s(plan, start_s, setup_s) + sum(_windows_s(plan)))


def loads_at_once(plan: Plan) -> int:
    """Return at how many loads decisions are one family: those of the scenario with the most."""
    return max(max(len(scenario.closed), len(scenario.open)) for scenario in plan.scenarios)


def all_loads(plan: Plan) -> int:
    """Return at how many loads decisions are one family where versions are compared: all."""
    return sum(len(scenario.closed) + len(scenario.open) for scenario in plan.scenarios)


def fitted(
    plan: Plan,
    seconds: float,
    start_s: float,
    noise: Noise,
    setup_s: float = 0.0,
    among: int | None = None,
) -> Plan:
    """Return `plan` with the blocks and `measure_s` that show the smallest differences.

    `start_s`, `setup_s`: as in `estimated_s`; `among`: the number of decisions of one family, left
    out: `loads_at_once`. Scenarios with a `measure_s` of their own keep it. Raises ValueError, with
    the least time, if not even two blocks fit in `seconds`.
    """
    level = 1 - ALPHA / 2 / (among or loads_at_once(plan))
    own_s, cells = _windows_s(plan)[0], _cells_in_block(plan, own=False)
    beside_s = _beside_s(plan, start_s, setup_s)
    usable_s = (1 - RESERVE) * seconds
    best: tuple[float, int, float] | None = None
    for blocks in range(2, MOST_BLOCKS + 1):
        left_s = usable_s / blocks - beside_s - own_s
        measure_s = left_s / cells if cells else plan.measure_s
        if measure_s < LEAST_WINDOW_S or left_s < 0:
            break
        width = t_quantile(level, blocks - 1) * noise.of_block(measure_s) / blocks**0.5
        if best is None or blocks <= LEAST_BLOCKS or width < best[0]:
            best = width, blocks, measure_s
    if best is None:
        least_s = 2 * (beside_s + own_s + cells * LEAST_WINDOW_S) / (1 - RESERVE)
        raise ValueError(f"two blocks of this plan take {math.ceil(least_s)} s or more")
    _, blocks, measure_s = best
    return plan.model_copy(update={"blocks": blocks, "measure_s": round(measure_s, 2)})


def expected_difference(plan: Plan, noise: Noise, among: int | None = None) -> float:
    """Return the difference that `plan` will probably show at a load: decided in 4 cases of 5.

    As `analyse.statistics.smallest_difference`; `among` as in `fitted`.
    """
    loads, freedom = among or loads_at_once(plan), plan.blocks - 1
    if not freedom:
        return math.inf
    critical = t_quantile(1 - ALPHA / 2 / loads, freedom)
    # Noncentral t, by the approximation 26.7.10 of Abramowitz and Stegun.
    power_errors = NormalDist().inv_cdf(POWER)
    spread = math.sqrt(1 + critical**2 / (2 * freedom))
    errors = critical * (1 - 1 / (4 * freedom)) + power_errors * spread
    error = noise.of_block(plan.measure_s) / plan.blocks**0.5
    return math.expm1(min(math.log1p(MARGIN) + errors * error, 50.0))


@cache
def t_quantile(p: float, freedom: int) -> float:
    """Return the quantile of Student's t for 0.5 <= p < 1."""
    low, high = 0.0, 1.0
    while _t_probability(high, freedom) < p:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_probability(middle, freedom) < p else (low, middle)
    return high


def _t_probability(t: float, freedom: int) -> float:
    """Return the probability of values below `t` >= 0.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for n in range(1 + odd, freedom, 2):
        total += term
        term *= math.cos(angle) ** 2 * n / (n + 1)
    between = math.sin(angle) * total
    if odd:
        between = 2 / math.pi * (angle + between)
    return (1 + between) / 2


def _windows_s(plan: Plan) -> tuple[float, float]:
    """Return the seconds inside windows in a block: of scenarios with their own, and the rest."""
    own_s = sum(
        (scenario.measure_s or 0.0) * plan.count_in_block(scenario) for scenario in plan.scenarios
    )
    return own_s, plan.measure_s * _cells_in_block(plan, own=False)


def _cells_in_block(plan: Plan, *, own: bool) -> int:
    """Return the number of cells in a block with a `measure_s` of their own, or without."""
    of = [scenario for scenario in plan.scenarios if bool(scenario.measure_s) == own]
    return sum(map(plan.count_in_block, of))


def _beside_s(plan: Plan, start_s: float, setup_s: float) -> float:
    """Return the seconds in a block beside windows."""
    cells = _cells_in_block(plan, own=False) + _cells_in_block(plan, own=True)
    groups = [tuple(plan.targets_of(scenario)) for scenario in plan.scenarios]
    fresh = set(groups) if plan.fresh_servers == "block" else groups
    locust = sum(plan.count_in_block(s) for s in plan.scenarios if s.locustfile)
    starts_s = start_s * sum(map(len, fresh)) + setup_s * _setup_requests(plan)
    starts_s += locust * LOCUSTFILE_S
    return cells * (plan.warmup_s + CELL_OVERHEAD_S) + starts_s


def _setup_requests(plan: Plan) -> int:
    """Return the number of setup requests in a block that are sent for each user."""
    return sum(
        len(plan.targets_of(scenario)) * scenario.identities
        for scenario in plan.scenarios
        for request in scenario.setup
        if request.per == "user"
    )
