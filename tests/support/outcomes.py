"""Results of a run whose outcome at each load is given: a ratio, a collapse, or nothing valid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.support import factories
from twinbench.analyse.results import (
    METRICS,
    CellResult,
    CellStatus,
    Comparison,
    Curve,
    Decision,
    Estimate,
    Metric,
    Point,
    Results,
)
from twinbench.plan import Cell, Load, LoadKind, Plan, Scenario, cells

BASELINE_RPS = 1000.0
REASONS: dict[CellStatus, list[str]] = {
    "valid": [],
    "invalid": ["half of the requests were sent late: lower the rate"],
    "collapsed": ["no response for 2 s"],
}


@dataclass(frozen=True)
class Outcome:
    """The outcome at one load.

    `ratio` is candidate / baseline, of throughput or of p99. Beyond 3 % it is decided, unless
    `smallest_difference` is given. The targets in `collapsed` collapse in the first
    `collapsed_blocks`. `aa_check`: an A/A check.
    """

    ratio: float = 1.0
    smallest_difference: float | None = None
    collapsed: tuple[str, ...] = ()
    collapsed_blocks: int = 5
    invalid: bool = False
    aa_check: bool = False


INVALID = Outcome(invalid=True)


def collapse(*targets: str, blocks: int = 5) -> Outcome:
    return Outcome(collapsed=targets, collapsed_blocks=blocks)


def no_difference(smallest: float = 0.12) -> Outcome:
    return Outcome(smallest_difference=smallest)


@dataclass(frozen=True)
class Outcomes:
    """A scenario with the outcome of each load, or one for each candidate at each load."""

    scenario: str
    closed: Mapping[int, Outcome | Mapping[str, Outcome]] = field(default_factory=dict)
    open: Mapping[int, Outcome | Mapping[str, Outcome]] = field(default_factory=dict)
    targets: tuple[str, ...] = ("sync", "async")

    def at(self, load: Load, candidate: str) -> Outcome:
        found = (self.closed if load.kind == "closed" else self.open)[load.value]
        return found if isinstance(found, Outcome) else found[candidate]

    def all_at(self, load: Load) -> list[Outcome]:
        return [self.at(load, name) for name in self.targets[1:] or self.targets]


def results_of(
    *outcomes: Outcomes, blocks: int = 5, targets: Sequence[Mapping[str, object]] = ()
) -> Results:
    """Return the results of a run with these outcomes; `targets` as in a plan."""
    plan = _plan(outcomes, blocks, targets)
    by_name = {one.scenario: one for one in outcomes}
    own: dict[tuple[str, str, Load], list[CellResult]] = {}
    for cell in cells(plan):
        made = _cell(cell, by_name[cell.scenario])
        own.setdefault((cell.scenario, cell.target, cell.load), []).append(made)
    return factories.results(
        plan,
        cells=sorted((cell for group in own.values() for cell in group), key=lambda c: c.id),
        curves=[curve for scenario in plan.scenarios for curve in _curves(scenario, own)],
        comparisons=[
            _comparison(plan, one, candidate, load, metric)
            for one in outcomes
            for candidate in one.targets[1:]
            for load in _loads(plan.scenario(one.scenario))
            for metric in METRICS
        ],
    )


def _plan(outcomes: Sequence[Outcomes], blocks: int, targets: Sequence[object]) -> Plan:
    names = dict.fromkeys(name for one in outcomes for name in one.targets)
    scenarios = [
        {
            "name": one.scenario,
            "requests": [{"path": "/"}],
            "closed": sorted(one.closed),
            "open": sorted(one.open),
            "targets": list(one.targets),
        }
        for one in outcomes
    ]
    given = list(targets) or [{"name": name, "app": "a:app"} for name in names]
    return factories.plan(targets=given, scenarios=scenarios, blocks=blocks)


def _loads(scenario: Scenario) -> list[Load]:
    return [Load("closed", n) for n in scenario.closed] + [Load("open", n) for n in scenario.open]


def _cell(cell: Cell, outcomes: Outcomes) -> CellResult:
    found = outcomes.all_at(cell.load)
    collapsed = any(cell.target in o.collapsed and cell.block <= o.collapsed_blocks for o in found)
    invalid = any(outcome.invalid for outcome in found)
    status: CellStatus = "invalid" if invalid else "collapsed" if collapsed else "valid"
    candidate = cell.target in outcomes.targets[1:]
    ratio = outcomes.at(cell.load, cell.target).ratio if candidate else 1.0
    made = factories.cell_result(
        cell.target,
        cell.block,
        BASELINE_RPS * ratio,
        load=cell.load,
        scenario=cell.scenario,
        status=status,
    )
    own = {"id": cell.number, "requests": 1000, "reasons": REASONS[status]}
    return made.model_copy(update=own)


def _curves(
    scenario: Scenario, own: Mapping[tuple[str, str, Load], list[CellResult]]
) -> list[Curve]:
    kinds: list[tuple[LoadKind, list[int]]] = [("closed", scenario.closed), ("open", scenario.open)]
    return [
        factories.curve(
            target,
            kind,
            *(_point(n, own[scenario.name, target, Load(kind, n)]) for n in loads),
            scenario=scenario.name,
        )
        for kind, loads in kinds
        if loads
        for target in scenario.targets
    ]


def _point(load: int, own: Sequence[CellResult]) -> Point:
    valid = [cell for cell in own if cell.status == "valid"]
    collapsed = sum(cell.status == "collapsed" for cell in own)
    return factories.point(
        load,
        status="collapsed" if collapsed else "valid" if valid else "invalid",
        blocks=len(valid),
        collapsed=collapsed,
        throughput_rps=Estimate(estimate=valid[0].throughput_rps) if valid else None,
    )


def _comparison(
    plan: Plan, outcomes: Outcomes, candidate: str, load: Load, metric: Metric
) -> Comparison:
    outcome, pair = outcomes.at(load, candidate), (outcomes.targets[0], candidate)
    decisive = metric == "throughput" if load.kind == "closed" else metric == "p99"
    collapsed = [name for name in pair if name in outcome.collapsed]
    measured = decisive and not outcome.invalid and not collapsed
    decision: Decision = "not comparable"
    bounds: dict[str, float] = {}
    if measured and plan.blocks > 1:
        decision = _decision(outcome, metric)
        bounds = {"low": outcome.ratio / 1.02, "high": outcome.ratio * 1.02}
    return Comparison(
        scenario=outcomes.scenario,
        load=load,
        metric=metric,
        baseline=pair[0],
        candidate=pair[1],
        ratio=Estimate(estimate=outcome.ratio, **bounds) if measured else None,
        blocks=plan.blocks,
        decision=decision,
        smallest_difference=(outcome.smallest_difference or 0.05) if bounds else None,
        aa_check=outcome.aa_check,
        not_collapsed=next(n for n in pair if n not in collapsed) if len(collapsed) == 1 else None,
        expected_differences=plan.target(candidate).expected_differences_text or None,
        reasons=["no valid cells of sync and async"] if outcome.invalid else [],
    )


def _decision(outcome: Outcome, metric: Metric) -> Decision:
    if outcome.smallest_difference or 1 / 1.03 < outcome.ratio < 1.03:
        return "no difference shown"
    return "faster" if (outcome.ratio > 1) == (metric == "throughput") else "slower"
