"""Curves: one target and scenario over the loads of one kind, with what follows from them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twinbench.analyse.results import (
    PERCENTS,
    Capacity,
    CellResult,
    Curve,
    Estimate,
    Objective,
    Point,
    Prediction,
)
from twinbench.analyse.statistics import geometric_mean
from twinbench.analyse.window import AnalysedCell, percentiles
from twinbench.plan import Load, Plan, Scenario, loads_of

Pool = Literal["threads", "connections"]
POOLS: tuple[Pool, ...] = ("threads", "connections")
# A prediction is known to some per cent: a limit that is exceeded by more than the one is none; of
# one that is missed by more than the other, something else is the limit.
EXCEEDED, REACHED = 1.1, 0.75


def curves(plan: Plan, cells: Sequence[AnalysedCell]) -> list[Curve]:
    """Return a curve for each scenario, kind of load and target, in the plan's order."""
    groups: dict[tuple[str, str, Load], list[AnalysedCell]] = defaultdict(list)
    for cell in cells:
        groups[cell.result.scenario, cell.result.target, cell.result.load].append(cell)
    return [
        _curve(plan, scenario, target, [(load, groups[scenario.name, target, load]) for load in of])
        for scenario in plan.scenarios
        for of in loads_by_kind(scenario)
        for target in plan.targets_of(scenario)
    ]


def loads_by_kind(scenario: Scenario) -> list[list[Load]]:
    """Return the closed loads of a scenario, and the open ones, if there are any."""
    return [list(loads) for _, loads in groupby(loads_of(scenario), key=lambda load: load.kind)]


def _curve(
    plan: Plan, scenario: Scenario, target: str, cells: Sequence[tuple[Load, list[AnalysedCell]]]
) -> Curve:
    points = [point(load, of_load) for load, of_load in cells]
    kind = cells[0][0].kind
    # The service time of background requests is not known, and so not the mean of all requests.
    predictable = kind == "closed" and not any(r.background for r in scenario.requests)
    results = [cell.result for _, of_load in cells for cell in of_load]
    return Curve(
        target=target,
        scenario=scenario.name,
        load_kind=kind,
        points=points,
        capacity=capacity(points) if kind == "closed" else None,
        objective=objective(points, plan.slo_ms),
        prediction=prediction(points, results) if predictable else None,
    )


def point(load: Load, cells: Sequence[AnalysedCell]) -> Point:
    """Return the point of all cells of one target and scenario at one load.

    Compared figures are means over blocks, with an interval. Percentiles of `response_ms` and
    `service_ms` are of all blocks' requests together: a tail needs more samples than one block has.
    """
    valid = [cell for cell in cells if cell.result.status == "valid"]
    results = [cell.result for cell in valid]
    collapsed = sum(cell.result.status == "collapsed" for cell in cells)
    response_ms = percentiles(_concatenate(cell.response_ms for cell in valid), PERCENTS)
    pooled = dict(zip(PERCENTS, response_ms, strict=True))
    return Point(
        value=load.value,
        status="collapsed" if collapsed else "valid" if valid else "invalid",
        blocks=len(valid),
        collapsed=collapsed,
        # At a few arrivals per second, all responses may arrive after the window.
        throughput_rps=geometric_mean([r.throughput_rps for r in results if r.throughput_rps]),
        per_cpu_s=geometric_mean([r.per_cpu_s for r in results if r.per_cpu_s]),
        p50_ms=_over_blocks([r.latency_ms.p50 for r in results], pooled[50]),
        p99_ms=_over_blocks([r.latency_ms.p99 for r in results], pooled[99]),
        max_ms=max(_known(r.latency_ms.max for r in results), default=None),
        server_cpu=_mean(r.server_cpu for r in results),
        server_cpu_ms=_mean(r.server_cpu_ms for r in results),
        response_ms=response_ms,
        service_ms=percentiles(_concatenate(cell.service_ms for cell in valid), PERCENTS),
    )


def _concatenate(blocks: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate([np.empty(0), *blocks])


def _over_blocks(of_blocks: Sequence[float | None], pooled: float | None) -> Estimate | None:
    """Return the mean over blocks if all have a value; else the pooled one, without an interval.

    A block's value is None with too few samples, and 0 if the clock is too coarse.
    """
    known = [value for value in of_blocks if value]
    if known and len(known) == len(of_blocks):
        return geometric_mean(known)
    return None if pooled is None else Estimate(estimate=pooled)


def _mean(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def capacity(points: Sequence[Point]) -> Capacity | None:
    """Return the highest throughput of the valid points of a closed curve; None without one.

    Of equal ones that at the lower load. Points with collapses do not count, however high the
    throughput of their other blocks: a capacity is what can be relied upon.
    """
    valid = [(p.throughput_rps, p.value) for p in points if p.status == "valid"]
    known = [(estimate, value) for estimate, value in valid if estimate]
    if not known:
        return None
    best, value = max(known, key=lambda pair: pair[0].estimate)
    higher = [p for p in points if p.value > value]
    at_edge = all(p.status == "invalid" for p in higher)
    return Capacity(value=value, throughput_rps=best, at_edge=at_edge)


def objective(points: Sequence[Point], slo_ms: float) -> Objective:
    """Return the highest load up to which every load meets p99 <= `slo_ms`; `points` by load."""
    highest = None
    for each in points:
        if (met := _meets(each, slo_ms)) != "met":
            return Objective(slo_ms=slo_ms, value=highest, until=met)
        highest = each.value
    return Objective(slo_ms=slo_ms, value=highest, until="range")


def _meets(of: Point, slo_ms: float) -> Literal["met", "missed", "collapsed", "not known"]:
    """Compare the p99. Without one the maximum may meet the SLO, a lower percentile miss it."""
    if of.status != "valid":
        return "collapsed" if of.status == "collapsed" else "not known"
    if of.p99_ms:
        return "met" if of.p99_ms.estimate <= slo_ms else "missed"
    if of.max_ms is not None and of.max_ms <= slo_ms:
        return "met"
    lower = [ms for p, ms in zip(PERCENTS, of.response_ms, strict=True) if p < 99 and ms]
    return "missed" if any(ms > slo_ms for ms in lower) else "not known"


def prediction(points: Sequence[Point], cells: Sequence[CellResult]) -> Prediction | None:
    """Return the throughput that threads or connections allow: N of them, held for t, serve N / t.

    t is the mean service time at the lowest load, without waiting for others. A request that does
    not hold one for all of t exceeds the prediction, which is left out then. The lower limit of
    those that were reached: a request waited for one, and the throughput came near. `cells` are
    all of the curve's.

    Source: P. J. Denning and J. P. Buzen, The Operational Analysis of Queueing Network Models, ACM
    Computing Surveys 10(3), 1978.
    """
    valid = [cell for cell in cells if cell.status == "valid"]
    service = [(c.load.value, c.service_ms.mean) for c in valid if c.service_ms.mean]
    max_rps = max((p.throughput_rps.estimate for p in points if p.throughput_rps), default=0.0)
    if not service or not max_rps:
        return None
    lowest = min(load for load, _ in service)
    held_ms = fmean(mean_ms for load, mean_ms in service if load == lowest)
    usable = [cell for cell in cells if cell.status != "invalid"]
    found = [
        Prediction(by=pool, limit=limit, held_ms=held_ms, rps=1e3 * limit / held_ms)
        for pool in POOLS
        if (limit := _exhausted(usable, pool))
        and REACHED <= max_rps * held_ms / (1e3 * limit) <= EXCEEDED
    ]
    return min(found, key=lambda each: each.rps, default=None)


def _exhausted(cells: Sequence[CellResult], pool: Pool) -> int:
    """Return the most in use, of cells in which a request waited for one; else 0."""
    waited = [cell for cell in cells if getattr(cell, f"{pool}_waiting_max")]
    return max((getattr(cell, f"{pool}_used_max") or 0 for cell in waited), default=0)
