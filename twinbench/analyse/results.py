"""What an analysis says: the only thing that reports see. Units are in the names.

`results.json` is this, and `twinbench schema` prints its JSON Schema (docs/results.schema.json).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from twinbench.findings import Calibration
from twinbench.plan import Load, LoadKind, Plan
from twinbench.store import Machine

Metric = Literal["throughput", "p50", "p99"]
METRICS: tuple[Metric, ...] = ("throughput", "p50", "p99")
CellStatus = Literal["valid", "void", "collapsed"]
Decision = Literal["faster", "slower", "no difference shown", "not comparable"]


class Result(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Estimate(Result):
    """A figure and its 95 % interval over blocks; without bounds where there is one block."""

    estimate: float
    low: float | None = None
    high: float | None = None


class Spectrum(Result):
    """Milliseconds; None where fewer than 20 samples lie beyond the percentile."""

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class Generator(Result):
    """`cpu`: share of its core, 0 to 1; `waited`: share of the time that it was ready and had no
    core. `lag_*`: sent so much later than intended."""

    cpu: float
    waited: float
    lag_p50_ms: float | None
    lag_p99_ms: float | None


class Inside(Result):
    """What telemetry saw inside the window; None where it saw nothing.

    `stolen` and `others`: seconds a second that the host took away from the server's cores, and
    that other processes used of them. `loop_lag_p99_ms`: how late the event loop comes to a timer.
    `*_used_max` and `*_waiting_max`: threads of the pool and connections of the database in use,
    and requests waiting for one, at the most."""

    stolen: float | None = None
    others: float | None = None
    loop_lag_p99_ms: float | None = None
    threads_used_max: int | None = None
    threads_waiting_max: int | None = None
    connections_used_max: int | None = None
    connections_waiting_max: int | None = None


class CellResult(Inside):
    """One measurement. `reasons` say why it is void or collapsed, or what to mind.

    `requests` of a closed load are the good answers inside the measuring window and the `errors`
    since it began, the unanswered ones after it included; of an open load all that were meant to
    be sent inside the window, whenever they were answered, the `errors` among them. `scheduled`
    arrivals were due in it, and `dropped` of these not sent (open loads). `throughput_rps` counts
    good answers that arrived in it. `latency_ms` is done - intended, `service_ms` done - sent;
    `server_cpu_ms` is CPU time per good answer.
    """

    id: int
    block: int
    target: str
    scenario: str
    load: Load
    status: CellStatus
    reasons: list[str]
    requests: int
    errors: int
    scheduled: int
    dropped: int
    throughput_rps: float
    latency_ms: Spectrum
    service_ms: Spectrum
    generator: Generator
    server_cpu: float
    server_cpu_ms: float | None
    server_memory_mib: float


class Point(Result):
    """One load of a curve. `blocks` are the valid ones behind its figures, `collapsed` those in
    which the server stopped answering; one of these marks the point as collapsed. `server_cpu` is
    the share of one core that the server used, `server_cpu_ms` its CPU time per good answer: the
    means of the valid blocks."""

    value: int
    status: CellStatus
    blocks: int
    collapsed: int
    throughput_rps: Estimate | None
    p50_ms: Estimate | None
    p99_ms: Estimate | None
    max_ms: float | None
    server_cpu: float | None
    server_cpu_ms: float | None


class Curve(Result):
    target: str
    scenario: str
    load_kind: LoadKind
    points: list[Point]


class Comparison(Result):
    """Candidate against baseline at one load. `ratio` is candidate / baseline, paired by block;
    `decision` is about the candidate. Where one of the two stopped answering there is no ratio,
    and `survivor` names the other. `differs` is the plan's reason why the two are meant to
    differ; without one they passed the preflight as doing the same work, set up alike."""

    scenario: str
    load: Load
    metric: Metric
    baseline: str
    candidate: str
    ratio: Estimate | None
    blocks: int
    decision: Decision
    survivor: str | None = None
    differs: str | None = None
    reasons: list[str]


class Timing(Result):
    """How long the run took, and how much of that lies inside measuring windows."""

    started: str
    elapsed_s: float
    window_s: float
    sessions: int


class Results(Result):
    format: Literal[1] = 1
    run: str
    plan: Plan
    timing: Timing
    missing_cells: int
    cells: list[CellResult]
    curves: list[Curve]
    comparisons: list[Comparison]
    calibration: Calibration | None
    full_calibration: Calibration | None
    machine: Machine
    versions: dict[str, str]

    def curves_of(self, scenario: str, kind: LoadKind) -> list[Curve]:
        """The curves of one scenario over the loads of one kind, in the order of its targets."""
        return [c for c in self.curves if (c.scenario, c.load_kind) == (scenario, kind)]

    def cells_of(self, curve: Curve) -> list[CellResult]:
        """The measurements behind a curve, in the order of measuring."""
        return [
            cell
            for cell in self.cells
            if (cell.scenario, cell.target, cell.load.kind)
            == (curve.scenario, curve.target, curve.load_kind)
        ]

    def compared(
        self, scenario: str, kind: LoadKind, metric: Metric, candidate: str | None = None
    ) -> list[Comparison]:
        """The comparisons of one scenario (and of one candidate) at loads of one kind, by load."""
        return [
            comparison
            for comparison in self.comparisons
            if (comparison.scenario, comparison.load.kind, comparison.metric)
            == (scenario, kind, metric)
            and candidate in (None, comparison.candidate)
        ]

    def decisive(self, scenario: str, kind: LoadKind) -> Metric:
        """The metric by which targets are compared: users who wait for answers get as many as
        the server gives; arrivals are as many for all targets, and wait longer or shorter. p99,
        unless it lacks samples at a load at which the median does not."""
        if kind == "closed":
            return "throughput"
        medians, tails = (
            {c.load for c in self.compared(scenario, kind, metric) if c.ratio}
            for metric in ("p50", "p99")
        )
        return "p99" if tails and tails >= medians else "p50"

    def pairs(self, kind: LoadKind) -> list[tuple[str, list[Comparison]]]:
        """A name and the decisive comparisons of each scenario and candidate that has loads of
        this kind; the name is the scenario's, with the candidate's where there are several."""
        found = []
        for scenario in self.plan.scenarios:
            candidates = self.plan.targets_of(scenario)[1:]
            metric = self.decisive(scenario.name, kind)
            for candidate in candidates:
                name = scenario.name if len(candidates) == 1 else f"{scenario.name}: {candidate}"
                if compared := self.compared(scenario.name, kind, metric, candidate):
                    found.append((name, compared))
        return found
