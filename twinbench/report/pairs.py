"""Two targets of a scenario, compared at the loads of one kind."""

from dataclasses import dataclass

from twinbench.analyse.results import MORE_IS_BETTER, Comparison, Estimate, Metric, Results
from twinbench.plan import LoadKind, Scenario, Target
from twinbench.report.format import interval, leader, load_text
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
    """One candidate against the baseline of a scenario, at the loads of one kind, ascending."""

    scenario: Scenario
    kind: LoadKind
    baseline: Target
    candidate: Target
    side: int
    compared: tuple[Comparison, ...]

    def title(self, target: str) -> str:
        """Return the title of one of the two."""
        return title(self.candidate if target == self.candidate.name else self.baseline)

    def side_of(self, target: str) -> int:
        return self.side if target == self.candidate.name else 0

    @property
    def same(self) -> bool:
        return self.compared[0].same

    @property
    def tried(self) -> list[int]:
        return [comparison.load.value for comparison in self.compared]


def title(named: Scenario | Target) -> str:
    """Return the title of a scenario or target, to be drawn as it is; without one, its name."""
    return printable(named.title) or named.name


def target_pairs(results: Results, kind: LoadKind) -> list[TargetPair]:
    """Return the pairs of one kind of load with their decisive comparisons, in groups."""
    plan = results.plan
    groups = list(dict.fromkeys(scenario.group for scenario in plan.scenarios))
    found = []
    for scenario in sorted(plan.scenarios, key=lambda s: groups.index(s.group)):
        baseline, *candidates = plan.targets_of(scenario)
        metric = results.decisive(scenario.name, kind)
        for side, name in enumerate(candidates, start=1):
            compared = results.compared(scenario.name, kind, metric, name)
            if compared:
                ordered = tuple(sorted(compared, key=lambda c: c.load.value))
                targets = plan.target(baseline), plan.target(name)
                found.append(TargetPair(scenario, kind, *targets, side, ordered))
    return found


def advantage(comparison: Comparison) -> Estimate | None:
    """Return the ratio, turned so that above 1 the candidate is better."""
    ratio = comparison.ratio
    if ratio is None or comparison.metric in MORE_IS_BETTER:
        return ratio
    return inverse(ratio)


def inverse(ratio: Estimate) -> Estimate:
    return Estimate(
        estimate=1 / ratio.estimate,
        low=1 / ratio.high if ratio.high else None,
        high=1 / ratio.low if ratio.low else None,
    )


def strength(comparison: Comparison) -> float:
    """Return how far the ratio is from 1, as a factor of 1 or more; 1 without a ratio."""
    ratio = advantage(comparison)
    return max(ratio.estimate, 1 / ratio.estimate) if ratio else 1.0


def describe(pair: TargetPair, comparison: Comparison) -> str:
    """Return one comparison as text, for a pointer on its mark."""
    at = load_text(comparison.load)
    names = title(pair.candidate), title(pair.baseline)
    if comparison.survivor:
        return f"{at}: only {pair.title(comparison.survivor)} did not collapse"
    if comparison.ratio is None:
        return f"{at}: not comparable: {'; '.join(comparison.reasons)}"
    ratio = comparison.ratio
    bounds = f" ({interval(ratio)})" if interval(ratio) else ""
    metric = METRICS[comparison.metric]
    ahead = leader(comparison)
    decision = f"{pair.title(ahead)} is faster" if ahead else "no difference shown"
    collapses = "".join(f"; {collapse}" for collapse in comparison.collapses)
    divided = f"{metric}, {names[0]} / {names[1]} {ratio.estimate:.2f}{bounds}"
    return f"{at}: {divided}; {decision}{collapses}"
