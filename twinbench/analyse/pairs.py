"""Two targets of a scenario at one load, block by block: their ratios, or why there are none.

A pair is formed inside a block, whose cells were measured in the same minutes: what the machine
did to both meanwhile cancels out of their ratio.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from twinbench.analyse.intervals import geometric
from twinbench.analyse.margins import FLOORS
from twinbench.analyse.results import CellResult, CellStatus, Metric
from twinbench.findings import Floor
from twinbench.plan import Load, Plan, Scenario, Target

LACKING: dict[Metric, str] = {
    "throughput": "no block in which both answered inside the window",
    "per_cpu_s": "no block in which both answered inside the window, at a CPU time that is known",
    "p50": "too few samples for a p50 in any block",
    "p99": "too few samples for a p99 in any block",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Baseline and candidate of a scenario at one load, with the cells of both."""

    scenario: str
    load: Load
    baseline: Target
    candidate: Target
    cells: list[CellResult]

    @classmethod
    def of(
        cls,
        plan: Plan,
        scenario: Scenario,
        candidate: str,
        load: Load,
        cells: Sequence[CellResult],
    ) -> Self:
        baseline = plan.targets_of(scenario)[0]
        own = [
            cell
            for cell in cells
            if (cell.scenario, cell.load) == (scenario.name, load)
            and cell.target in (baseline, candidate)
        ]
        return cls(scenario.name, load, plan.target(baseline), plan.target(candidate), own)

    @property
    def names(self) -> tuple[str, str]:
        return self.baseline.name, self.candidate.name

    @property
    def same(self) -> bool:
        """One target twice: equal in everything but what it is called."""
        called = {"name", "title", "note"}
        one, other = (t.model_dump(exclude=called) for t in (self.baseline, self.candidate))
        return one == other

    @property
    def expected_differences(self) -> str | None:
        """Why the two are meant to differ."""
        return (
            self.baseline.expected_differences_text
            or self.candidate.expected_differences_text
            or None
        )

    @property
    def survivor(self) -> str | None:
        """Who of the two never stopped, and answered in most blocks, where the other stopped in
        half of them or more: one stall of many is an accident of its block."""
        standing = [
            n
            for n, found in self._counts().items()
            if not found["collapsed"] and 2 * found["valid"] > found.total()
        ]
        return standing[0] if len(self.fallen) == len(standing) == 1 else None

    @property
    def fallen(self) -> list[str]:
        """Who of the two stopped answering in half of its blocks or more."""
        counts = self._counts().items()
        return [n for n, found in counts if 2 * found["collapsed"] >= found.total() > 0]

    @property
    def collapses(self) -> list[str]:
        """In how many of its blocks each of the two stopped answering, if it did."""
        return [
            f"{name} collapsed in {found['collapsed']} of {found.total()} blocks"
            for name, found in self._counts().items()
            if found["collapsed"]
        ]

    def _counts(self) -> dict[str, Counter[CellStatus]]:
        return {
            n: Counter(cell.status for cell in self.cells if cell.target == n) for n in self.names
        }

    def valid(self, name: str) -> list[CellResult]:
        return [c for c in self.cells if (c.target, c.status) == (name, "valid")]

    def measured(self, metric: Metric) -> list[tuple[CellResult, CellResult]]:
        """Baseline's and candidate's cell of each block in which both are valid and show it."""
        one, other = (
            {cell.block: cell for cell in self.valid(name) if figure(metric, cell)}
            for name in self.names
        )
        return [(one[block], other[block]) for block in sorted(one.keys() & other.keys())]


def figure(metric: Metric, cell: CellResult) -> float:
    """A cell's figure; 0 where there is none: of nothing there is no ratio."""
    figures: dict[Metric, float | None] = {
        "throughput": cell.throughput_rps,
        "per_cpu_s": cell.per_cpu_s,
        "p50": cell.latency_ms.p50,
        "p99": cell.latency_ms.p99,
    }
    return figures[metric] or 0.0


def ratios(metric: Metric, pair: Pair, floor: Floor | None = None) -> tuple[list[float], list[str]]:
    """Candidate / baseline in each block in which both answered; and why they decide nothing.

    Of blocks beside collapsed ones two or more, and the most of either's, must be left: else the
    collapse is what is to be told, and not the ratio of the rest."""
    if pair.fallen:
        return [], pair.collapses
    both = [(figure(metric, one), figure(metric, other)) for one, other in pair.measured(metric)]
    if not both:
        return [], [*pair.collapses, _why_none(metric, pair)]
    if why := _under_floor(metric, both, floor):
        return [], [why]
    if len(both) > 1:
        return [other / one for one, other in both], []
    alone = [*pair.collapses, "one block alone has no interval"]
    return [other / one for one, other in both if not pair.collapses], alone


def _why_none(metric: Metric, pair: Pair) -> str:
    valid = {name: {cell.block for cell in pair.valid(name)} for name in pair.names}
    if lacking := [name for name, blocks in valid.items() if not blocks]:
        return f"no valid cells of {' and '.join(lacking)}"
    if not set.intersection(*valid.values()):
        return "no block in which the cells of both are valid"
    return LACKING[metric]


def _under_floor(
    metric: Metric, both: Sequence[tuple[float, float]], floor: Floor | None
) -> str | None:
    """Why two latencies cannot be told from that of a server which does nothing."""
    floors_ms = {"p50": floor.latency_p50_ms, "p99": floor.latency_p99_ms} if floor else {}
    if (floor_ms := floors_ms.get(metric)) is None:
        return None
    sides = [geometric(side) for side in zip(*both, strict=True)]
    if any(side and side.estimate >= FLOORS * floor_ms for side in sides):
        return None
    return (
        f"both are less than {FLOORS} times this machine's floor of {floor_ms:.2g} ms, and so show"
        " the way there and back more than the servers"
    )
