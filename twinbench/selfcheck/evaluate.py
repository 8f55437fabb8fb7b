"""Evaluation of a self-check: floor, capacity and checks, from the folder it was measured into."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from twinbench.analyse.gates import MAX_GENERATOR_CPU
from twinbench.analyse.results import CellResult, Results
from twinbench.analyse.run import NO_REQUESTS, analyse
from twinbench.selfcheck.result import Check, Floor, SelfCheck
from twinbench.store import CellRecord, Store, now

NS_PER_MS = 1e6
# Two system calls and two wake-ups take 0.1 to 0.3 ms. With more than this, latencies of a few ms
# could not be distinguished.
MOST_FLOOR_MS = 1.0
MOST_LAG_MS = 0.2  # the median at 1,000 requests/s
# Beyond the p99 of the bare timer loop, which does nothing with an arrival: a generator sends it
# and reads a response, 0.05 ms or so each, and arrivals that come together wait for one another.
MOST_MORE_MS = 0.2
# Two alternations are all there is. Where p99 moves between 1 and 8 ms (sd of its logarithm 0.5),
# two exceed two others by this factor once in seventy times, by 1.5 in five.
LAG_TIMES = 3.0
# Of the requests that were due: the last ones of a window may be answered after it.
RESPONSES_OFF = 0.001

FLOOR_ADVICE = (
    "Response times on this machine contain more than the server's: find what else runs on the"
    " generator's core."
)
LAG_ADVICE = (
    "Open loads do not arrive as declared, or are sent late by the generator: their latencies"
    " contain more than the server's. Find what else uses the generator's core."
)
HEADROOM_ADVICE = (
    "The generator may be the limit before the server is: lower the plan's highest rate, raise"
    " processes, or give the generator more cores."
)

Values = np.ndarray


class Measurement(NamedTuple):
    """One cell: record, all requests, and the result of the analysis."""

    store: Store
    record: CellRecord
    requests: pl.DataFrame
    result: CellResult

    @property
    def in_window(self) -> pl.DataFrame:
        """The requests that were meant to be sent inside the window."""
        ((begin, end),) = self.record.windows_ns  # one target has one turn
        return self.requests.filter(pl.col("intended_ns").is_between(begin, end, closed="left"))


def measurements(store: Store, results: Results) -> list[Measurement]:
    """Return the measurements of a run, in their order."""
    by_id = {result.id: result for result in results.cells}
    return [
        Measurement(
            store,
            record,
            NO_REQUESTS if record.outcome == "lost" else store.requests(record),
            by_id[record.number],
        )
        for record in store.records()
    ]


def ms(rows: pl.DataFrame, end: str, begin: str) -> Values:
    """Return the time from one stamp to another in ms."""
    return (rows[end] - rows[begin]).to_numpy() / NS_PER_MS


def evaluate(folder: Path, started: datetime) -> SelfCheck:
    """Return what was found. Raises ValueError where something was not measured."""
    runs = [Store(run) for run in sorted((folder / "runs").iterdir())]
    found = [m for run in runs for m in measurements(run, analyse(run))]
    for record in (m.record for m in found if m.record.outcome != "done" or m.in_window.is_empty()):
        raise ValueError(f"{record.label}: {record.reason or 'no request in the window'}")
    limits = [m for m in found if m.record.scenario == "limits"]
    by_load = sorted(limits, key=lambda m: (m.record.load.kind, m.record.load.value))
    one_user, capacity, highest_rate = by_load  # closed ones first
    lags = [
        ms(m.in_window, "sent_ns", "intended_ns") for m in found if m.record.scenario == "arrivals"
    ]
    timer = [
        np.array(json.loads(path.read_text())) / NS_PER_MS
        for path in sorted(folder.glob("timer-*.json"))
    ]
    latency_ms, timer_ms = ms(one_user.in_window, "done_ns", "intended_ns"), np.concatenate(timer)
    floor = Floor(
        latency_p50_ms=_percentile(latency_ms, 50),
        latency_p99_ms=_percentile(latency_ms, 99),
        lag_p50_ms=_percentile(timer_ms, 50),
        lag_p99_ms=_percentile(timer_ms, 99),
    )
    return SelfCheck(
        started=started.isoformat(timespec="seconds"),
        took_s=round((now() - started).total_seconds(), 1),
        floor=floor,
        capacity_rps=round(capacity.result.throughput_rps),
        checks=(
            _check(
                "floor: p50 of an empty server", floor.latency_p50_ms, MOST_FLOOR_MS, FLOOR_ADVICE
            ),
            # The lower of both: a pause of the machine delays one turn, a slow generator both.
            *arrival_lag(lags, timer, LAG_TIMES, np.min),
            *headroom(highest_rate),
        ),
    )


def _percentile(values_ms: Values, p: int) -> float:
    return round(float(np.percentile(values_ms, p)), 4)


def _check(name: str, measured: float, high: float, advice: str, unit: str = "ms") -> Check:
    return Check(name=name, unit=unit, measured=measured, low=0.0, high=high, advice=advice)


def arrival_lag(
    lags_ms: Sequence[Values],
    timer_ms: Sequence[Values],
    times: float,
    typical: Callable[[list[float]], Any],
) -> list[Check]:
    """Check the generator's lag against that of a bare timer loop, measured in turns.

    `typical` of the turns counts; the p99 may be `times` that of the timer loop.
    """
    p50, p99, timer_p99 = (
        float(typical([float(np.percentile(lags, p)) for lags in turns]))
        for turns, p in ((lags_ms, 50), (lags_ms, 99), (timer_ms, 99))
    )
    # The worst turn of the timer loop is allowed, too.
    worst = max(float(np.percentile(lags, 99)) for lags in timer_ms)
    most = max(times * timer_p99, timer_p99 + MOST_MORE_MS, worst)
    return [
        _check("arrival lag: p50", p50, MOST_LAG_MS, LAG_ADVICE),
        _check("arrival lag: p99, beside a bare timer", p99, most, LAG_ADVICE),
    ]


def headroom(measurement: Measurement) -> list[Check]:
    """Check that the generator is not the limit at the rate of `measurement`."""
    record, result = measurement.record, measurement.result
    correct = len(measurement.in_window.filter(measurement.in_window["error"] == ""))
    off = RESPONSES_OFF * record.scheduled
    name = f"headroom, {record.load.value:,} requests/s"
    invalid = result.status != "valid"
    reasons = f"{'; '.join(result.reasons)}. " if invalid else ""
    advice = reasons + HEADROOM_ADVICE
    return [
        _check(f"{name}: generator CPU", result.generator.cpu, MAX_GENERATOR_CPU, advice, unit=""),
        Check(
            name=f"{name}: sent and answered",
            unit="",
            measured=correct,
            low=record.scheduled - off,
            high=record.scheduled + off,
            advice=advice,
        ),
        _check(f"{name}: invalid measurements", int(invalid), 0.0, advice, unit=""),
    ]
