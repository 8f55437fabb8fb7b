"""Who does not stop where another one does: the same app under the same load, set up otherwise."""

from collections.abc import Iterable
from dataclasses import dataclass

from twinbench.analyse.results import CellResult, Curve, Results
from twinbench.plan import Scenario, Target
from twinbench.report.survival import Fall

# What makes two scenarios one load, and what may differ between two set-ups of one app.
LOAD = ("before", "requests", "arrivals", "in_flight")
SETTINGS = {"name", "env", "differs"}


@dataclass(frozen=True)
class Spared:
    """`target` answers in `scenario` wherever `fallen` stops in that of `fall`."""

    fall: Fall
    fallen: str
    target: str
    scenario: str
    settings: str

    @property
    def said(self) -> str:
        return (
            f"in {self.scenario}, with the requests of {self.fall.scenario}, {self.target}, the"
            f" same app as {self.fallen} with other settings ({self.settings}), does not stop"
        )

    def cells(self, results: Results) -> list[CellResult]:
        return [
            cell
            for cell in results.cells
            if (cell.scenario, cell.target) == (self.scenario, self.target)
            and cell.load.kind == self.fall.kind
            and cell.load.value in self.fall.loads
            and cell.status == "valid"
        ]


def spared(results: Results, fall: Fall) -> list[Spared]:
    """In the plan's order; nobody who stops answering at any load."""
    plan = results.plan
    return [
        Spared(fall, name, curve.target, curve.scenario, _settings(target, other))
        for name in fall.fallen
        for curve in _elsewhere(results, fall)
        if _goes_on(curve, fall)
        and _same_app(target := plan.target(name), other := plan.target(curve.target))
    ]


def _elsewhere(results: Results, fall: Fall) -> Iterable[Curve]:
    """The curves of other scenarios with the same load, watched for as long."""
    plan = results.plan
    own = plan.scenario(fall.scenario)
    for scenario in plan.scenarios:
        long = plan.measure_s_of(scenario.name) >= plan.measure_s_of(own.name)
        if scenario.name != own.name and long and _load(scenario) == _load(own):
            yield from results.curves_of(scenario.name, fall.kind)


def _load(scenario: Scenario) -> list[object]:
    return [getattr(scenario, field) for field in LOAD]


def _goes_on(curve: Curve, fall: Fall) -> bool:
    answered = {point.value for point in curve.points if point.status == "valid"}
    return answered.issuperset(fall.loads) and not any(point.collapsed for point in curve.points)


def _same_app(target: Target, other: Target) -> bool:
    alike = target.model_dump(exclude=SETTINGS) == other.model_dump(exclude=SETTINGS)
    return bool(target.app) and alike and target.env != other.env


def _settings(target: Target, other: Target) -> str:
    """What `other` sets otherwise."""
    changed = {name: value for name, value in other.env.items() if target.env.get(name) != value}
    unset = [f"without {name}" for name in target.env if name not in other.env]
    return ", ".join([*(f"{name}={value}" for name, value in changed.items()), *unset])
