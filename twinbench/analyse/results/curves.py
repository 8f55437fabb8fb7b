"""One measure of one target and scenario over the loads, and what it means."""

from typing import Literal

from twinbench.analyse.results.base import CellStatus, Estimate, Result
from twinbench.plan import LoadKind

# Of a point's percentile spectrum.
PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99)


class Point(Result):
    """One load of a curve. `blocks` are the valid ones behind its figures, `collapsed` those in
    which the server stopped answering; one of these marks the point as collapsed. `server_cpu` is
    the share of one core that the server used, `server_cpu_ms` its CPU time per good answer: the
    means of the valid blocks. `response_ms` and `service_ms` are the percentiles named in
    `PERCENTS` of all valid blocks' requests together, null with fewer than 20 samples beyond."""

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


class Capacity(Result):
    """The highest good throughput of a closed curve, and at which load; `at_edge`: that is the
    highest load tried, or no higher one has a result, so more may be possible."""

    value: int
    throughput_rps: Estimate
    at_edge: bool


class Objective(Result):
    """The highest load up to which every load meets p99 <= `slo_ms`. `value` is None where not even
    the lowest does. `until`: why it ends there: `missed` (the next load has a higher p99),
    `collapsed` (the server stops answering there), `not known` (the next load is invalid, or has
    too few samples for a p99), or `range` (it is the highest load tried).
    `missed`: the lowest load known to have a higher p99."""

    slo_ms: float
    value: int | None
    until: Literal["missed", "collapsed", "not known", "range"]
    missed: int | None = None


class Prediction(Result):
    """The throughput that `limit` threads or connections allow, each held for `held_ms`."""

    by: Literal["threads", "connections"]
    limit: int
    held_ms: float
    rps: float


class Curve(Result):
    """`capacity` and `prediction` of closed loads only."""

    target: str
    scenario: str
    load_kind: LoadKind
    points: list[Point]
    capacity: Capacity | None = None
    objective: Objective | None = None
    prediction: Prediction | None = None
