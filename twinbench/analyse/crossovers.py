"""Where the candidate overtakes the baseline as the load grows.

Who is ahead is taken from the loads at which a comparison is decided, or at which one of the two
stopped answering. Between the last load of the one and the first of the other, the ratio and its
interval are interpolated, on logarithms of load and of ratio: the one is overtaken where the ratio
crosses 1, somewhere between where the interval first holds 1 and where it last does.

Of several changes the last one is told: it is the one that holds to the end of the range.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from math import log
from statistics import geometric_mean
from typing import NamedTuple

from twinbench.analyse.results import METRICS, MORE_IS_BETTER, Comparison, Crossover, Metric
from twinbench.plan import LoadKind, Plan, loads_of

# Loads, ascending or descending, with a logarithm at each.
Line = Sequence[tuple[float, float]]


class _Lead(NamedTuple):
    """How far one of the two is ahead at a load: the logarithm of the ratio with its interval,
    above 0 where it is the better one."""

    load: float
    low: float
    estimate: float
    high: float


def crossovers(plan: Plan, compared: Sequence[Comparison]) -> list[Crossover]:
    """One for each scenario, kind of load, candidate and metric."""
    groups: dict[tuple[str, LoadKind, str, Metric], list[Comparison]] = defaultdict(list)
    for one in sorted(compared, key=lambda comparison: comparison.load.value):
        groups[one.scenario, one.load.kind, one.candidate, one.metric].append(one)
    return [
        _crossover(group)
        for scenario in plan.scenarios
        for kind in dict.fromkeys(load.kind for load in loads_of(scenario))
        for candidate in plan.targets_of(scenario)[1:]
        for metric in METRICS
        if (group := groups[scenario.name, kind, candidate, metric])
    ]


def _crossover(group: Sequence[Comparison]) -> Crossover:
    """Of comparisons that differ in load only, by load."""
    first = group[0]
    crossover = Crossover(
        scenario=first.scenario,
        load_kind=first.load.kind,
        metric=first.metric,
        baseline=first.baseline,
        candidate=first.candidate,
        found="not known",
    )
    decided = [(n, who) for n, comparison in enumerate(group) if (who := _ahead(comparison))]
    changes = [(one, other) for one, other in pairwise(decided) if one[1] != other[1]]
    if changes:
        (begin, _), (end, winner) = changes[-1]
        crossover.found = "crossover" if winner == first.candidate else "reverse"
        crossover.low, crossover.at, crossover.high = _overtaken(group[begin : end + 1], winner)
    elif decided:
        crossover.found, crossover.ahead = "none", decided[0][1]
    return crossover


def _ahead(comparison: Comparison) -> str | None:
    if comparison.survivor:
        return comparison.survivor
    ahead = {"faster": comparison.candidate, "slower": comparison.baseline}
    return ahead.get(comparison.decision)


def _overtaken(span: Sequence[Comparison], winner: str) -> tuple[float, float | None, float]:
    """From which load on the other is no longer sure to be ahead; where `winner` overtakes it
    (None if one of them stopped answering there); from which load on `winner` is sure to be.
    `span`: from the last load at which the other is ahead to the first at which `winner` is."""
    leads = [_lead(comparison, winner) for comparison in span]
    known = [lead for lead in leads if lead]
    low, high = float(span[0].load.value), float(span[-1].load.value)
    at = None
    if leads[0]:
        low = _reaches_0([(lead.load, lead.high) for lead in known])
    if leads[-1]:
        high = _reaches_0([(lead.load, -lead.low) for lead in reversed(known)])
    if leads[0] and leads[-1]:
        at = geometric_mean(_crossings([(lead.load, lead.estimate) for lead in known]))
    return low, at, high


def _lead(comparison: Comparison, winner: str) -> _Lead | None:
    """None where the two are not comparable."""
    ratio = comparison.ratio
    if comparison.decision == "not comparable" or not (ratio and ratio.low and ratio.high):
        return None
    low, estimate, high = log(ratio.low), log(ratio.estimate), log(ratio.high)
    if (winner == comparison.candidate) == (comparison.metric in MORE_IS_BETTER):
        return _Lead(comparison.load.value, low, estimate, high)
    return _Lead(comparison.load.value, -high, -estimate, -low)


def _reaches_0(line: Line) -> float:
    """The first load at which the line is not below 0; the last load if it is so everywhere."""
    if line[0][1] >= 0:
        return line[0][0]
    return next(iter(_crossings(line)), line[-1][0])


def _crossings(line: Line) -> list[float]:
    """The loads at which the line, drawn from point to point, crosses 0."""
    return [
        load * (following / load) ** (here / (here - there))
        for (load, here), (following, there) in pairwise(line)
        if (here < 0) != (there < 0)
    ]
