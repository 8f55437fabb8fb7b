"""Results made up for claims: figures in, so that known verdicts must come out."""

from collections.abc import Mapping, Sequence

from tests import runs
from twinbench.analyse.claims import Claim, judge
from twinbench.analyse.results import (
    CellResult,
    CellStatus,
    Comparison,
    Estimate,
    Evidence,
    Generator,
    Metric,
    Results,
    Spectrum,
    Timing,
)
from twinbench.findings import Calibration
from twinbench.paths import PLANS
from twinbench.plan import Load, Plan, read_plan

FULL = read_plan(PLANS / "full.toml")
USERS = Load("closed", 128)


def cell(
    scenario: str,
    target: str,
    load: Load = USERS,
    block: int = 1,
    *,
    status: CellStatus = "valid",
    p50_ms: float | None = None,
    p99_ms: float | None = None,
    **figures: float | None,
) -> CellResult:
    """Its id is the block's number, plus 100 for each but the first target of `FULL`."""
    names = [target.name for target in FULL.targets]
    times = Spectrum(p50=p50_ms, p99=p99_ms)
    values: dict[str, object] = {
        "id": block + 100 * names.index(target) if target in names else block,
        "reasons": [],
        "throughput_rps": 1000.0,
        "server_cpu_ms": None,
        "per_cpu_s": None,
        "slices": [],
        "generator": Generator(cpu=0.1, waited=0.0, lag_p50_ms=None, lag_p99_ms=None),
    }
    zeros = ("requests", "errors", "scheduled", "dropped", "server_cpu", "server_memory_mib")
    return CellResult.model_validate(
        dict.fromkeys(zeros, 0)
        | {"block": block, "target": target, "scenario": scenario, "load": load, "status": status}
        | {"latency_ms": times, "service_ms": times}
        | values
        | figures
    )


def blocks(
    scenario: str, target: str, name: str, values: Sequence[float], load: Load = USERS
) -> list[CellResult]:
    """A valid cell for each value of the figure `name`."""
    figures: list[dict[str, float]] = [{name: value} for value in values]
    return [
        cell(scenario, target, load, block, **figure)  # type: ignore[arg-type]
        for block, figure in enumerate(figures, start=1)
    ]


def compared(
    scenario: str,
    interval: tuple[float, float] | None,
    metric: Metric = "throughput",
    load: Load = USERS,
    **changes: object,
) -> Comparison:
    """async against sync, with that interval of the ratio."""
    values: dict[str, object] = {
        "baseline": "sync",
        "candidate": "async",
        "ratio": None,
        "blocks": 6,
        "decision": "no difference shown",
        "reasons": [],
    }
    if interval:
        low, high = interval
        values["ratio"] = Estimate(estimate=(low * high) ** 0.5, low=low, high=high)
    return Comparison.model_validate(
        values | {"scenario": scenario, "metric": metric, "load": load} | changes
    )


def results(
    cells: Sequence[CellResult] = (),
    comparisons: Sequence[Comparison] = (),
    plan: Plan = FULL,
    calibration: Calibration | None = None,
) -> Results:
    return Results(
        run="made-up",
        plan=plan,
        timing=Timing(started="", elapsed_s=1.0, window_s=1.0, sessions=1),
        missing_cells=0,
        cells=list(cells),
        curves=[],
        comparisons=list(comparisons),
        crossovers=[],
        claims=[],
        timelines=[],
        calibration=calibration,
        full_calibration=None,
        machine=runs.manifest(plan).machine,
        versions={},
    )


def claim(*conditions: Mapping[str, object]) -> Claim:
    return Claim.model_validate(
        {"id": "made-up", "text": "A text.", "source": "A source", "conditions": list(conditions)}
    )


def looked(condition: Mapping[str, object], found: Results) -> Evidence:
    """What the results say of a claim with this one condition."""
    [judged] = judge([claim(condition)], found)
    [evidence] = judged.evidence
    assert evidence.verdict == judged.verdict
    return evidence
