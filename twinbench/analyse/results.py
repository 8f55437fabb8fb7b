"""Results of an analysis: the models of results.json, and all that reports see.

`twinbench schema` prints the JSON Schema (docs/results.schema.json). Units are in the names.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from twinbench.models import FrozenModel
from twinbench.plan import AddedBlock, Load, LoadKind, Plan
from twinbench.preflight.result import PreflightPair
from twinbench.selfcheck.result import SelfCheck
from twinbench.store import Machine
from twinbench.versions.result import ComparedVersions

# `per_cpu_s`: correct responses per CPU second of the server.
Metric = Literal["throughput", "per_cpu_s", "p50", "p99"]
METRICS: tuple[Metric, ...] = ("throughput", "per_cpu_s", "p50", "p99")
HIGHER_IS_BETTER: frozenset[Metric] = frozenset({"throughput", "per_cpu_s"})
CellStatus = Literal["valid", "invalid", "collapsed"]
Shown = Literal["faster", "slower", "no difference shown"]
Decision = Literal[Shown, "not comparable"]
Verdict = Literal["supported", "refuted", "not shown"]
# Percentiles of `Point.response_ms` and `Point.service_ms`.
PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99)


class Estimate(FrozenModel):
    """Figure with its 95 % interval over blocks; no bounds with a single block."""

    estimate: float
    low: float | None = None
    high: float | None = None

    def inverse(self, numerator: float = 1.0) -> "Estimate":
        """Return `numerator` / this; an infinite bound is left out."""
        return Estimate(
            estimate=numerator / self.estimate,
            low=numerator / self.high if self.high else None,
            high=numerator / self.low if self.low else None,
        )


class LatencySummary(FrozenModel):
    """Milliseconds; None where fewer than 20 samples lie beyond the percentile."""

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class Generator(FrozenModel):
    """Load generator during the window.

    `cpu` is the share of its core, 0 to 1; `waited` the share of the time in which it was ready to
    run and had no core. `lag_*` is the delay of sends after their intended times.
    """

    cpu: float
    waited: float
    lag_p50_ms: float | None
    lag_p99_ms: float | None


class ServerTelemetry(FrozenModel):
    """Telemetry inside the window; None where nothing was sampled.

    `stolen_cpu` and `other_cpu` are CPU seconds per second on the server's cores: taken by the
    host, and used by other processes. `loop_lag_p99_ms` is the event-loop lag. `*_used_max` and
    `*_waiting_max` are maxima of worker threads and database connections in use, and of requests
    that wait for one.
    """

    stolen_cpu: float | None = None
    other_cpu: float | None = None
    loop_lag_p99_ms: float | None = None
    threads_used_max: int | None = None
    threads_waiting_max: int | None = None
    connections_used_max: int | None = None
    connections_waiting_max: int | None = None


class Database(FrozenModel):
    """Database server that the run has given to a target, in the windows; None if unknown.

    `cpu`: share of one core; `connections_max`: the most that were open. Of its sessions `active`
    executed a statement, on average, and `waiting` of those waited for a lock, the disk or
    another process.
    """

    cpu: float | None
    connections_max: int | None
    active: float | None
    waiting: float | None


class CellFigures(ServerTelemetry):
    """Figures of one measurement; which requests count: docs/results.md.

    `requests` includes the `errors`. Of an open load, `scheduled` arrivals were due in the window,
    and `dropped` of them were not sent. `idle_cpu` is the share of a core that the busiest server
    of another target used in the windows; `restarted` why the server was replaced in this block.
    `latency_ms` is done - intended, `service_ms` done - sent;
    background requests count everywhere else. `client`: of Locust, that sent the requests of a
    locustfile; empty: twinbench's own. `in_flight` is the mean number of requests in flight.
    `server_cpu` is the share of one core,
    `server_cpu_ms` CPU time per correct response, `per_cpu_s` correct responses per CPU second.
    """

    id: int
    block: int
    target: str
    scenario: str
    load: Load
    requests: int
    errors: int
    scheduled: int
    dropped: int
    throughput_rps: float
    latency_ms: LatencySummary
    service_ms: LatencySummary
    generator: Generator
    client: str = ""
    in_flight: float = 0.0
    server_cpu: float | None
    server_cpu_ms: float | None
    per_cpu_s: float | None
    server_memory_mib: float | None
    idle_cpu: float | None = None
    database: Database | None = None
    restarted: str = ""

    @property
    def client_limit_rps(self) -> float:
        """Throughput at which the generator would use all of its core; 0 if not known."""
        return self.throughput_rps / self.generator.cpu if self.generator.cpu else 0.0


class CellResult(CellFigures):
    """One measurement. `reasons` say why it is invalid or collapsed; of a valid one, remarks.

    `disturbed`: invalid for a reason of the machine alone.
    """

    status: CellStatus
    reasons: list[str]
    disturbed: bool = False


class Timeline(FrozenModel):
    """One measurement over time, warm-up included; seconds since the start of its window.

    Of one with several windows, only the time inside them.
    `counts[i][j]` are responses that arrived between `seconds[i]` and `seconds[i + 1]`, after a
    response time between `latency_ms[j]` and `latency_ms[j + 1]`, without background requests. It
    ends with the last response or with the window, whichever is later; where the server
    collapsed, with the load. The other lists are telemetry at `sampled_s`.
    """

    cell: int
    target: str
    scenario: str
    load: Load
    window_s: float
    seconds: list[float]
    latency_ms: list[float]
    counts: list[list[int]]
    sampled_s: list[float]
    loop_lag_ms: list[float | None]
    threads_waiting: list[float | None]
    connections_waiting: list[float | None]


class Point(FrozenModel):
    """One load of a curve.

    `blocks` are the valid ones, `collapsed` those in which the server collapsed; one of these
    makes the point collapsed. `server_cpu` and `server_cpu_ms` are means of the valid blocks.
    `response_ms` and `service_ms` are the percentiles `PERCENTS` of the requests of all valid
    blocks together, None with fewer than 20 samples beyond.
    """

    value: int
    status: CellStatus
    blocks: int
    collapsed: int
    throughput_rps: Estimate | None
    per_cpu_s: Estimate | None
    p50_ms: Estimate | None
    p99_ms: Estimate | None
    max_ms: float | None
    server_cpu: float | None
    server_cpu_ms: float | None
    response_ms: list[float | None]
    service_ms: list[float | None]


class Capacity(FrozenModel):
    """Highest throughput of a closed curve, and the number of users (`value`) at which it is.

    `at_edge`: no higher load has a result, so more may be possible.
    """

    value: int
    throughput_rps: Estimate
    at_edge: bool


class Objective(FrozenModel):
    """Highest load up to which every load meets p99 <= `slo_ms`; `value` is None where none does.

    `until` says why it ends there: `missed` (the next load has a higher p99), `collapsed` (at the
    next load), `not known` (the next load is invalid, or has too few samples for a p99), or
    `range` (it is the highest load of the plan).
    """

    slo_ms: float
    value: int | None
    until: Literal["missed", "collapsed", "not known", "range"]


class Prediction(FrozenModel):
    """Throughput that `limit` threads or connections allow, each held for `held_ms`."""

    by: Literal["threads", "connections"]
    limit: int
    held_ms: float
    rps: float


class Curve(FrozenModel):
    """One target and scenario over the loads of one kind.

    `capacity` and `prediction` are those of closed loads only.
    """

    target: str
    scenario: str
    load_kind: LoadKind
    points: list[Point]
    capacity: Capacity | None = None
    objective: Objective | None = None
    prediction: Prediction | None = None


class NamedRequests(FrozenModel):
    """Requests of a locustfile with one name, in the windows of all valid blocks at one load.

    `requests` includes the `errors`, which the percentiles do not.
    """

    scenario: str
    target: str
    load: Load
    name: str
    requests: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None


class Comparison(FrozenModel):
    """Candidate against baseline at one load, by one metric.

    `ratio` is candidate / baseline, paired by block, over the `blocks` in which both are valid.
    `adjusted_p` is the probability of a ratio so far beyond the margin if the true one were at the
    margin, adjusted (Holm) for the loads of the same scenario, candidate, load kind and metric;
    below 0.05 there is a decision. `smallest_difference` is how far from 1 (0.12: 12 % more) the
    ratio would have had to be for a decision in four cases of five; `halved_by` times as many
    blocks would halve it.

    `collapses` say in how many blocks a target collapsed. Where one did in half of its blocks or
    more there is no ratio, and `not_collapsed` is the other, if it responded. `aa_check`: the two
    are the same target. `expected_differences` is the plan's reason why they differ.
    """

    scenario: str
    load: Load
    metric: Metric
    baseline: str
    candidate: str
    ratio: Estimate | None
    blocks: int
    decision: Decision
    adjusted_p: float | None = None
    smallest_difference: float | None = None
    halved_by: float | None = None
    aa_check: bool = False
    not_collapsed: str | None = None
    collapses: list[str] = Field(default=[])
    expected_differences: str | None = None
    reasons: list[str]


# Of a row of a comparison of versions, and of the comparison as a whole.
VersionVerdict = Literal[Shown, "could not tell"]


class VersionRow(FrozenModel):
    """Head against base in one scenario at one load, by one metric.

    `base` and `head` are the figures in the unit of the metric, of the blocks of the ratio if there
    is one; that of base is of both of its targets. `ratio` is head / base, paired by block, over
    the `blocks` in which head and one of base's targets are valid; `aa_ratio` base again / base,
    `cpu_ratio` CPU time per correct response, head / base. `adjusted_p` and `smallest_difference`
    as in `Comparison`, adjusted for all rows. `fails`: slower by more than `fail_on`. `reasons` say
    why there is no verdict, what collapsed, or what was nearly shown.
    """

    scenario: str
    load: Load
    metric: Metric
    base: Estimate | None
    head: Estimate | None
    ratio: Estimate | None
    aa_ratio: Estimate | None
    cpu_ratio: Estimate | None
    blocks: int
    verdict: VersionVerdict
    adjusted_p: float | None = None
    smallest_difference: float | None = None
    fails: bool = False
    reasons: list[str] = Field(default=[])


class VersionComparison(FrozenModel):
    """compare.json: two versions of one app.

    `verdict`: slower if a row is, else faster if a row is; could not tell if base again differs
    from base in any row (`noisy`), or no row has a verdict, with the `reasons`. `fails`: a row is
    slower by more than `versions.fail_on`, and there is a verdict. `margin` is the difference that
    does not count: 0.03, a factor of 1.03. `would_have_seen` is the largest `smallest_difference`
    of rows without a difference, `blocks` those of the plan, `elapsed_s` the duration of the run.
    """

    format: Literal[1] = 1
    run: str
    plan: str
    versions: ComparedVersions
    margin: float
    blocks: int
    elapsed_s: float
    verdict: VersionVerdict
    noisy: bool = False
    fails: bool
    reasons: list[str] = Field(default=[])
    would_have_seen: float | None
    rows: list[VersionRow]


class SweptTarget(FrozenModel):
    """Target of a plan with a sweep.

    `of` is the target of the plan that was varied, `values` those of its settings by name; empty if
    it was not varied. `threads` are worker threads and `connections` those of the pool, overflow
    included, of one process: of the built-in apps, None of others and of an app without worker
    threads for its routes. `cost` is their sum, of other apps the sum of the values that are whole
    numbers. `deadlock_users` is the least number of users at which a deadlock is possible.
    """

    target: str
    of: str
    values: dict[str, str]
    workers: int
    threads: int | None
    connections: int | None
    cost: int
    deadlock_users: int | None


class SweepChoice(FrozenModel):
    """Targets that meet the SLO at this load and every lower one: by workers, then by cost."""

    scenario: str
    load: Load
    targets: list[str]


class SweepResult(FrozenModel):
    """Targets of a sweep. `axes` are the values of each setting by its name."""

    axes: dict[str, list[str]]
    targets: list[SweptTarget]
    choices: list[SweepChoice]


class ClaimResult(FrozenModel):
    """Verdict on a public claim.

    `evidence` are the deciding figures in one line, with what each condition expects in brackets;
    `cells` the measurements behind all conditions.
    """

    id: str
    text: str
    source: str
    verdict: Verdict
    evidence: str
    cells: list[int]


class Timing(FrozenModel):
    """Start of the run in local time, its duration, and how it was spent.

    `window_s` inside measuring windows; `warmup_s` beside them under load: connecting, warm-up,
    draining; `starts_s` on starting servers; `checks_s` the rest: preflight and self-check.
    """

    started: str
    elapsed_s: float
    window_s: float
    warmup_s: float
    starts_s: float
    checks_s: float
    sessions: int


class Results(FrozenModel):
    """results.json.

    `added` are blocks beyond the plan's. `sweep`: of a plan with one, which has no comparisons.
    `remarks` are about the run as a whole: what is missing, and why. `versions` are of twinbench's
    environment; `target_versions` of targets with an environment or a server of their own.
    `compared_versions`: of a run whose targets are versions of one app.
    """

    format: Literal[8] = 8
    run: str
    plan: Plan
    timing: Timing
    added: list[AddedBlock] = Field(default=[])
    missing_cells: int
    preflight: list[PreflightPair] = Field(default=[])
    remarks: list[str] = Field(default=[])
    cells: list[CellResult]
    curves: list[Curve]
    comparisons: list[Comparison]
    claims: list[ClaimResult]
    timelines: list[Timeline]
    by_name: list[NamedRequests] = Field(default=[])
    sweep: SweepResult | None = None
    self_check: SelfCheck | None
    machine: Machine
    versions: dict[str, str]
    target_versions: dict[str, dict[str, str]] = Field(default={})
    compared_versions: ComparedVersions | None = None

    def version(self, package: str, target: str) -> str:
        """Return the version of a package that a target uses; empty if it is not known."""
        return self.target_versions.get(target, self.versions).get(package, "")

    def curves_of(self, scenario: str, kind: LoadKind) -> list[Curve]:
        """Return the curves of a scenario over the loads of one kind, in the order of targets."""
        return [c for c in self.curves if (c.scenario, c.load_kind) == (scenario, kind)]

    def cells_of(self, curve: Curve) -> list[CellResult]:
        """Return the measurements of a curve, in the order of measuring."""
        wanted = (curve.scenario, curve.target, curve.load_kind)
        return [c for c in self.cells if (c.scenario, c.target, c.load.kind) == wanted]

    def compared(
        self, scenario: str, kind: LoadKind, metric: Metric, candidate: str | None = None
    ) -> list[Comparison]:
        """Return the comparisons of a scenario (and candidate) at loads of one kind, by load."""
        return [
            comparison
            for comparison in self.comparisons
            if (comparison.scenario, comparison.load.kind, comparison.metric)
            == (scenario, kind, metric)
            and candidate in (None, comparison.candidate)
        ]

    def primary_metric(self, scenario: str, kind: LoadKind) -> Metric:
        """Return the metric by which reports compare targets."""
        return primary_metric(self.comparisons, self.cells, scenario, kind)


def primary_metric(
    compared: Sequence[Comparison], cells: Sequence[CellResult], scenario: str, kind: LoadKind
) -> Metric:
    """Return the metric by which targets are compared.

    Closed loads: throughput. Open loads, and users who mostly wait, fix the throughput: p99, unless
    it lacks samples at a load at which the median does not.
    """
    if kind == "closed" and not users_mostly_wait(cells, scenario):
        return "throughput"
    medians, tails = (
        {
            c.load
            for c in compared
            if (c.scenario, c.load.kind, c.metric) == (scenario, kind, metric) and c.ratio
        }
        for metric in ("p50", "p99")
    )
    return "p99" if tails and tails >= medians else "p50"


def users_mostly_wait(cells: Sequence[CellResult], scenario: str) -> bool:
    """Return whether most users of a locustfile wait, between requests, at each load."""
    own = [c for c in cells if c.scenario == scenario and c.client and c.status == "valid"]
    return bool(own) and all(cell.in_flight < cell.load.value / 2 for cell in own)
