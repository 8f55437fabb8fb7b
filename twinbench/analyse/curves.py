"""One measure of one target and scenario over the loads, and what it means."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

from twinbench.analyse.capacity import capacity, objective
from twinbench.analyse.cells import Cell
from twinbench.analyse.points import point
from twinbench.analyse.predictions import prediction
from twinbench.analyse.results import Curve
from twinbench.plan import Load, Plan, Scenario, loads_of

# One load of a curve, with all cells measured there.
Measured = tuple[Load, list[Cell]]


def curves(plan: Plan, cells: Sequence[Cell]) -> list[Curve]:
    """A curve for each scenario, kind of load and target, in the plan's order."""
    there: dict[tuple[str, str, Load], list[Cell]] = defaultdict(list)
    for cell in cells:
        there[cell.result.scenario, cell.result.target, cell.result.load].append(cell)
    return [
        _curve(plan, scenario, target, measured)
        for scenario in plan.scenarios
        for loads in _by_kind(scenario)
        for target in plan.targets_of(scenario)
        if (measured := [(load, there[scenario.name, target, load]) for load in loads])
    ]


def _by_kind(scenario: Scenario) -> list[list[Load]]:
    return [list(loads) for _, loads in groupby(loads_of(scenario), key=lambda load: load.kind)]


def _curve(plan: Plan, scenario: Scenario, target: str, measured: Sequence[Measured]) -> Curve:
    points = [point(load, cells) for load, cells in measured]
    curve = Curve(
        target=target,
        scenario=scenario.name,
        load_kind=measured[0][0].kind,
        points=points,
        objective=objective(points, plan.slo_ms),
    )
    if curve.load_kind == "open":
        return curve
    curve.capacity = capacity(points)
    # Of requests that are not timed the service time is not known, and so not the mean of all.
    if not any(request.background for request in scenario.requests):
        results = [cell.result for _, cells in measured for cell in cells]
        curve.prediction = prediction(points, results)
    return curve
