"""Verdicts on public claims, which are data (twinbench/claims.toml).

A comparison is judged by its decisions, which hold after Holm for all loads of its scenario; a
figure by all of its blocks. The rules and their reasons: docs/claims.md.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, cast

from pydantic import Field, StringConstraints, model_validator

from twinbench.analyse.results import (
    HIGHER_IS_BETTER,
    CellResult,
    ClaimResult,
    Comparison,
    Decision,
    Metric,
    Results,
    Verdict,
)
from twinbench.analyse.statistics import MARGIN
from twinbench.paths import PACKAGE, PLANS
from twinbench.plan import SERVICE_ADDRESS, Load, Plan, read_plan
from twinbench.plan.fields import Name
from twinbench.plan.requests import Count, Strict
from twinbench.text import number

CLAIMS = PACKAGE / "claims.toml"
# If half of all blocks lay beyond a bound, all of five would do so in 1 of 32 runs: below 5 %.
MIN_BLOCKS = 5
# A target with other values of these is still the same target.
NOT_COMPARED = {"name", "title", "note", "python", "telemetry", "expected_differences"}

# In TOML a number is a number: neither "8" nor true.
Threshold = Annotated[float, Field(strict=True)]
Sentence = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
# Names of the two targets in a run.
TargetNames = Mapping[Literal["sync", "async"], str]
Expected = Literal["faster", "slower", "not faster", "alike"]
CONTRARY: Mapping[Expected, set[Decision]] = {
    "faster": {"slower"},
    "slower": {"faster"},
    "not faster": {"faster"},
    "alike": {"faster", "slower"},
}
Figure = Literal[
    "throughput_rps", "collapsed", "loop_lag_p99_ms", "threads_used_max", "connections_waiting_max"
]
FIGURES: Mapping[Figure, str] = {
    "throughput_rps": "requests/s",
    "collapsed": "collapses per block",
    "loop_lag_p99_ms": "p99 of the event-loop lag in ms",
    "threads_used_max": "worker threads in use",
    "connections_waiting_max": "requests waiting for a connection",
}
# `holds`: as claimed; `contrary`: a decision against the claim; `outside`: beyond a bound.
Outcome = Literal["holds", "contrary", "outside", "open"]


class LoadOutcome(NamedTuple):
    """What one load shows: the outcome, its figure as text, and the cells behind it."""

    outcome: Outcome
    text: str
    cells: list[int]


class Condition(Strict):
    """Scenario of the plan of the claim, some of its loads, and bounds."""

    scenario: str
    closed: list[Count] = Field(default=[], description="users")
    open: list[Count] = Field(default=[], description="requests/s")
    at_least: Threshold = -math.inf
    at_most: Threshold = math.inf

    @model_validator(mode="after")
    def _one_kind_of_load(self) -> Self:
        if bool(self.closed) == bool(self.open):
            raise ValueError("give either closed (users) or open (requests/s)")
        if self.at_least > self.at_most:
            raise ValueError("at_least is above at_most")
        return self

    @property
    def loads(self) -> list[Load]:
        return [Load("closed", n) for n in self.closed] + [Load("open", n) for n in self.open]

    @property
    def bounds(self) -> str:
        bounds = {"at least": self.at_least, "at most": self.at_most}
        return ", ".join(f"{k} {number(v)}" for k, v in bounds.items() if math.isfinite(v))

    def compare_with_bounds(self, low: float, high: float) -> Outcome:
        """Return on which side of the bounds everything from `low` to `high` lies."""
        if self.at_least <= low and high <= self.at_most:
            return "holds"
        return "outside" if high < self.at_least or self.at_most < low else "open"


class ComparisonCondition(Condition):
    """What the second target of the scenario is, relative to the first: async / sync, as a rule."""

    metric: Metric
    expect: Expected

    @model_validator(mode="after")
    def _bounds_need_a_decision(self) -> Self:
        if self.bounds and self.expect not in ("faster", "slower"):
            raise ValueError(f"'{self.expect}' takes neither at_least nor at_most")
        return self

    @property
    def expected(self) -> str:
        return ", ".join(filter(None, [self.expect, self.bounds]))

    def label(self, names: TargetNames) -> str:
        """Return what is compared; throughput, by which reports compare, is not named."""
        metrics = {"throughput": "", "per_cpu_s": "requests per CPU second, "}
        metric = metrics.get(self.metric, f"{self.metric}, ")
        return f"{metric}{names['async']} / {names['sync']}"

    def at(self, results: Results, names: TargetNames, load: Load) -> LoadOutcome:
        cells = _cells(results, self.scenario, load, list(names.values()))
        compared = results.compared(self.scenario, load.kind, self.metric, names["async"])
        found = next((each for each in compared if each.load == load), None)
        if not cells or not found:
            return LoadOutcome("open", "not measured", [])
        decision, low, high, text = _decision(found)
        if self.bounds and 0 < low < math.inf:
            text += f" ({number(low)} to {number(high)})"
        return LoadOutcome(self._outcome(decision, low, high), text, [cell.id for cell in cells])

    def _outcome(self, decision: Decision, low: float, high: float) -> Outcome:
        if decision in CONTRARY[self.expect]:
            return "contrary"
        if self.expect in ("faster", "slower"):
            return self.compare_with_bounds(low, high) if decision == self.expect else "open"
        if decision == "not comparable":
            return "open"
        if self.metric not in HIGHER_IS_BETTER:
            low, high = 1 / high, 1 / low
        no_gain, no_loss = high < 1 + MARGIN, low > 1 / (1 + MARGIN)
        return "holds" if no_gain and (no_loss or self.expect == "not faster") else "open"


class FigureCondition(Condition):
    """Figure of one app, with bounds that it must keep in all blocks."""

    target: Literal["sync", "async"]
    figure: Figure

    @model_validator(mode="after")
    def _a_bound(self) -> Self:
        if not self.bounds:
            raise ValueError("give at_least or at_most")
        return self

    @property
    def expected(self) -> str:
        return self.bounds

    def label(self, names: TargetNames) -> str:
        return f"{FIGURES[self.figure]}, {names[self.target]}"

    def at(self, results: Results, names: TargetNames, load: Load) -> LoadOutcome:
        cells = _cells(results, self.scenario, load, [names[self.target]])
        ids = [cell.id for cell in cells]
        values = [self._value(cell) for cell in cells if cell.status != "invalid"]
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            return LoadOutcome("open", "not known" if cells else "not measured", ids)
        low, high = min(known), max(known)
        text = number(low) if low == high else f"{number(low)} to {number(high)}"
        if len(known) < MIN_BLOCKS:
            return LoadOutcome("open", f"{text} (only {len(known)} blocks)", ids)
        return LoadOutcome(self.compare_with_bounds(low, high), text, ids)

    def _value(self, cell: CellResult) -> float | None:
        """Return the figure. A server that collapsed has telemetry, but no throughput."""
        if self.figure == "collapsed":
            return float(cell.status == "collapsed")
        if self.figure == "throughput_rps" and cell.status == "collapsed":
            return None
        return cast("float | None", getattr(cell, self.figure))


class Claim(Strict):
    """Claim in our words (`text`), who published it (`source`), and the `plan` that judges it."""

    id: Name
    plan: Name = "full"
    text: Sentence
    source: Sentence
    comparisons: list[ComparisonCondition] = Field(default=[])
    figures: list[FigureCondition] = Field(default=[])

    @model_validator(mode="after")
    def _a_condition(self) -> Self:
        if not self.conditions:
            raise ValueError("give comparisons or figures")
        return self

    @property
    def conditions(self) -> list[ComparisonCondition | FigureCondition]:
        return [*self.comparisons, *self.figures]


def read_claims(path: Path = CLAIMS) -> list[Claim]:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Claim.model_validate(claim) for claim in table["claims"]]


def claims(results: Results, published: Iterable[Claim] | None = None) -> list[ClaimResult]:
    """Return the verdicts on claims, by default on those of claims.toml.

    None on a claim of which the run measured nothing.
    """
    found = [_judge(claim, results) for claim in published or read_claims()]
    return [result for result in found if result.cells]


def _judge(claim: Claim, results: Results) -> ClaimResult:
    """Return the verdict on a claim: all conditions support it together, one refutes it."""
    judged = [_judge_condition(each, claim.plan, results) for each in claim.conditions]
    verdicts = {verdict for verdict, _, _ in judged}
    verdict: Verdict = "refuted" if "refuted" in verdicts else "not shown"
    if verdicts == {"supported"}:
        verdict = "supported"
    return ClaimResult(
        id=claim.id,
        text=claim.text,
        source=claim.source,
        verdict=verdict,
        evidence="; ".join(text for each, text, _ in judged if each == verdict),
        cells=sorted({cell for _, _, cells in judged for cell in cells}),
    )


def _judge_condition(
    condition: ComparisonCondition | FigureCondition, plan: str, results: Results
) -> tuple[Verdict, str, list[int]]:
    """Return the verdict of one condition, its figures as text, and its cells."""
    names = _target_names(results.plan, plan, condition.scenario)
    if not names:
        return "not shown", f"{condition.scenario}: not measured", []
    found = [condition.at(results, names, load) for load in condition.loads]
    at = [str(load.value) for load in condition.loads[:-1]] + [condition.loads[-1].label]
    figures = ", ".join(f"{each.text} at {load}" for each, load in zip(found, at, strict=True))
    text = f"{condition.label(names)} {figures} (expected {condition.expected})"
    cells = [cell for each in found for cell in each.cells]
    return _verdict({each.outcome for each in found}), f"{condition.scenario}: {text}", cells


def _verdict(outcomes: set[Outcome]) -> Verdict:
    """Return the verdict on a condition.

    A decision against it refutes it at one load, because Holm's correction is for all loads. A
    bound has no correction, so it must be broken at all loads.
    """
    if "contrary" in outcomes or outcomes == {"outside"}:
        return "refuted"
    return "supported" if outcomes == {"holds"} else "not shown"


def _decision(found: Comparison) -> tuple[Decision, float, float, str]:
    """Return decision, interval and text.

    Where one target collapsed and the other did not, the other is faster by more than any factor;
    about CPU per request that says nothing.
    """
    if found.not_collapsed and found.metric != "per_cpu_s":
        faster = found.not_collapsed == found.candidate
        limit = math.inf if faster == (found.metric in HIGHER_IS_BETTER) else 0.0
        decision: Decision = "faster" if faster else "slower"
        collapsed = found.baseline if faster else found.candidate
        return decision, limit, limit, f"({collapsed} collapsed)"
    ratio = found.ratio
    if ratio is None or ratio.low is None or ratio.high is None:
        return "not comparable", 0.0, math.inf, "not comparable"
    mark = " (~)" if found.decision == "no difference shown" else ""
    return found.decision, ratio.low, ratio.high, f"{number(ratio.estimate)}{mark}"


def _cells(results: Results, scenario: str, load: Load, targets: Sequence[str]) -> list[CellResult]:
    of_load = [cell for cell in results.cells if (cell.scenario, cell.load) == (scenario, load)]
    return [cell for cell in of_load if cell.target in targets]


def _target_names(measured: Plan, plan: str, scenario: str) -> TargetNames | None:
    """Return the names of the two targets in `measured`, if the scenario is that of our `plan`.

    A scenario "wait" of another app must not be judged by claims about ours, which come with the
    checkout.
    """
    content = _content(measured, scenario)
    if content is None or not PLANS.is_dir() or content != _content(_of_ours(plan), scenario):
        return None
    sync, other = measured.targets_of(measured.scenario(scenario))[:2]
    return {"sync": sync, "async": other}


@cache
def _of_ours(plan: str) -> Plan:
    return read_plan(PLANS / f"{plan}.toml")


def _content(plan: Plan, name: str) -> list[object] | None:
    """Return what a scenario sends, and to which two targets."""
    scenario = next((each for each in plan.scenarios if each.name == name), None)
    if scenario is None:
        return None
    # Files to upload by their names: every checkout has them in another folder.
    requests = [
        request.model_copy(
            update={"upload": {k: Path(v.name) for k, v in (request.upload or {}).items()}}
        )
        for request in (*scenario.setup, *scenario.requests)
    ]
    targets = [plan.target(target) for target in plan.targets_of(scenario)[:2]]
    settings = [target.model_dump(exclude=NOT_COMPARED) for target in targets]
    for each in settings:
        # A plan whose scenarios call no service declares none: its address is no setting.
        each["env"] = {k: v for k, v in each["env"].items() if not SERVICE_ADDRESS.fullmatch(v)}
    feed = scenario.feed and (scenario.feed.sha256, scenario.feed.per)
    load = [scenario.arrivals, scenario.in_flight, scenario.sequence, feed]
    return [*load, *requests, *settings]
