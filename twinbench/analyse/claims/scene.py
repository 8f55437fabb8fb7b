"""Where claims are looked at: the scenarios of a run, if they are the very ones that are meant.

Claims name scenarios of the plan `full`. Another plan's count if they have the same name, send the
same requests, and are measured on our twins, set up alike: a scenario called "wait" of somebody
else's app must not be judged by sentences about ours.
"""

from functools import cache
from pathlib import Path
from typing import Literal

from twinbench.analyse.results import CellResult, Comparison, Metric, Results
from twinbench.paths import PLANS
from twinbench.plan import Load, Plan, Request, Scenario, Target, read_plan

App = Literal["sync", "async"]
OTHER: dict[App, App] = {"sync": "async", "async": "sync"}
TWINS = ["apps.sync_app.main:app", "apps.async_app.main:app"]
# What makes no other app of a target. Any other key may be the cause of what is seen.
FREE = {"name", "python", "telemetry", "differs"}


class Scene:
    """A scenario of a run, and which of its targets are our twins. Without cells if none are."""

    def __init__(self, results: Results, name: str) -> None:
        self.results, self.name = results, name
        twins = _twins(results.plan, name)
        self.is_ours = twins is not None
        self.targets: dict[App, str] = twins or {"sync": "sync", "async": "async"}

    def cells(self, load: Load, app: App | None = None) -> list[CellResult]:
        """Those of one app, or of both."""
        names = [name for which, name in self.targets.items() if app in (None, which)]
        return [
            cell
            for cell in self.results.cells
            if self.is_ours
            and (cell.scenario, cell.load) == (self.name, load)
            and cell.target in names
        ]

    def comparison(self, load: Load, metric: Metric) -> Comparison:
        """async against sync. There is one for every load and metric of a plan."""
        found = self.results.compared(self.name, load.kind, metric, self.targets["async"])
        return next(comparison for comparison in found if comparison.load == load)


def _twins(plan: Plan, name: str) -> dict[App, str] | None:
    """The targets of a scenario that are those of the same scenario of `full`: the `def` app, which
    has to be the baseline, and the `async def` app."""
    ours, found = _scenario(_full(), name), _scenario(plan, name)
    if not ours or not found or _work(ours) != _work(found):
        return None
    wanted = [_full().target(target) for target in _full().targets_of(ours)][:2]
    if [target.app for target in wanted] != TWINS:
        return None
    setups = [_setup(target) for target in wanted]
    baseline, *candidates = (plan.target(target) for target in plan.targets_of(found))
    same = [candidate.name for candidate in candidates if _setup(candidate) == setups[1]]
    if _setup(baseline) != setups[0] or not same:
        return None
    return {"sync": baseline.name, "async": same[0]}


@cache
def _full() -> Plan:
    return read_plan(PLANS / "full.toml")


def _scenario(plan: Plan, name: str) -> Scenario | None:
    return next((scenario for scenario in plan.scenarios if scenario.name == name), None)


def _work(scenario: Scenario) -> tuple[object, ...]:
    sent = [_request(request) for request in scenario.requests]
    return scenario.before, sent, scenario.arrivals, scenario.in_flight


def _request(request: Request) -> Request:
    """Files to upload by their names: where they lie is another place in every checkout."""
    files = {field: Path(path.name) for field, path in (request.upload or {}).items()}
    return request.model_copy(update={"upload": files})


def _setup(target: Target) -> dict[str, object]:
    return target.model_dump(exclude=FREE)
