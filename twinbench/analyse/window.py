"""Figures of one measurement, from its records and telemetry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twinbench.analyse.results import (
    CellFigures,
    CellResult,
    Database,
    Generator,
    LatencySummary,
    ServerTelemetry,
)
from twinbench.plan import LoadKind, Scenario
from twinbench.store import CellRecord

NS_PER_MS, NS_PER_S = 1e6, 1e9
# A percentile with fewer samples beyond it changes from run to run by whole samples.
SAMPLES_BEYOND = 20
# Less telemetry than this is too little for a share of CPU time, which is counted in 10 ms.
LEAST_SAMPLED_S = 0.4
GAUGES = ("threads_used", "threads_waiting", "connections_used", "connections_waiting")
TELEMETRY_COLUMNS = (*("t_ns", "cores_busy_s", "cpu_s", "cores_stolen_s", "loop_lag_ms"), *GAUGES)

Timestamps = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Windows:
    """Measuring windows of a cell, and all its requests, warm-up included.

    `edges_ns`: begin and end of each window, in order. Masks select requests. A timestamp of 0
    means that it did not happen.
    """

    kind: LoadKind
    edges_ns: Timestamps
    intended_ns: Timestamps
    sent_ns: Timestamps
    done_ns: Timestamps
    correct: Mask
    background: Mask

    @classmethod
    def of(cls, record: CellRecord, requests: pl.DataFrame, scenario: Scenario) -> Self:
        background = [n for n, request in enumerate(scenario.requests) if request.background]
        return cls(
            record.load.kind,
            np.array(record.windows_ns, dtype=np.int64).reshape(-1),
            intended_ns=requests["intended_ns"].to_numpy(),
            sent_ns=requests["sent_ns"].to_numpy(),
            done_ns=requests["done_ns"].to_numpy(),
            correct=(requests["error"] == "").to_numpy(),
            background=requests["request"].is_in(background).to_numpy(),
        )

    @property
    def each_ns(self) -> list[tuple[int, int]]:
        """Begin and end of each window."""
        edges = self.edges_ns.tolist()
        return list(zip(edges[::2], edges[1::2], strict=True))

    @property
    def begin_ns(self) -> int:
        """Begin of the first window; 0 without one."""
        return int(self.edges_ns[0]) if len(self.edges_ns) else 0

    @property
    def total_ns(self) -> int:
        return sum(end - begin for begin, end in self.each_ns)

    def contains(self, times_ns: Timestamps) -> Mask:
        # After an odd number of edges a time is inside.
        inside: Mask = np.searchsorted(self.edges_ns, times_ns, side="right") % 2 == 1
        return inside

    def elapsed_ns(self, times_ns: Timestamps) -> NDArray[np.float64]:
        """Return how much of all windows had passed at each time."""
        return elapsed_ns(self.edges_ns, times_ns)

    @property
    def counted(self) -> Mask:
        """Correct responses that count.

        Closed loads: those that arrived inside the window. Open loads: those to requests due inside
        it, whenever they arrived; a stall at its end would otherwise not show.
        """
        return self.correct & self.contains(self._counted_by_ns)

    @property
    def timed(self) -> Mask:
        """Counted responses whose response times count: without background requests."""
        return self.counted & ~self.background

    @property
    def failed(self) -> Mask:
        """Errors that count: since the window began (closed), of requests due in it (open)."""
        if self.kind == "closed":
            return ~self.correct & (self.done_ns >= self.begin_ns)
        return ~self.correct & self.contains(self.intended_ns)

    @property
    def _counted_by_ns(self) -> Timestamps:
        return self.done_ns if self.kind == "closed" else self.intended_ns

    @property
    def responses(self) -> float:
        """Number of correct responses inside the windows, for the throughput.

        Open loads: those that arrived. Closed loads: of each the share of [sent, done] that lies
        inside. Users in step respond in waves, of which arrivals would count one more or less, the
        same in every block (docs/decisions/0014-throughput-by-shares.md).
        """
        until = [self._responses_until(edge_ns) for edge_ns in self.edges_ns.tolist()]
        return sum(until[1::2]) - sum(until[::2])

    def _responses_until(self, time_ns: int) -> float:
        sent_ns, done_ns = self.sent_ns[self.correct], self.done_ns[self.correct]
        arrived = float(np.count_nonzero(done_ns < time_ns))
        if self.kind == "open":
            return arrived
        in_flight = (sent_ns < time_ns) & (done_ns >= time_ns)
        sent_ns, done_ns = sent_ns[in_flight], done_ns[in_flight]
        return arrived + float(((time_ns - sent_ns) / (done_ns - sent_ns)).sum())

    @property
    def mean_in_flight(self) -> float:
        """Mean number of requests in flight: the overlap of each [sent, done] with the windows."""
        if not self.total_ns:
            return 0.0
        sent = self.sent_ns > 0
        ended_ns, sent_ns = self._ended_ns[sent], self.sent_ns[sent]
        overlaps_ns = (
            (np.minimum(ended_ns, end_ns) - np.maximum(sent_ns, begin_ns)).clip(0).sum()
            for begin_ns, end_ns in self.each_ns
        )
        return float(sum(overlaps_ns) / self.total_ns)

    def in_flight_at(self, samples: int) -> list[NDArray[np.int64]]:
        """Return, for each window, how many requests were in flight at evenly spaced times.

        In flight are those that are due and have no response.
        """
        due_ns, ended_ns = np.sort(self.intended_ns), np.sort(self._ended_ns)
        times = [np.linspace(*edges_ns, samples, endpoint=False) for edges_ns in self.each_ns]
        return [
            np.searchsorted(due_ns, at, side="right") - np.searchsorted(ended_ns, at, side="right")
            for at in times
        ]

    @property
    def _ended_ns(self) -> Timestamps:
        return np.where(self.done_ns > 0, self.done_ns, self.edges_ns.max(initial=0))

    def response_ms(self) -> NDArray[np.float64]:
        """Return done - intended of the timed requests."""
        return (self.done_ns - self.intended_ns)[self.timed] / NS_PER_MS

    def service_ms(self) -> NDArray[np.float64]:
        """Return done - sent of the timed requests."""
        return (self.done_ns - self.sent_ns)[self.timed & (self.sent_ns > 0)] / NS_PER_MS

    def lag_ms(self, of: Mask) -> NDArray[np.float64]:
        """Return sent - intended of the requests `of` that were sent."""
        return (self.sent_ns - self.intended_ns)[of & (self.sent_ns > 0)] / NS_PER_MS


def elapsed_ns(edges_ns: Timestamps, times_ns: Timestamps) -> NDArray[np.float64]:
    """Return how much of the windows with these edges had passed at each time."""
    passed = np.diff(edges_ns, prepend=edges_ns[:1])
    passed[::2] = 0  # between two windows
    elapsed: NDArray[np.float64] = np.interp(times_ns, edges_ns, np.cumsum(passed))
    return elapsed


@dataclass(frozen=True, slots=True)
class AnalysedCell:
    """Result of a cell, with the times of its timed requests for percentiles over blocks."""

    result: CellResult
    response_ms: NDArray[np.float64]
    service_ms: NDArray[np.float64]


def cell_figures(
    record: CellRecord, window: Windows, telemetry: pl.DataFrame | None, collapse_s: float
) -> CellFigures:
    """Return the figures of a cell; telemetry as in `server_telemetry`."""
    responses, errors = window.responses, int(window.failed.sum())
    lag_p50_ms, lag_p99_ms = percentiles(window.lag_ms(window.counted), (50, 99))
    window_s, cpu_s = record.window_s or 1.0, record.server_cpu_s
    return CellFigures(
        id=record.number,
        block=record.block,
        target=record.target,
        scenario=record.scenario,
        load=record.load,
        requests=int(window.counted.sum()) + errors,
        errors=errors,
        scheduled=record.scheduled,
        dropped=record.dropped,
        throughput_rps=responses / window_s,
        latency_ms=latency_summary(window.response_ms()),
        service_ms=latency_summary(window.service_ms()),
        generator=Generator(
            cpu=record.generator_cpu_s / window_s,
            waited=record.generator_waited_s / window_s,
            lag_p50_ms=lag_p50_ms,
            lag_p99_ms=lag_p99_ms,
        ),
        client=" and ".join(record.locust.clients) if record.locust else "",
        in_flight=window.mean_in_flight,
        server_cpu=None if cpu_s is None else cpu_s / window_s,
        server_cpu_ms=1e3 * cpu_s / responses if responses and cpu_s is not None else None,
        per_cpu_s=responses / cpu_s if cpu_s else None,
        server_memory_mib=record.server_memory_mib,
        idle_cpu=idle_cpu(record),
        database=_database(record),
        restarted=record.restarted,
        **dict(server_telemetry(record, telemetry, collapse_s)),
    )


def latency_summary(values_ms: NDArray[np.float64]) -> LatencySummary:
    if not len(values_ms):
        return LatencySummary()
    p50, p90, p95, p99 = percentiles(values_ms, (50, 90, 95, 99))
    mean, longest = float(values_ms.mean()), float(values_ms.max())
    return LatencySummary(mean=mean, p50=p50, p90=p90, p95=p95, p99=p99, max=longest)


def percentiles(values: NDArray[np.float64], percents: Sequence[float]) -> list[float | None]:
    """Return percentiles by linear interpolation.

    None with fewer than `SAMPLES_BEYOND` samples beyond: below a percentile under 50, above others.
    """
    if not len(values):
        return [None] * len(percents)
    # Rounded, because 100 - 99.9 is a little less than 0.1.
    beyond = [round(len(values) * min(p, 100 - p) / 100, 6) for p in percents]
    return [
        float(value) if count >= SAMPLES_BEYOND else None
        for count, value in zip(beyond, np.percentile(values, percents), strict=True)
    ]


def server_telemetry(
    record: CellRecord, samples: pl.DataFrame | None, collapse_s: float
) -> ServerTelemetry:
    """Return the telemetry inside the windows.

    Of a collapsed cell also that of the time without responses before its end, which shows why.
    """
    if samples is None or not record.windows_ns:
        return ServerTelemetry()
    *windows, (begin_ns, end_ns) = record.windows_ns
    if record.outcome == "collapsed":
        begin_ns = min(begin_ns, end_ns - int(collapse_s * NS_PER_S))
    windows.append((begin_ns, end_ns))
    inside = samples.filter(pl.any_horizontal(pl.col("t_ns").is_between(*w) for w in windows))
    busy, own = _rate(samples, "cores_busy_s", windows), _rate(samples, "cpu_s", windows)
    idle = idle_cpu(record) or 0.0
    loop_lag_ms = inside["loop_lag_ms"].drop_nulls().cast(pl.Float64).to_numpy()
    maxima = {f"{name}_max": inside[name].cast(pl.Int64).max() for name in GAUGES}
    return ServerTelemetry.model_validate(
        {
            "stolen_cpu": _rate(samples, "cores_stolen_s", windows),
            # The two clocks tick apart: a little below zero is zero.
            "other_cpu": None if busy is None or own is None else max(0.0, busy - own - idle),
            "loop_lag_p99_ms": float(np.percentile(loop_lag_ms, 99)) if len(loop_lag_ms) else None,
        }
        | maxima
    )


def idle_cpu(record: CellRecord) -> float | None:
    """Return the share of a core that the busiest idle server used; None without one."""
    if not record.idle_cpu_s or not record.window_s:
        return None
    return max(record.idle_cpu_s.values()) / record.window_s


def _database(record: CellRecord) -> Database | None:
    if not (use := record.database):
        return None
    return Database(
        cpu=None if use.cpu_s is None or not record.window_s else use.cpu_s / record.window_s,
        connections_max=use.connections,
        active=use.active,
        waiting=use.waiting,
    )


def _rate(
    samples: pl.DataFrame, column: str, windows_ns: Sequence[tuple[int, int]]
) -> float | None:
    """Return the growth per second of a cumulative column in the windows, between samples."""
    known = samples.select("t_ns", column).drop_nulls()
    if len(known) < 2:
        return None
    at_ns, values = known["t_ns"].to_numpy(), known[column].to_numpy()
    edges_ns = np.clip(np.array(windows_ns), at_ns[0], at_ns[-1])
    seconds = float(np.diff(edges_ns).sum()) / NS_PER_S
    if seconds < LEAST_SAMPLED_S:
        return None
    return float(np.diff(np.interp(edges_ns, at_ns, values)).sum()) / seconds
