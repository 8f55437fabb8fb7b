"""How much a target can do: its highest good throughput, and its highest load within the SLO."""

from collections.abc import Sequence
from typing import Literal

from twinbench.analyse.results import PERCENTS, Capacity, Objective, Point

Met = Literal["met", "missed", "collapsed", "not known"]


def capacity(points: Sequence[Point]) -> Capacity | None:
    """The highest estimate among the points of a closed curve that are valid; the lower load of
    two equal ones. None without a valid point.

    A point at which the server stopped answering in some blocks does not count, however much it
    did in the others: a capacity is what can be relied upon."""
    sure = [(p.throughput_rps, p.value) for p in points if p.status == "valid" and p.throughput_rps]
    if not sure:
        return None
    best, value = max(sure, key=lambda found: found[0].estimate)
    beyond = [p for p in points if p.value > value]
    return Capacity(
        value=value, throughput_rps=best, at_edge=all(p.status == "invalid" for p in beyond)
    )


def objective(points: Sequence[Point], slo_ms: float) -> Objective:
    """The highest load up to which every load meets p99 <= `slo_ms`; `points` by load."""
    highest = None
    missed = next((point.value for point in points if _meets(point, slo_ms) == "missed"), None)
    for point in points:
        if (met := _meets(point, slo_ms)) != "met":
            return Objective(slo_ms=slo_ms, value=highest, until=met, missed=missed)
        highest = point.value
    return Objective(slo_ms=slo_ms, value=highest, until="range")


def _meets(point: Point, slo_ms: float) -> Met:
    """By the estimate of the p99, be it of all blocks together and so without an interval. Where
    there are too few samples for one: met if not even the slowest answer took longer, missed if a
    lower percentile does."""
    if point.status != "valid":
        return "collapsed" if point.status == "collapsed" else "not known"
    if point.p99_ms:
        return "met" if point.p99_ms.estimate <= slo_ms else "missed"
    if point.max_ms is not None and point.max_ms <= slo_ms:
        return "met"
    lower = [ms for p, ms in zip(PERCENTS, point.response_ms, strict=True) if p < 99 and ms]
    return "missed" if any(ms > slo_ms for ms in lower) else "not known"
