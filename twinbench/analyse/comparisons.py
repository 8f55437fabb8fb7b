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
from twinbench.plan import Load, Plan

# A difference smaller than this matters to nobody who chooses between two designs.
MARGIN = 0.03


def comparisons(plan: Plan, cells: Sequence[CellResult]) -> list[Comparison]:
    """Every other target of a scenario against its first, at each load, for each metric."""
    found = []
    for scenario in plan.scenarios:
        baseline, *candidates = plan.targets_of(scenario)
        for candidate in candidates:
            for users in sorted(scenario.closed):
                load = Load("closed", users)
                there = [c for c in cells if c.scenario == scenario.name and c.load == load]
                pair = (
                    [cell for cell in there if cell.target == baseline],
                    [cell for cell in there if cell.target == candidate],
                )
                for metric in METRICS:
                    ratio, blocks, decision, reasons = _compare(metric, *pair)
                    standing = _standing(there, (baseline, candidate))
                    fallen = any(cell.status == "collapsed" for part in pair for cell in part)
                    found.append(
                        Comparison(
                            scenario=scenario.name,
                            load=load,
                            metric=metric,
                            baseline=baseline,
                            candidate=candidate,
                            ratio=ratio,
                            blocks=blocks,
                            decision=decision,
                            survivor=standing[0] if fallen and len(standing) == 1 else None,
                            differs=_differs(plan, (candidate, baseline)),
                            reasons=reasons,
                        )
                    )
    return found


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
    metric: Metric, baseline: Sequence[CellResult], candidate: Sequence[CellResult]
) -> tuple[Estimate | None, int, Decision, list[str]]:
    """Ratio, number of pairs, decision and its reasons."""
    if collapsed := list(_collapsed((*baseline, *candidate))):
        return None, 0, "not comparable", collapsed
    one, other = _by_block(metric, baseline), _by_block(metric, candidate)
    pairs = sorted(one.keys() & other.keys())
    ratio = geometric([other[block] / one[block] for block in pairs])
    if ratio is None:
        counted = any(cell.status == "valid" for cell in (*baseline, *candidate))
        what = f"too few samples for a {metric} in any block" if counted else "no valid cells"
        return None, 0, "not comparable", [what]
    decision = decide(metric, ratio)
    if decision == "not comparable":
        return ratio, len(pairs), decision, ["one block alone has no interval"]
    return ratio, len(pairs), decision, []


def _collapsed(cells: Sequence[CellResult]) -> Iterable[str]:
    for target in dict.fromkeys(cell.target for cell in cells):
        own = [cell for cell in cells if cell.target == target]
        times = sum(cell.status == "collapsed" for cell in own)
        if times:
            yield f"{target} stopped answering in {times} of {len(own)} blocks"


def _standing(cells: Sequence[CellResult], pair: tuple[str, str]) -> list[str]:
    """Who of the pair answered, and never stopped."""
    statuses = {t: {cell.status for cell in cells if cell.target == t} for t in pair}
    return [t for t in pair if "valid" in statuses[t] and "collapsed" not in statuses[t]]


def _differs(plan: Plan, pair: tuple[str, str]) -> str | None:
    """The first reason that the plan gives for one of the pair to differ from the other."""
    return next((why for name in pair if (why := plan.target(name).why_differs)), None)


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
