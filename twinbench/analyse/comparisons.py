"""Comparisons of candidate and baseline at each load: ratios by block, and decisions.

A pair is formed inside a block, whose cells were measured in the same minutes: what the machine
did to both meanwhile cancels out of their ratio.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from twinbench.analyse.curves import loads_by_kind
from twinbench.analyse.results import METRICS, CellResult, CellStatus, Comparison, Metric
from twinbench.analyse.statistics import FamilyDecision, decide, geometric_mean
from twinbench.plan import Load, Plan, Scenario, Target, differences_text
from twinbench.selfcheck.result import Floor
from twinbench.versions.result import BASE, BASE_AGAIN

# Of the latency of a server that does nothing: below, more than half of a response time is the way
# there and back, and a ratio says little about the servers.
MIN_FLOORS = 2
NO_FIGURES: dict[Metric, str] = {
    "throughput": "no block in which both responded inside the window",
    "per_cpu_s": "no block in which both responded inside the window, with a known CPU time",
    "p50": "too few samples for a p50 in any block",
    "p99": "too few samples for a p99 in any block",
}


def comparisons(
    plan: Plan, cells: Sequence[CellResult], floor: Floor | None = None
) -> list[Comparison]:
    """Return every other target of a scenario against its first, by each metric at each load.

    None of a plan with a sweep: its first target is no baseline.
    """
    return [
        comparison
        for scenario in plan.scenarios
        if plan.sweep is None
        for candidate in plan.targets_of(scenario)[1:]
        for loads in loads_by_kind(scenario)
        for metric in METRICS
        for comparison in _family(
            metric,
            [PairedCells.of(plan, scenario, candidate, load, cells) for load in loads],
            floor,
        )
    ]


@dataclass(frozen=True, slots=True)
class PairedCells:
    """Cells of baseline and candidate of a scenario at one load."""

    scenario: str
    load: Load
    baseline: Target
    candidate: Target
    cells: list[CellResult]
    expected_differences: str | None

    @classmethod
    def of(
        cls, plan: Plan, scenario: Scenario, candidate: str, load: Load, cells: Sequence[CellResult]
    ) -> Self:
        """Return the pair of a scenario's baseline and `candidate`, of all `cells` of the run."""
        baseline = plan.targets_of(scenario)[0]
        own = [
            cell
            for cell in cells
            if (cell.scenario, cell.load) == (scenario.name, load)
            and cell.target in (baseline, candidate)
        ]
        targets = plan.target(baseline), plan.target(candidate)
        texts = [differences_text(each.expected_differences) for each in (*targets, scenario)]
        reasons = dict.fromkeys(filter(None, texts))
        return cls(scenario.name, load, *targets, own, "; ".join(reasons) or None)

    @property
    def names(self) -> tuple[str, str]:
        """Names of baseline and candidate."""
        return self.baseline.name, self.candidate.name

    @property
    def aa_check(self) -> bool:
        """Whether the two are one target under two names."""
        names = {"name", "title", "note"}
        if self.names == (BASE, BASE_AGAIN):
            # In a copy, so that they do not write to the same files.
            names |= {"cwd", "import_from", "env"}
        return self.baseline.model_dump(exclude=names) == self.candidate.model_dump(exclude=names)

    @property
    def collapsed(self) -> list[str]:
        """Names of those that collapsed in half of their blocks or more."""
        return [
            name
            for name in self.names
            if 2 * self._blocks(name, "collapsed") >= self._blocks(name) > 0
        ]

    @property
    def not_collapsed(self) -> str | None:
        """Name of the one that is valid in most blocks and never collapsed, if the other did."""
        found = [
            name
            for name in self.names
            if not self._blocks(name, "collapsed")
            and 2 * self._blocks(name, "valid") > self._blocks(name)
        ]
        return found[0] if len(self.collapsed) == len(found) == 1 else None

    @property
    def collapses(self) -> list[str]:
        """In how many of its blocks each of the two collapsed, if it did."""
        return [
            f"{name} collapsed in {collapsed} of {self._blocks(name)} blocks"
            for name in self.names
            if (collapsed := self._blocks(name, "collapsed"))
        ]

    def _blocks(self, name: str, status: CellStatus | None = None) -> int:
        """Return in how many blocks a target was measured, or has a status."""
        return len(
            {
                cell.block
                for cell in self.cells
                # Of a disturbed measurement nothing is known of the target.
                if cell.target == name and not cell.disturbed and status in (None, cell.status)
            }
        )

    def figures(self, metric: Metric) -> list[tuple[float, float]]:
        """Return baseline's and candidate's figure of each block in which both have one."""
        of_baseline, of_candidate = (self.by_block(metric, name) for name in self.names)
        blocks = sorted(of_baseline.keys() & of_candidate.keys())
        return [(of_baseline[block], of_candidate[block]) for block in blocks]

    def by_block(self, metric: Metric, name: str) -> dict[int, float]:
        """Return a target's figure of each block; of several in a block their geometric mean."""
        found: dict[int, list[float]] = defaultdict(list)
        for cell in self.valid(name):
            if value := figure(metric, cell):
                found[cell.block].append(value)
        return {block: math.prod(own) ** (1 / len(own)) for block, own in found.items()}

    def valid(self, name: str) -> list[CellResult]:
        return [c for c in self.cells if (c.target, c.status) == (name, "valid")]


def figure(metric: Metric, cell: CellResult) -> float | None:
    """Return the figure of a cell by which a metric compares."""
    if metric in ("throughput", "per_cpu_s"):
        return cell.throughput_rps if metric == "throughput" else cell.per_cpu_s
    return cell.latency_ms.p50 if metric == "p50" else cell.latency_ms.p99


def _family(
    metric: Metric, pairs: Sequence[PairedCells], floor: Floor | None
) -> Iterable[Comparison]:
    """Compare at several loads, which are one family of decisions."""
    found = {pair.load: ratios(metric, pair, floor) for pair in pairs}
    decisions = decide(
        {load: (metric, np.log(by_block)) for load, (by_block, _) in found.items() if by_block[1:]}
    )
    for pair in pairs:
        by_block, reasons = found[pair.load]
        yield _comparison(metric, pair, by_block, reasons, decisions.get(pair.load))


def _comparison(
    metric: Metric,
    pair: PairedCells,
    by_block: list[float],
    reasons: list[str],
    decided: FamilyDecision | None,
) -> Comparison:
    return Comparison(
        scenario=pair.scenario,
        load=pair.load,
        metric=metric,
        baseline=pair.baseline.name,
        candidate=pair.candidate.name,
        ratio=geometric_mean(by_block),
        blocks=len(by_block),
        decision=decided.decision if decided else "not comparable",
        adjusted_p=decided.adjusted_p if decided else None,
        smallest_difference=decided.smallest_difference if decided else None,
        halved_by=decided.halved_by if decided else None,
        aa_check=pair.aa_check,
        not_collapsed=pair.not_collapsed,
        collapses=pair.collapses,
        expected_differences=pair.expected_differences,
        reasons=decided.reasons if decided else reasons,
    )


def ratios(metric: Metric, pair: PairedCells, floor: Floor | None) -> tuple[list[float], list[str]]:
    """Return candidate / baseline in each block with both, and the reasons why none can be decided.

    Beside collapsed blocks two or more, and at least half of either's, must be left: else the
    collapse is the result, and not the ratio of the rest.
    """
    if pair.collapsed:
        return [], pair.collapses
    both = pair.figures(metric)
    if not both:
        return [], [*pair.collapses, _why_no_figures(metric, pair)]
    if reason := _below_floor(metric, both, floor):
        return [], [reason]
    by_block = [candidate / baseline for baseline, candidate in both]
    if len(both) > 1:
        return by_block, []
    return [] if pair.collapses else by_block, [*pair.collapses, "a single block has no interval"]


def _why_no_figures(metric: Metric, pair: PairedCells) -> str:
    valid = {name: {cell.block for cell in pair.valid(name)} for name in pair.names}
    if without := [name for name, blocks in valid.items() if not blocks]:
        return f"no valid measurements of {' and '.join(without)}"
    if not set.intersection(*valid.values()):
        return "no block in which the measurements of both are valid"
    return NO_FIGURES[metric]


def _below_floor(
    metric: Metric, both: Sequence[tuple[float, float]], floor: Floor | None
) -> str | None:
    """Return why two response times say little about the servers, if so."""
    floors_ms = {"p50": floor.latency_p50_ms, "p99": floor.latency_p99_ms} if floor else {}
    if (floor_ms := floors_ms.get(metric)) is None:
        return None
    means = [geometric_mean(side) for side in zip(*both, strict=True)]
    if any(mean and mean.estimate >= MIN_FLOORS * floor_ms for mean in means):
        return None
    return (
        f"both are less than {MIN_FLOORS} times the {floor_ms:.2g} ms that a server needs here"
        " which does nothing, and so show the way there and back more than the servers"
    )
