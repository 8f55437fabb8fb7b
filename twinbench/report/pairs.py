"""Two targets of a scenario, compared at the loads of one kind."""

from dataclasses import dataclass

from twinbench.analyse.results import HIGHER_IS_BETTER, Comparison, Curve, Estimate, Metric, Results
from twinbench.plan import LoadKind, Plan, Scenario, Target
from twinbench.report.elements import Span, TargetIndex
from twinbench.report.format import interval, load_text
from twinbench.text import printable

KINDS: tuple[LoadKind, ...] = ("closed", "open")
METRICS: dict[Metric, str] = {
    "throughput": "throughput",
    "per_cpu_s": "requests per CPU second",
    "p50": "median response time",
    "p99": "p99 response time",
}


@dataclass(frozen=True, slots=True)
class TargetPair:
    """One candidate against the baseline of a scenario, by the decisive metric.

    `index` is that of the candidate. `comparisons` are by ascending load; `curves` are those of
    the baseline and of the candidate.
    """

    scenario: Scenario
    kind: LoadKind
    baseline: Target
    candidate: Target
    index: int
    comparisons: tuple[Comparison, ...]
    curves: tuple[Curve, Curve]

    @property
    def targets(self) -> tuple[Span, Span]:
        """The titles of the baseline and of the candidate."""
        return Span(title(self.baseline), 0), Span(title(self.candidate), self.index)

    @property
    def loads(self) -> list[int]:
        return [comparison.load.value for comparison in self.comparisons]

    @property
    def aa_check(self) -> bool:
        return self.comparisons[0].aa_check

    def title_of(self, index: int) -> str:
        return title(self.candidate if index else self.baseline)

    def faster(self, comparison: Comparison) -> TargetIndex:
        """Return the target that is faster, or that alone did not collapse."""
        if comparison.not_collapsed:
            return self.index if comparison.not_collapsed == self.candidate.name else 0
        return {"faster": self.index, "slower": 0}.get(comparison.decision)

    def describe(self, comparison: Comparison) -> str:
        """Return one comparison as text, to be shown on hover."""
        at, faster, ratio = load_text(comparison.load), self.faster(comparison), comparison.ratio
        if comparison.not_collapsed and faster is not None:
            return f"{at}: only {self.title_of(faster)} did not collapse"
        if ratio is None:
            return f"{at}: not comparable: {'; '.join(comparison.reasons)}"
        bounds = f" ({interval(ratio)})" if interval(ratio) else ""
        decision = "no difference shown"
        if faster is not None:
            decision = f"{self.title_of(faster)} is faster"
        baseline, candidate = (target.text for target in self.targets)
        figure = f"{METRICS[comparison.metric]}, {candidate} / {baseline} {ratio.estimate:.2f}"
        return "; ".join([f"{at}: {figure}{bounds}", decision, *comparison.collapses])


def title(named: Scenario | Target) -> str:
    """Return the title of a scenario or target without control characters, or else its name."""
    return printable(named.title) or named.name


def grouped_scenarios(plan: Plan) -> list[Scenario]:
    """Return the scenarios in their groups, both in the order of the plan."""
    groups = [scenario.group for scenario in plan.scenarios]
    return sorted(plan.scenarios, key=lambda scenario: groups.index(scenario.group))


def target_pairs(results: Results) -> list[TargetPair]:
    """Return all pairs that are compared: first on closed loads, then on open loads."""
    return [
        pair
        for kind in KINDS
        for scenario in grouped_scenarios(results.plan)
        for pair in _pairs_of(results, scenario, kind)
    ]


def _pairs_of(results: Results, scenario: Scenario, kind: LoadKind) -> list[TargetPair]:
    names = results.plan.targets_of(scenario)
    metric = results.primary_metric(scenario.name, kind)
    curves = {curve.target: curve for curve in results.curves_of(scenario.name, kind)}
    return [
        TargetPair(
            scenario=scenario,
            kind=kind,
            baseline=results.plan.target(names[0]),
            candidate=results.plan.target(name),
            index=index,
            comparisons=tuple(sorted(compared, key=lambda c: c.load.value)),
            curves=(curves[names[0]], curves[name]),
        )
        for index, name in enumerate(names[1:], start=1)
        if (compared := results.compared(scenario.name, kind, metric, name))
    ]


def gain(comparison: Comparison) -> Estimate | None:
    """Return the ratio, inverted where less is better: above 1 the candidate is faster."""
    ratio = comparison.ratio
    if ratio is None or comparison.metric in HIGHER_IS_BETTER:
        return ratio
    return ratio.inverse()


def magnitude(comparison: Comparison) -> float:
    """Return how far the ratio is from 1, as a factor of 1 or more; 1 without a ratio."""
    ratio = comparison.ratio
    return max(ratio.estimate, 1 / ratio.estimate) if ratio else 1.0
