"""One measurement: its figures, its judgement, and how it went over time."""

from twinbench.analyse.results.base import CellStatus, Result
from twinbench.plan import Load


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


class ServerTelemetry(Result):
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


class CellResult(ServerTelemetry):
    """One measurement. `reasons` say why it is invalid or collapsed, or what to mind.

    `requests` of a closed load are the good answers inside the measuring window and the `errors`
    since it began, the unanswered ones after it included; of an open load all that were meant to
    be sent inside the window, whenever they were answered, the `errors` among them. `scheduled`
    arrivals were due in it, and `dropped` of these not sent (open loads). `throughput_rps` counts
    good answers that arrived in it; of a closed load each by the share of [sent, done] that lies
    inside it. `slices`: so many in each of ten equal parts of it. `latency_ms` is done - intended,
    `service_ms` done - sent; `server_cpu_ms` is CPU time per good answer, `per_cpu_s` good answers
    per CPU second. Neighbours (of a scenario that has them) count everywhere but in `latency_ms`
    and `service_ms`.
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
    server_cpu: float | None
    server_cpu_ms: float | None
    per_cpu_s: float | None
    slices: list[float]
    server_memory_mib: float | None


class Timeline(Result):
    """How one cell went, warm-up included. Seconds count from the beginning of its window.

    `counts[i][j]`: answers that arrived between `seconds[i]` and `seconds[i + 1]`, after a
    response time between `latency_ms[j]` and `latency_ms[j + 1]`; neighbours' are left out. It ends
    with the last answer, not before its window does, but where the server collapsed: then with the
    load. At `sampled_s`: what telemetry saw, null where it saw nothing.
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
