"""What the server was doing inside the window: its waits, and who else was on its cores."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from twinbench.analyse.results import ServerTelemetry
from twinbench.store import CellRecord

NS_PER_S = 1e9
# Fewer samples, at 20 a second, are half a second: a share of stolen time from them is an accident.
LEAST_SAMPLES = 10
PERCENT = 99
GAUGES = ("threads_used", "threads_waiting", "connections_used", "connections_waiting")
SHARES = ("cores_busy_s", "cpu_s", "cores_stolen_s")
COLUMNS = ("t_ns", *SHARES, "loop_lag_ms", *GAUGES)


def look_inside(
    record: CellRecord, samples: pl.DataFrame | None, collapse_s: float
) -> ServerTelemetry:
    """Of a collapsed cell also the silence before its end, in which the cause is to be seen."""
    if samples is None:
        return ServerTelemetry()
    begin, end = record.window_ns
    if record.outcome == "collapsed":
        begin = min(begin, end - int(collapse_s * NS_PER_S))
    t_ns = samples["t_ns"].to_numpy()
    inside = (t_ns >= begin) & (t_ns <= end)
    seen = {name: _known(samples, name, inside) for name in COLUMNS[1:]}
    busy, own = _share(seen, "cores_busy_s"), _share(seen, "cpu_s")
    return ServerTelemetry(
        stolen=_share(seen, "cores_stolen_s"),
        # The two clocks tick apart: a little below zero is zero.
        others=None if busy is None or own is None else max(0.0, busy - own),
        loop_lag_p99_ms=_percentile(seen["loop_lag_ms"].values),
        **{f"{name}_max": _highest(seen[name].values) for name in GAUGES},
    )


class _Known(NamedTuple):
    """What was seen in one column inside the window, and when."""

    t_ns: np.ndarray
    values: np.ndarray


def _known(samples: pl.DataFrame, name: str, inside: np.ndarray) -> _Known:
    # Null becomes NaN.
    values = samples[name].cast(pl.Float64).to_numpy()
    there = inside & ~np.isnan(values)
    return _Known(samples["t_ns"].to_numpy()[there], values[there])


def _share(seen: Mapping[str, _Known], column: str) -> float | None:
    """Growth of a cumulative column, in seconds a second between its first and last sample."""
    t_ns, values = seen[column]
    if len(values) < LEAST_SAMPLES:
        return None
    return float((values[-1] - values[0]) / ((t_ns[-1] - t_ns[0]) / NS_PER_S))


def _percentile(values: np.ndarray) -> float | None:
    return float(np.percentile(values, PERCENT)) if len(values) else None


def _highest(values: np.ndarray) -> int | None:
    return int(values.max()) if len(values) else None
