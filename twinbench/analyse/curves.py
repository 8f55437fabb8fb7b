"""One measure of one target and scenario over the loads, pooled and spread over blocks."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from twinbench.analyse.cells import Cell, percentile
from twinbench.analyse.intervals import geometric
from twinbench.analyse.results import Curve, Estimate, Point
from twinbench.plan import Load, LoadKind, Plan, Scenario, loads_of


def curves(plan: Plan, cells: Sequence[Cell]) -> list[Curve]:
    """A curve for each scenario, kind of load and target, in the plan's order."""
    return [
        Curve(
            target=target,
            scenario=scenario.name,
            load_kind=kind,
            points=[_point(load, _cells_at(cells, scenario.name, target, load)) for load in loads],
        )
        for scenario in plan.scenarios
        for kind, loads in _by_kind(scenario)
        for target in plan.targets_of(scenario)
    ]


def _by_kind(scenario: Scenario) -> list[tuple[LoadKind, list[Load]]]:
    grouped = groupby(loads_of(scenario), key=lambda load: load.kind)
    return [(kind, list(loads)) for kind, loads in grouped]


def _cells_at(cells: Sequence[Cell], scenario: str, target: str, load: Load) -> list[Cell]:
    wanted = (scenario, target, load)
    return [
        cell
        for cell in cells
        if (cell.result.scenario, cell.result.target, cell.result.load) == wanted
    ]


def _point(load: Load, cells: Sequence[Cell]) -> Point:
    valid = [cell for cell in cells if cell.result.status == "valid"]
    collapsed = sum(cell.result.status == "collapsed" for cell in cells)
    return Point(
        value=load.value,
        status="collapsed" if collapsed else "valid" if valid else "void",
        blocks=len(valid),
        collapsed=collapsed,
        throughput_rps=geometric(_above_zero(valid)),
        p50_ms=_percentile(valid, 50),
        p99_ms=_percentile(valid, 99),
        max_ms=max((cell.result.latency_ms.max or 0.0 for cell in valid), default=None),
        server_cpu=_mean([cell.result.server_cpu for cell in valid]),
        server_cpu_ms=_mean([cell.result.server_cpu_ms for cell in valid]),
    )


def _above_zero(cells: Sequence[Cell]) -> list[float]:
    """Throughputs. Of a few arrivals a second all may be answered after the window: none in it."""
    return [cell.result.throughput_rps for cell in cells if cell.result.throughput_rps]


def _percentile(cells: Sequence[Cell], p: int) -> Estimate | None:
    """Over blocks where each has samples enough; else from all blocks' requests together,
    without an interval; else nothing."""
    own = [percentile(cell.responses_ms, p) for cell in cells]
    told = [value for value in own if value is not None]
    if told and len(told) == len(cells):
        return geometric(told)
    if not cells:
        return None
    pooled = percentile(np.concatenate([cell.responses_ms for cell in cells]), p)
    return None if pooled is None else Estimate(estimate=pooled)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
