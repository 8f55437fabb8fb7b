"""Timelines: a typical measurement of each target over time, with telemetry.

Records are read again for the few cells that are shown: those of all cells do not fit into memory.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twinbench.analyse.results import CellResult, Timeline
from twinbench.analyse.window import NS_PER_MS, NS_PER_S, elapsed_ns
from twinbench.plan import Load, Plan, Scenario
from twinbench.store import CellRecord, Store

# In a cell of 1.2 s a bin is 20 ms: a stall that a user would notice is several of them.
TIME_BINS = 60
# A bin ends a quarter above its beginning: finer than latencies differ from block to block.
BINS_PER_DECADE = 10
REQUEST_COLUMNS = ("intended_ns", "done_ns", "request", "status")
TELEMETRY = pl.Schema(
    {
        "t_ns": pl.Int64(),
        "loop_lag_ms": pl.Float64(),
        "threads_waiting": pl.Float64(),
        "connections_waiting": pl.Float64(),
    }
)
Floats = NDArray[np.float64]


def timelines(
    store: Store, plan: Plan, records: Sequence[CellRecord], cells: Sequence[CellResult]
) -> list[Timeline]:
    """Return the timelines of each scenario and kind of load, all at one load.

    One for each target that has a cell there which is not invalid. `records` are those of `cells`.
    Raises StoreError.
    """
    by_number = {record.number: record for record in records}
    return [
        _timeline(store, by_number[cell.id], scenario)
        for scenario in plan.scenarios
        for kind in ("closed", "open")
        for cell in _selected(
            plan.targets_of(scenario),
            [c for c in cells if (c.scenario, c.load.kind) == (scenario.name, kind)],
        )
    ]


def _selected(targets: Sequence[str], cells: Sequence[CellResult]) -> Iterator[CellResult]:
    usable = [cell for cell in cells if cell.status != "invalid"]
    if not usable:
        return
    load = max((cell.load for cell in usable), key=lambda load: _interest(load, usable))
    for target in targets:
        if own := [cell for cell in usable if (cell.target, cell.load) == (target, load)]:
            yield _typical(own)


def _interest(load: Load, cells: Sequence[CellResult]) -> tuple[bool, int, int]:
    """Return the rank of a load: with a collapse, of more targets, higher."""
    of_load = [cell for cell in cells if cell.load == load]
    collapsed = any(cell.status == "collapsed" for cell in of_load)
    return collapsed, len({cell.target for cell in of_load}), load.value


def _typical(cells: Sequence[CellResult]) -> CellResult:
    """Return the first that collapsed; else the one with the median p50, the lower of two."""
    for cell in cells:
        if cell.status == "collapsed":
            return cell
    by_median = sorted(cells, key=lambda cell: cell.latency_ms.p50 or cell.latency_ms.mean or 0.0)
    return by_median[(len(by_median) - 1) // 2]


def _timeline(store: Store, record: CellRecord, scenario: Scenario) -> Timeline:
    """Return a cell in its window; in several windows, without the time between them.

    Of a collapsed cell, the turn that ended so.
    """
    requests, samples = store.requests(record, REQUEST_COLUMNS), store.telemetry(record)
    shown = TELEMETRY.to_frame() if samples is None else samples.select(TELEMETRY.names())
    shown = shown.cast(TELEMETRY)
    if record.outcome == "done" and len(record.windows_ns) > 1:
        requests, shown = _in_windows(record, requests), _in_windows(record, shown)
        begin_ns, end_ns = 0, int(1e9 * record.window_s)
        first_ns, last_ns = begin_ns, end_ns
    else:
        begin_ns, end_ns = record.windows_ns[-1]
        requests = _of_last_turn(record, requests)
        # To the end of the window even without responses. A collapse ends the load, and with it
        # the requests without a response.
        least_ns = begin_ns if record.outcome == "collapsed" else end_ns
        first_ns = int(requests["intended_ns"].to_numpy().min(initial=begin_ns))
        last_ns = int(requests["done_ns"].to_numpy().max(initial=least_ns))
        shown = shown.filter(pl.col("t_ns").is_between(first_ns, last_ns))
    edges_s = (np.linspace(first_ns, last_ns, TIME_BINS + 1) - begin_ns) / NS_PER_S
    done_s, response_ms = _responses(requests, scenario, begin_ns)
    edges_ms = _log_edges(response_ms)
    return Timeline(
        cell=record.number,
        target=record.target,
        scenario=record.scenario,
        load=record.load,
        window_s=(end_ns - begin_ns) / NS_PER_S,
        seconds=edges_s.tolist(),
        latency_ms=edges_ms.tolist(),
        counts=_counts(done_s, response_ms, edges_s, edges_ms),
        sampled_s=((shown["t_ns"] - begin_ns) / NS_PER_S).to_list(),
        loop_lag_ms=shown["loop_lag_ms"].to_list(),
        threads_waiting=shown["threads_waiting"].to_list(),
        connections_waiting=shown["connections_waiting"].to_list(),
    )


def _in_windows(record: CellRecord, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose last time is inside a window, times without what is between windows."""
    edges_ns = np.array(record.windows_ns, dtype=np.int64).reshape(-1)
    times = [name for name in rows.columns if name.endswith("_ns")]
    inside = np.searchsorted(edges_ns, rows[times[-1]].to_numpy(), side="right") % 2 == 1
    kept = rows.filter(pl.Series(inside))
    ended_ns = kept[times[-1]].to_numpy()
    at_ns = elapsed_ns(edges_ns, ended_ns).astype(np.int64)
    # A request that was sent before the window keeps its length.
    return kept.with_columns(**{name: at_ns - (ended_ns - kept[name].to_numpy()) for name in times})


def _of_last_turn(record: CellRecord, requests: pl.DataFrame) -> pl.DataFrame:
    earlier_ns = max((end for _, end in record.windows_ns[:-1]), default=-1)
    return requests.filter(pl.col("intended_ns") > earlier_ns)


def _responses(requests: pl.DataFrame, scenario: Scenario, begin_ns: int) -> tuple[Floats, Floats]:
    """Return arrivals in seconds since `begin_ns`, and response times in ms; wrong ones too."""
    background = [n for n, request in enumerate(scenario.requests) if request.background]
    shown = requests.filter((pl.col("status") > 0) & ~pl.col("request").is_in(background))
    intended_ns, done_ns = (shown[name].to_numpy() for name in ("intended_ns", "done_ns"))
    # A microsecond at least: it needs a logarithm.
    response_ms = np.maximum((done_ns - intended_ns) / NS_PER_MS, 1e-3)
    return (done_ns - begin_ns) / NS_PER_S, response_ms


def _log_edges(values: Floats) -> Floats:
    """Return the edges of logarithmic bins around `values`; none without values."""
    if not len(values):
        return np.empty(0)
    low = math.floor(BINS_PER_DECADE * math.log10(values.min()))
    high = math.floor(BINS_PER_DECADE * math.log10(values.max())) + 1
    edges: Floats = 10.0 ** (np.arange(low, high + 1) / BINS_PER_DECADE)
    return edges


def _counts(
    done_s: Floats, response_ms: Floats, edges_s: Floats, edges_ms: Floats
) -> list[list[int]]:
    if not len(edges_ms):
        return [[] for _ in range(TIME_BINS)]
    # What lies on an outermost edge may be a rounding error beyond it.
    inside_s = done_s.clip(edges_s[0], edges_s[-1])
    inside_ms = response_ms.clip(edges_ms[0], edges_ms[-1])
    counts = np.histogram2d(inside_s, inside_ms, [edges_s, edges_ms])[0]
    rows: list[list[int]] = counts.astype(int).tolist()
    return rows
