"""Results made up without a run: what an analysis would say of known ratios and collapses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests import runs
from twinbench.analyse.results import (
    METRICS,
    PERCENTS,
    CellResult,
    CellStatus,
    Comparison,
    Crossover,
    Curve,
    Decision,
    Estimate,
    Generator,
    Metric,
    Point,
    Results,
    Spectrum,
    Timing,
)
from twinbench.plan import Cell, Load, LoadKind, Plan, Scenario, cells

BASELINE_RPS = 1000.0
INVALID_REASON = "half of the requests were sent late: lower the rate"


@dataclass(frozen=True)
class Outcome:
    """What is found at one load. `ratio` is candidate / baseline, of throughput or of p99; beyond
    3 % there is a decision unless `hidden`, the smallest difference, is larger. In the first
    `times` blocks those in `fallen` stop answering; the first `lost` are invalid, others not."""

    ratio: float = 1.0
    hidden: float | None = None
    fallen: tuple[str, ...] = ()
    times: int = 5
    invalid: bool = False
    lost: int = 0
    same: bool = False


INVALID = Outcome(invalid=True)


def stops(*fallen: str, times: int = 5) -> Outcome:
    return Outcome(fallen=fallen, times=times)


def level(hidden: float = 0.12, ratio: float = 1.0) -> Outcome:
    return Outcome(ratio=ratio, hidden=hidden)


@dataclass(frozen=True)
class Made:
    """A scenario; an outcome for each load, or one for each candidate at each load."""

    name: str
    closed: Mapping[int, Outcome | Mapping[str, Outcome]] = field(default_factory=dict)
    open: Mapping[int, Outcome | Mapping[str, Outcome]] = field(default_factory=dict)
    targets: tuple[str, ...] = ("sync", "async")

    def outcome(self, load: Load, candidate: str) -> Outcome:
        found = (self.closed if load.kind == "closed" else self.open)[load.value]
        return found if isinstance(found, Outcome) else found[candidate]

    def outcomes(self, load: Load) -> list[Outcome]:
        return [self.outcome(load, name) for name in self.targets[1:] or self.targets]


def results(
    *made: Made,
    blocks: int = 5,
    targets: Sequence[Mapping[str, object]] = (),
    crossovers: Sequence[Crossover] = (),
) -> Results:
    plan = _plan(made, blocks, targets)
    by_name = {scenario.name: scenario for scenario in made}
    found = [_cell(cell, by_name[cell.scenario]) for cell in cells(plan)]
    own: dict[tuple[str, str, Load], list[CellResult]] = {}
    for cell in found:
        own.setdefault((cell.scenario, cell.target, cell.load), []).append(cell)
    return Results(
        run="made-up",
        plan=plan,
        timing=Timing(started="2026-01-17T12:00:00+00:00", elapsed_s=60, window_s=30, sessions=1),
        missing_cells=0,
        cells=found,
        curves=[c for scenario in plan.scenarios for c in _curves(scenario, own)],
        comparisons=[c for s in plan.scenarios for c in _comparisons(plan, s, by_name[s.name])],
        crossovers=list(crossovers),
        claims=[],
        timelines=[],
        self_check=None,
        machine=runs.manifest(plan).machine,
        versions={"python": "3.11", "fastapi": "0"},
    )


def _plan(made: Sequence[Made], blocks: int, targets: Sequence[Mapping[str, object]]) -> Plan:
    names = dict.fromkeys(name for scenario in made for name in scenario.targets)
    scenarios = [
        {
            "name": scenario.name,
            "requests": [{"path": "/"}],
            "closed": sorted(scenario.closed),
            "open": sorted(scenario.open),
            "targets": list(scenario.targets),
        }
        for scenario in made
    ]
    given = list(targets) or [{"name": name, "app": "a:app"} for name in names]
    return runs.plan(targets=given, scenarios=scenarios, blocks=blocks)


def _cell(cell: Cell, made: Made) -> CellResult:
    there = made.outcomes(cell.load)
    fell = any(cell.target in found.fallen and cell.block <= found.times for found in there)
    invalid = any(found.invalid or cell.block <= found.lost for found in there)
    status: CellStatus = "invalid" if invalid else "collapsed" if fell else "valid"
    ratio = made.outcome(cell.load, cell.target).ratio if cell.target in made.targets[1:] else 1.0
    reasons = {"invalid": [INVALID_REASON], "collapsed": ["no answer for 2 s"], "valid": []}
    return CellResult(
        id=cell.number,
        block=cell.block,
        target=cell.target,
        scenario=cell.scenario,
        load=cell.load,
        status=status,
        reasons=reasons[status],
        requests=1000,
        errors=0,
        scheduled=0,
        dropped=0,
        throughput_rps=BASELINE_RPS * ratio,
        latency_ms=Spectrum(),
        service_ms=Spectrum(),
        generator=Generator(cpu=0.1, waited=0.0, lag_p50_ms=None, lag_p99_ms=None),
        server_cpu=0.5,
        server_cpu_ms=0.5,
        per_cpu_s=2000.0,
        slices=[100] * 10,
        server_memory_mib=100.0,
    )


def _curves(
    scenario: Scenario, own: Mapping[tuple[str, str, Load], list[CellResult]]
) -> list[Curve]:
    kinds: list[tuple[LoadKind, list[int]]] = [("closed", scenario.closed), ("open", scenario.open)]
    return [
        Curve(
            target=target,
            scenario=scenario.name,
            load_kind=kind,
            points=[_point(n, own[scenario.name, target, Load(kind, n)]) for n in loads],
        )
        for kind, loads in kinds
        if loads
        for target in scenario.targets
    ]


def _point(load: int, own: Sequence[CellResult]) -> Point:
    valid = [cell for cell in own if cell.status == "valid"]
    fallen = sum(cell.status == "collapsed" for cell in own)
    rate = Estimate(estimate=valid[0].throughput_rps) if valid else None
    return Point(
        value=load,
        status="collapsed" if fallen else "valid" if valid else "invalid",
        blocks=len(valid),
        collapsed=fallen,
        throughput_rps=rate,
        per_cpu_s=None,
        p50_ms=None,
        p99_ms=None,
        max_ms=None,
        server_cpu=None,
        server_cpu_ms=None,
        response_ms=[None] * len(PERCENTS),
        service_ms=[None] * len(PERCENTS),
    )


def _comparisons(plan: Plan, scenario: Scenario, made: Made) -> list[Comparison]:
    loads = [Load("closed", n) for n in scenario.closed] + [Load("open", n) for n in scenario.open]
    return [
        _comparison(plan, made, candidate, load, metric)
        for candidate in made.targets[1:]
        for load in loads
        for metric in METRICS
    ]


def _comparison(plan: Plan, made: Made, candidate: str, load: Load, metric: Metric) -> Comparison:
    found, pair = made.outcome(load, candidate), (made.targets[0], candidate)
    told = metric == "throughput" if load.kind == "closed" else metric == "p99"
    fallen = [name for name in pair if name in found.fallen]
    comparison = Comparison(
        scenario=made.name,
        load=load,
        metric=metric,
        baseline=pair[0],
        candidate=pair[1],
        ratio=None,
        blocks=plan.blocks,
        decision="not comparable",
        same=found.same,
        survivor=next(n for n in pair if n not in fallen) if len(fallen) == 1 else None,
        expected_differences=plan.target(candidate).expected_differences_text or None,
        reasons=_reasons(plan, found),
    )
    if not told or found.invalid or fallen:
        return comparison
    comparison.ratio = Estimate(estimate=found.ratio)
    if plan.blocks > 1:
        comparison.ratio.low, comparison.ratio.high = found.ratio / 1.02, found.ratio * 1.02
        comparison.decision = _decision(found, metric)
        comparison.smallest_difference = found.hidden or 0.05
    return comparison


def _reasons(plan: Plan, found: Outcome) -> list[str]:
    if found.invalid:
        return ["no valid cells of sync and async"]
    return ["one block alone has no interval"] if plan.blocks == 1 else []


def _decision(found: Outcome, metric: Metric) -> Decision:
    if found.hidden or 1 / 1.03 < found.ratio < 1.03:
        return "no difference shown"
    return "faster" if (found.ratio > 1) == (metric == "throughput") else "slower"
