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
    Generator,
    LatencySummary,
    ServerTelemetry,
)
from twinbench.plan import LoadKind, Scenario
from twinbench.store import CellRecord

NS_PER_MS, NS_PER_S = 1e6, 1e9
# A percentile with fewer samples beyond it changes from run to run by whole samples.
SAMPLES_BEYOND = 20
# Fewer telemetry samples, at 20 per second, are half a second: too little for a share of CPU time.
MIN_SAMPLES = 10
GAUGES = ("threads_used", "threads_waiting", "connections_used", "connections_waiting")
TELEMETRY_COLUMNS = (*("t_ns", "cores_busy_s", "cpu_s", "cores_stolen_s", "loop_lag_ms"), *GAUGES)

Timestamps = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Window:
    """Measuring window of a cell, and all its requests, warm-up included.

    Masks select requests. A timestamp of 0 means that it did not happen.
    """

    kind: LoadKind
    begin_ns: int
    end_ns: int
    intended_ns: Timestamps
    sent_ns: Timestamps
    done_ns: Timestamps
    correct: Mask
    background: Mask

    @classmethod
    def of(cls, record: CellRecord, requests: pl.DataFrame, scenario: Scenario) -> Self:
        begin_ns, end_ns = record.window_ns
        background = [n for n, request in enumerate(scenario.requests) if request.background]
        return cls(
            record.load.kind,
            begin_ns,
            end_ns,
            intended_ns=requests["intended_ns"].to_numpy(),
            sent_ns=requests["sent_ns"].to_numpy(),
            done_ns=requests["done_ns"].to_numpy(),
            correct=(requests["error"] == "").to_numpy(),
            background=requests["request"].is_in(background).to_numpy(),
        )

    def contains(self, times_ns: Timestamps) -> Mask:
        return (times_ns >= self.begin_ns) & (times_ns < self.end_ns)

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
        """Number of correct responses inside the window, for the throughput.

        Open loads: those that arrived. Closed loads: of each the share of [sent, done] that lies
        inside. Users in step respond in waves, of which arrivals would count one more or less, the
        same in every block (docs/decisions/0014-throughput-by-shares.md).
        """
        return self._responses_until(self.end_ns) - self._responses_until(self.begin_ns)

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
        """Mean number of requests in flight: the overlap of each [sent, done] with the window."""
        if self.end_ns == self.begin_ns:
            return 0.0
        overlap = np.minimum(self._ended_ns, self.end_ns) - np.maximum(self.sent_ns, self.begin_ns)
        total_ns = overlap.clip(0)[self.sent_ns > 0].sum()
        return float(total_ns / (self.end_ns - self.begin_ns))

    def in_flight_at(self, samples: int) -> NDArray[np.float64]:
        """Return how many requests were due and without response, at evenly spaced times."""
        at = np.linspace(self.begin_ns, self.end_ns, samples, endpoint=False)
        due = np.searchsorted(np.sort(self.intended_ns), at, side="right")
        ended = np.searchsorted(np.sort(self._ended_ns), at, side="right")
        return (due - ended).astype(float)

    @property
    def _ended_ns(self) -> Timestamps:
        return np.where(self.done_ns > 0, self.done_ns, self.end_ns)

    def response_ms(self) -> NDArray[np.float64]:
        """Return done - intended of the timed requests."""
        return (self.done_ns - self.intended_ns)[self.timed] / NS_PER_MS

    def service_ms(self) -> NDArray[np.float64]:
        """Return done - sent of the timed requests."""
        return (self.done_ns - self.sent_ns)[self.timed & (self.sent_ns > 0)] / NS_PER_MS

    def lag_ms(self, of: Mask) -> NDArray[np.float64]:
        """Return sent - intended of the requests `of` that were sent."""
        return (self.sent_ns - self.intended_ns)[of & (self.sent_ns > 0)] / NS_PER_MS


@dataclass(frozen=True, slots=True)
class AnalysedCell:
    """Result of a cell, with the times of its timed requests for percentiles over blocks."""

    result: CellResult
    response_ms: NDArray[np.float64]
    service_ms: NDArray[np.float64]


def cell_figures(
    record: CellRecord, window: Window, telemetry: pl.DataFrame | None, collapse_s: float
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
        server_cpu=None if cpu_s is None else cpu_s / window_s,
        server_cpu_ms=1e3 * cpu_s / responses if responses and cpu_s is not None else None,
        per_cpu_s=responses / cpu_s if cpu_s else None,
        server_memory_mib=record.server_memory_mib,
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
    """Return the telemetry inside the window.

    Of a collapsed cell also that of the time without responses before its end, which shows why.
    """
    if samples is None:
        return ServerTelemetry()
    begin_ns, end_ns = record.window_ns
    if record.outcome == "collapsed":
        begin_ns = min(begin_ns, end_ns - int(collapse_s * NS_PER_S))
    inside = samples.filter(pl.col("t_ns").is_between(begin_ns, end_ns))
    busy, own = _rate(inside, "cores_busy_s"), _rate(inside, "cpu_s")
    loop_lag_ms = inside["loop_lag_ms"].drop_nulls().cast(pl.Float64).to_numpy()
    maxima = {f"{name}_max": inside[name].cast(pl.Int64).max() for name in GAUGES}
    return ServerTelemetry.model_validate(
        {
            "stolen_cpu": _rate(inside, "cores_stolen_s"),
            # The two clocks tick apart: a little below zero is zero.
            "other_cpu": None if busy is None or own is None else max(0.0, busy - own),
            "loop_lag_p99_ms": float(np.percentile(loop_lag_ms, 99)) if len(loop_lag_ms) else None,
        }
        | maxima
    )


def _rate(samples: pl.DataFrame, column: str) -> float | None:
    """Return the growth per second of a cumulative column between its first and last sample."""
    known = samples.select("t_ns", column).drop_nulls()
    if len(known) < MIN_SAMPLES:
        return None
    (first_ns, first), (last_ns, last) = known.row(0), known.row(-1)
    return float((last - first) / ((last_ns - first_ns) / NS_PER_S))
