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
    `collapsed` (the server stops answering there), `not known` (the next load is void, or has too
    few samples for a p99), or `range` (it is the highest load tried).
    `missed`: the lowest load known to have a higher p99."""

    slo_ms: float
    value: int | None
    until: Literal["missed", "collapsed", "not known", "range"]
    missed: int | None = None


class Bound(Result):
    """A limit on throughput. `users`: so many users, each waiting `service_ms` for its answer
    (`rps` is then that of one user); `threads`, `connections`: so many, each held for
    `service_ms`; `cpu`: what the cores of the server can do at `limit` ms of CPU a request."""

    by: Literal["users", "threads", "connections", "cpu"]
    limit: float
    rps: float


class Usl(Result):
    """The Universal Scalability Law, N users: `rate_rps` N / (1 + `contention` (N - 1) +
    `coherency` N (N - 1)), fitted to the loads from `low` to `high` and not meant beyond. `r2`:
    share of the variance of log throughput that it explains. Source: N. J. Gunther, Guerrilla
    Capacity Planning, 2007, chapter 4."""

    rate_rps: float
    contention: float
    coherency: float
    r2: float
    low: int
    high: int


class Law(Result):
    """What a closed curve should look like: at N users the least of its `bounds`. `service_ms`: the
    mean service time at the lowest load, `at` users. `predicted_rps`: a figure for each point of
    the curve, by the bounds. `usl` only where neither threads nor connections are the limit,
    and with four valid points or more. `threads_full`: so many threads, all in use at the highest
    load, with requests waiting for one, while the cores are not full."""

    at: int
    service_ms: float
    bounds: list[Bound]
    predicted_rps: list[float]
    usl: Usl | None = None
    threads_full: int | None = None


class Curve(Result):
    """`capacity` and `law` of closed loads only."""

    target: str
    scenario: str
    load_kind: LoadKind
    points: list[Point]
    capacity: Capacity | None = None
    objective: Objective | None = None
    law: Law | None = None
