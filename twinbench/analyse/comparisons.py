"""Candidate against baseline at each load: ratio, decision, and a cross-check."""

import zlib
from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from twinbench.analyse.bootstrap import bootstrap
from twinbench.analyse.decisions import Judged, judge
from twinbench.analyse.intervals import geometric
from twinbench.analyse.pairs import Pair, ratios
from twinbench.analyse.results import METRICS, CellResult, Comparison, Estimate, Metric
from twinbench.findings import Floor
from twinbench.plan import Plan, Scenario, loads_of


def comparisons(
    plan: Plan, cells: Sequence[CellResult], floor: Floor | None = None
) -> list[Comparison]:
    """Every other target of a scenario against its first, for each metric, at each load."""
    return [
        comparison
        for scenario in plan.scenarios
        for candidate in plan.targets_of(scenario)[1:]
        for pairs in _by_kind(plan, scenario, candidate, cells)
        for metric in METRICS
        for comparison in _family(metric, pairs, floor)
    ]


def _by_kind(
    plan: Plan, scenario: Scenario, candidate: str, cells: Sequence[CellResult]
) -> Iterable[list[Pair]]:
    """All loads of a kind together."""
    for _, loads in groupby(loads_of(scenario), key=lambda load: load.kind):
        yield [Pair.of(plan, scenario, candidate, load, cells) for load in loads]


def _family(metric: Metric, pairs: Sequence[Pair], floor: Floor | None) -> Iterable[Comparison]:
    """One question, asked at several loads: what is decided at one depends on how many have an
    answer at all."""
    found = {pair.load: ratios(metric, pair, floor) for pair in pairs}
    judged = judge(metric, {load: np.log(r) for load, (r, _) in found.items() if len(r) > 1})
    for pair in pairs:
        yield _comparison(metric, pair, *found[pair.load], judged.get(pair.load))


def _comparison(
    metric: Metric, pair: Pair, by_block: list[float], why: list[str], judged: Judged | None
) -> Comparison:
    baseline, candidate = pair.names
    comparison = Comparison(
        scenario=pair.scenario,
        load=pair.load,
        metric=metric,
        baseline=baseline,
        candidate=candidate,
        ratio=geometric(by_block),
        blocks=len(by_block),
        decision="not comparable",
        same=pair.same,
        survivor=pair.survivor,
        collapses=pair.collapses,
        expected_differences=pair.expected_differences,
        reasons=why,
    )
    return _decided(comparison, pair, judged) if judged else comparison


def _decided(comparison: Comparison, pair: Pair, judged: Judged) -> Comparison:
    check = _cross_check(pair) if comparison.metric == "throughput" else None
    return comparison.model_copy(
        update={
            "decision": judged.decision,
            "adjusted_p": judged.adjusted_p,
            "smallest_difference": judged.smallest_difference,
            "bootstrap": check,
            "reasons": [*judged.reasons, *_doubts(judged, check)],
        }
    )


def _cross_check(pair: Pair) -> Estimate:
    """Drawn anew for each pair, and alike each time that a run is analysed."""
    what = f"{pair.scenario} {pair.names} {pair.load}"
    return bootstrap(pair.measured("throughput"), zlib.crc32(what.encode()))


def _doubts(judged: Judged, check: Estimate | None) -> Iterable[str]:
    """A decision stands whatever the cross-check says; the reader is told."""
    if check is None or check.low is None or check.high is None:
        return
    if judged.decision != "no difference shown" and check.low <= 1 <= check.high:
        yield (
            f"a cross-check by another method (bootstrap) finds {check.low:.2f} to"
            f" {check.high:.2f}, and so does not exclude that the two are equal"
        )
