"""Candidate against baseline at each load, paired by block."""

from collections.abc import Iterable, Sequence

from twinbench.analyse.intervals import geometric
from twinbench.analyse.results import (
    METRICS,
    CellResult,
    Comparison,
    Decision,
    Estimate,
    Metric,
)
from twinbench.findings import Floor
from twinbench.plan import Load, Plan, Scenario, loads_of

# A difference smaller than this matters to nobody who chooses between two designs.
MARGIN = 0.03
# Of the latency that a server shows which does nothing: below, more than half of what is read is
# the way there and back, and a ratio says little about the servers.
FLOORS = 2


def comparisons(
    plan: Plan, cells: Sequence[CellResult], floor: Floor | None = None
) -> list[Comparison]:
    """Every other target of a scenario against its first, at each load, for each metric."""
    return [
        _comparison(metric, _Pair(plan, scenario, load, candidate, cells), floor)
        for scenario in plan.scenarios
        for candidate in plan.targets_of(scenario)[1:]
        for load in loads_of(scenario)
        for metric in METRICS
    ]


class _Pair:
    """Baseline and candidate of a scenario at one load, with their cells."""

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        load: Load,
        candidate: str,
        cells: Sequence[CellResult],
    ) -> None:
        self.scenario, self.load = scenario.name, load
        self.names = (plan.targets_of(scenario)[0], candidate)
        there = [c for c in cells if c.scenario == scenario.name and c.load == load]
        self.baseline, self.candidate = (
            [cell for cell in there if cell.target == name] for name in self.names
        )
        self.differs = next((why for n in self.names if (why := plan.target(n).why_differs)), None)

    @property
    def cells(self) -> list[CellResult]:
        return [*self.baseline, *self.candidate]

    @property
    def survivor(self) -> str | None:
        """Who of the two answered, and never stopped, where the other did."""
        statuses = {n: {cell.status for cell in self.cells if cell.target == n} for n in self.names}
        standing = [
            n for n in self.names if "valid" in statuses[n] and "collapsed" not in statuses[n]
        ]
        fallen = any("collapsed" in found for found in statuses.values())
        return standing[0] if fallen and len(standing) == 1 else None


def _comparison(metric: Metric, pair: _Pair, floor: Floor | None) -> Comparison:
    ratio, blocks, decision, reasons = _compare(metric, pair, floor)
    baseline, candidate = pair.names
    return Comparison(
        scenario=pair.scenario,
        load=pair.load,
        metric=metric,
        baseline=baseline,
        candidate=candidate,
        ratio=ratio,
        blocks=blocks,
        decision=decision,
        survivor=pair.survivor,
        differs=pair.differs,
        reasons=reasons,
    )


def decide(metric: Metric, ratio: Estimate) -> Decision:
    """What the interval of candidate / baseline shows, a practical margin allowed for."""
    if ratio.low is None or ratio.high is None:
        return "not comparable"
    if ratio.low > 1 + MARGIN:
        return "faster" if metric == "throughput" else "slower"
    if ratio.high < 1 / (1 + MARGIN):
        return "slower" if metric == "throughput" else "faster"
    return "no difference shown"


def _compare(
    metric: Metric, pair: _Pair, floor: Floor | None
) -> tuple[Estimate | None, int, Decision, list[str]]:
    """Ratio, number of pairs, decision and its reasons."""
    if collapsed := list(_collapsed(pair.cells)):
        return None, 0, "not comparable", collapsed
    one, other = _by_block(metric, pair.baseline), _by_block(metric, pair.candidate)
    blocks = sorted(one.keys() & other.keys())
    if why := _under_floor(metric, one, other, floor):
        return None, 0, "not comparable", [why]
    ratio = geometric([other[block] / one[block] for block in blocks])
    if ratio is None:
        return None, 0, "not comparable", [_why_none(metric, pair)]
    decision = decide(metric, ratio)
    if decision == "not comparable":
        return ratio, len(blocks), decision, ["one block alone has no interval"]
    return ratio, len(blocks), decision, []


def _why_none(metric: Metric, pair: _Pair) -> str:
    valid = {
        n: {c.block for c in pair.cells if (c.target, c.status) == (n, "valid")} for n in pair.names
    }
    if lacking := [name for name, blocks in valid.items() if not blocks]:
        return f"no valid cells of {' and '.join(lacking)}"
    if not set.intersection(*valid.values()):
        return "no block in which the cells of both are valid"
    return f"too few samples for a {metric} in any block"


def _under_floor(
    metric: Metric, one: dict[int, float], other: dict[int, float], floor: Floor | None
) -> str | None:
    """Why two latencies cannot be told from that of a server which does nothing."""
    if floor is None or metric == "throughput":
        return None
    floor_ms = {"p50": floor.latency_p50_ms, "p99": floor.latency_p99_ms}[metric]
    sides = [geometric(list(side.values())) for side in (one, other)]
    if not all(side and side.estimate < FLOORS * floor_ms for side in sides):
        return None
    return (
        f"both are less than {FLOORS} times this machine's floor of {floor_ms:.2g} ms, and so show"
        " the way there and back more than the servers"
    )


def _collapsed(cells: Sequence[CellResult]) -> Iterable[str]:
    for target in dict.fromkeys(cell.target for cell in cells):
        own = [cell for cell in cells if cell.target == target]
        times = sum(cell.status == "collapsed" for cell in own)
        if times:
            yield f"{target} stopped answering in {times} of {len(own)} blocks"


def _by_block(metric: Metric, cells: Sequence[CellResult]) -> dict[int, float]:
    """The metric of each valid cell that has it, above zero."""
    values = {}
    for cell in cells:
        if cell.status != "valid":
            continue
        of_metric = {
            "throughput": cell.throughput_rps,
            "p50": cell.latency_ms.p50,
            "p99": cell.latency_ms.p99,
        }
        if value := of_metric[metric]:
            values[cell.block] = value
    return values
