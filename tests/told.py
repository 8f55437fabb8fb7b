"""Results as told: points, comparisons and timelines with known figures, nothing measured."""

from collections.abc import Mapping

from tests import runs
from twinbench.analyse.results import (
    PERCENTS,
    CellStatus,
    Comparison,
    Curve,
    Decision,
    Estimate,
    Metric,
    Point,
    Results,
    Timeline,
    Timing,
)
from twinbench.plan import Load, LoadKind, Plan

NO_PERCENTS: Mapping[float, float] = {}


def results(of: Plan, **parts: object) -> Results:
    """Of a run of `of`, empty but for `parts`."""
    made = runs.manifest(of)
    lists = ("cells", "curves", "comparisons", "crossovers", "claims", "timelines")
    values: dict[str, object] = {
        "run": "told",
        "plan": of,
        "timing": Timing(started="2026-01-17T12:00:00+00:00", elapsed_s=9, window_s=6, sessions=1),
        "missing_cells": 0,
        "self_check": None,
        "machine": made.machine,
        "versions": made.versions,
    }
    return Results.model_validate(values | {name: [] for name in lists} | parts)


def point(
    value: int,
    *,
    p50: float | None = None,
    p99: tuple[float, float, float] | None = None,
    response: Mapping[float, float] = NO_PERCENTS,
    service: Mapping[float, float] = NO_PERCENTS,
    status: CellStatus = "valid",
) -> Point:
    """`p99`: estimate, low, high; `response`, `service`: ms by percent."""
    return Point(
        value=value,
        status=status,
        blocks=3,
        collapsed=3 if status == "collapsed" else 0,
        throughput_rps=None,
        per_cpu_s=None,
        p50_ms=Estimate(estimate=p50) if p50 else None,
        p99_ms=Estimate(estimate=p99[0], low=p99[1], high=p99[2]) if p99 else None,
        max_ms=None,
        server_cpu=None,
        server_cpu_ms=None,
        response_ms=[response.get(percent) for percent in PERCENTS],
        service_ms=[service.get(percent) for percent in PERCENTS],
    )


def curve(target: str, kind: LoadKind, *points: Point, scenario: str = "noop") -> Curve:
    return Curve(target=target, scenario=scenario, load_kind=kind, points=list(points))


def comparison(
    load: Load,
    ratio: float | None,
    decision: Decision = "no difference shown",
    *,
    scenario: str = "noop",
    metric: Metric = "throughput",
    survivor: str | None = None,
) -> Comparison:
    return Comparison(
        scenario=scenario,
        load=load,
        metric=metric,
        baseline="sync",
        candidate="async",
        ratio=None if ratio is None else Estimate(estimate=ratio, low=ratio, high=ratio),
        blocks=3,
        decision=decision,
        survivor=survivor,
        reasons=[],
    )


def timeline(target: str, counts: list[list[int]], **changes: object) -> Timeline:
    """At 8 users; six bins of time, from half a second before a window of two seconds to as long
    after it; two bins of latency, from 1 over 10 to 100 ms."""
    values: dict[str, object] = {
        "cell": 1,
        "target": target,
        "scenario": "noop",
        "load": Load("closed", 8),
        "window_s": 2.0,
        "seconds": [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5],
        "latency_ms": [1.0, 10.0, 100.0],
        "counts": counts,
        "sampled_s": [],
        "loop_lag_ms": [],
        "threads_waiting": [],
        "connections_waiting": [],
    }
    return Timeline.model_validate(values | changes)
