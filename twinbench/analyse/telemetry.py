"""What the server was doing inside the window: its waits, and who else was on its cores."""

import numpy as np
import polars as pl

from twinbench.analyse.results import Inside
from twinbench.store import CellRecord

NS_PER_S = 1e9
# Fewer samples, at 20 a second, are half a second: a share of stolen time from them is an accident.
LEAST_SAMPLES = 10
PERCENT = 99


def look_inside(record: CellRecord, samples: pl.DataFrame | None, collapse_s: float) -> Inside:
    """Of a collapsed cell also the silence before its end, in which the cause is to be seen."""
    if samples is None:
        return Inside()
    begin, end = record.window_ns
    if record.outcome == "collapsed":
        begin = min(begin, end - int(collapse_s * NS_PER_S))
    seen = samples.filter(pl.col("t_ns").is_between(begin, end))
    busy, own = _share(seen, "cores_busy_s"), _share(seen, "cpu_s")
    return Inside(
        stolen=_share(seen, "cores_stolen_s"),
        # The two clocks tick apart: a little below zero is zero.
        others=None if busy is None or own is None else max(0.0, busy - own),
        loop_lag_p99_ms=_percentile(seen, "loop_lag_ms"),
        threads_used_max=_highest(seen, "threads_used"),
        threads_waiting_max=_highest(seen, "threads_waiting"),
        connections_used_max=_highest(seen, "connections_used"),
        connections_waiting_max=_highest(seen, "connections_waiting"),
    )


def _share(seen: pl.DataFrame, column: str) -> float | None:
    """Growth of a cumulative column, in seconds a second between its first and last sample."""
    known = seen.select("t_ns", column).drop_nulls()
    if len(known) < LEAST_SAMPLES:
        return None
    seconds = (known["t_ns"][-1] - known["t_ns"][0]) / NS_PER_S
    return float((known[column][-1] - known[column][0]) / seconds)


def _percentile(seen: pl.DataFrame, column: str) -> float | None:
    known = seen[column].drop_nulls()
    return float(np.percentile(known.to_numpy(), PERCENT)) if len(known) else None


def _highest(seen: pl.DataFrame, column: str) -> int | None:
    known = seen[column].drop_nulls()
    return int(known.max()) if len(known) else None  # type: ignore[arg-type]
