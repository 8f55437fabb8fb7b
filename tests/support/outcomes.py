"""Results of a run whose outcome at each load is given: a ratio, a collapse, or nothing valid."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.support import factories
from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.curves import curves
from twinbench.analyse.results import CellResult, CellStatus, Results
from twinbench.analyse.window import AnalysedCell
from twinbench.plan import Cell, Load, Plan, cells

BASELINE_RPS, BASELINE_P99_MS = 1000.0, 20.0
REASONS: dict[CellStatus, list[str]] = {
    "valid": [],
    "invalid": ["half of the requests were sent late: lower the rate"],
    "collapsed": ["no response for 2 s"],
}


@dataclass(frozen=True)
class Outcome:
    """The outcome at one load.

    `ratio` is candidate / baseline, of throughput or of p99; from block to block it grows by
    `step`. The targets in `collapsed` collapse in the first `collapsed_blocks`.
    """

    ratio: float = 1.0
    step: float = 0.01
    collapsed: tuple[str, ...] = ()
    collapsed_blocks: int = 5
    invalid: bool = False


INVALID = Outcome(invalid=True)


def collapse(*targets: str, blocks: int = 5) -> Outcome:
    return Outcome(collapsed=targets, collapsed_blocks=blocks)


def no_difference(step: float = 0.04) -> Outcome:
    return Outcome(step=step)


@dataclass(frozen=True)
class Outcomes:
    """A scenario with the outcome of each load, or one for each candidate at each load."""

    scenario: str
    closed: Mapping[int, Outcome | Mapping[str, Outcome]] = field(default_factory=dict)
    open: Mapping[int, Outcome | Mapping[str, Outcome]] = field(default_factory=dict)
    targets: tuple[str, ...] = ("sync", "async")

    def at(self, load: Load) -> dict[str, Outcome]:
        """Return the outcome of each candidate, or of a single target."""
        found = (self.closed if load.kind == "closed" else self.open)[load.value]
        names = self.targets[1:] or self.targets
        return dict.fromkeys(names, found) if isinstance(found, Outcome) else dict(found)


def results_of(
    *outcomes: Outcomes, blocks: int = 5, targets: Sequence[Mapping[str, object]] = ()
) -> Results:
    """Return the results of a run with these outcomes; `targets` as in a plan."""
    plan = _plan(outcomes, blocks, targets)
    by_name = {one.scenario: one for one in outcomes}
    made = [_cell(cell, by_name[cell.scenario].at(cell.load), blocks) for cell in cells(plan)]
    made.sort(key=lambda cell: cell.id)
    analysed = [AnalysedCell(cell, np.empty(0), np.empty(0)) for cell in made]
    return factories.results(
        plan, cells=made, curves=curves(plan, analysed), comparisons=comparisons(plan, made)
    )


def with_scenarios(results: Results, **changes: Mapping[str, object]) -> Results:
    """Return the results with changes to scenarios, by their names."""
    scenarios = [s.model_copy(update=changes.get(s.name, {})) for s in results.plan.scenarios]
    plan = results.plan.model_copy(update={"scenarios": scenarios})
    return results.model_copy(update={"plan": plan})


def _plan(outcomes: Sequence[Outcomes], blocks: int, targets: Sequence[object]) -> Plan:
    names = dict.fromkeys(name for one in outcomes for name in one.targets)
    scenarios = [
        factories.scenario(
            name=one.scenario,
            closed=sorted(one.closed),
            open=sorted(one.open),
            targets=list(one.targets),
        )
        for one in outcomes
    ]
    given = list(targets) or [{"name": name, "app": f"{name}:app"} for name in names]
    return factories.plan(targets=given, scenarios=scenarios, blocks=blocks)


def _cell(cell: Cell, outcomes: Mapping[str, Outcome], blocks: int) -> CellResult:
    found = outcomes.values()
    collapsed = any(cell.target in o.collapsed and cell.block <= o.collapsed_blocks for o in found)
    invalid = any(outcome.invalid for outcome in found)
    status: CellStatus = "invalid" if invalid else "collapsed" if collapsed else "valid"
    ratio = 1.0
    if own := outcomes.get(cell.target):
        ratio = own.ratio * math.exp(own.step * (cell.block - (blocks + 1) / 2))
    closed = cell.load.kind == "closed"
    result = factories.cell_result(
        cell.target,
        cell.block,
        BASELINE_RPS * ratio if closed else BASELINE_RPS,
        load=cell.load,
        scenario=cell.scenario,
        status=status,
        p99_ms=BASELINE_P99_MS if closed else BASELINE_P99_MS * ratio,
    )
    own_fields = {"id": cell.number, "requests": 1000, "reasons": REASONS[status]}
    return result.model_copy(update=own_fields)
