"""How a cell went over time: latencies as a heatmap, and what telemetry saw beneath it.

One cell for each target, all of a scenario at one load, so that they can be put side by side.
Read anew from disk, for the few cells that are shown and the few columns that it takes: to keep
every cell's records until it is known which are shown would take all the memory there is.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from twinbench.analyse.results import CellResult, Timeline
from twinbench.analyse.window import NS_PER_MS
from twinbench.plan import Load, Plan, Scenario
from twinbench.store import CellRecord, Store

NS_PER_S = 1e9
# Of a cell of 1.2 s a bin is 20 ms: a stall that a user would notice is several of them.
TIME_BINS = 60
# A bin ends a quarter above its beginning: finer than latencies differ from block to block.
BINS_A_DECADE = 10
COLUMNS = ("intended_ns", "done_ns", "request", "status")
NOTHING_SEEN = pl.DataFrame(
    schema={"t_ns": pl.Int64}
    | dict.fromkeys(("loop_lag_ms", "threads_waiting", "connections_waiting"), pl.Float64)
)


def timelines(
    store: Store, plan: Plan, records: Sequence[CellRecord], cells: Sequence[CellResult]
) -> list[Timeline]:
    """For each scenario, kind of load and target its typical cell at the load that tells most;
    none of a target that has only invalid cells there. `records` are those of the `cells`.
    Raises StoreError."""
    by_number = {record.number: record for record in records}
    return [
        _timeline(store, by_number[cell.id], scenario)
        for scenario in plan.scenarios
        for kind in ("closed", "open")
        for cell in _shown(
            plan.targets_of(scenario),
            [c for c in cells if (c.scenario, c.load.kind) == (scenario.name, kind)],
        )
    ]


def _shown(targets: Sequence[str], cells: Sequence[CellResult]) -> Iterator[CellResult]:
    told = [cell for cell in cells if cell.status != "invalid"]
    if not told:
        return
    load = max((cell.load for cell in told), key=lambda load: _tells(load, told))
    for target in targets:
        own = [cell for cell in told if (cell.target, cell.load) == (target, load)]
        if own:
            yield _typical(own)


def _tells(load: Load, told: Sequence[CellResult]) -> tuple[bool, int, int]:
    """What makes a load tell more than another: somebody collapsed; more targets can be shown; it
    is higher."""
    there = [cell for cell in told if cell.load == load]
    fallen = any(cell.status == "collapsed" for cell in there)
    return fallen, len({cell.target for cell in there}), load.value


def _typical(cells: Sequence[CellResult]) -> CellResult:
    """The first that collapsed; else the one with the median p50 (the lower of two)."""
    for cell in cells:
        if cell.status == "collapsed":
            return cell
    by_median = sorted(cells, key=lambda cell: cell.latency_ms.p50 or cell.latency_ms.mean or 0.0)
    return by_median[(len(by_median) - 1) // 2]


def _timeline(store: Store, record: CellRecord, scenario: Scenario) -> Timeline:
    requests = store.requests(record, COLUMNS)
    begin_ns, end_ns = record.window_ns
    # To the end of the window even if nothing was answered: a silence is to be seen. A collapse
    # ends the load; those it leaves without an answer are done then.
    least_ns = begin_ns if record.outcome == "collapsed" else end_ns
    first_ns = int(requests["intended_ns"].to_numpy().min(initial=begin_ns))
    last_ns = int(requests["done_ns"].to_numpy().max(initial=least_ns))
    edges_s = (np.linspace(first_ns, last_ns, TIME_BINS + 1) - begin_ns) / NS_PER_S
    done_s, response_ms = _answers(requests, scenario, begin_ns)
    edges_ms = _log_edges(response_ms)
    seen = _telemetry(store.telemetry(record), first_ns, last_ns)
    return Timeline(
        cell=record.number,
        target=record.target,
        scenario=record.scenario,
        load=record.load,
        window_s=record.window_s,
        seconds=edges_s.tolist(),
        latency_ms=edges_ms.tolist(),
        counts=_counts(done_s, response_ms, edges_s, edges_ms),
        sampled_s=((seen["t_ns"] - begin_ns) / NS_PER_S).to_list(),
        loop_lag_ms=seen["loop_lag_ms"].to_list(),
        threads_waiting=seen["threads_waiting"].to_list(),
        connections_waiting=seen["connections_waiting"].to_list(),
    )


def _answers(
    requests: pl.DataFrame, scenario: Scenario, begin_ns: int
) -> tuple[np.ndarray, np.ndarray]:
    """When each answer arrived, in seconds from `begin_ns` on, and its response time in ms. Wrong
    answers are answers; those to neighbours are not shown."""
    background = [n for n, request in enumerate(scenario.requests) if request.background]
    shown = requests.filter((pl.col("status") > 0) & ~pl.col("request").is_in(background))
    intended_ns, done_ns = (shown[name].to_numpy() for name in ("intended_ns", "done_ns"))
    # A microsecond at least: it has to have a logarithm.
    response_ms = np.maximum((done_ns - intended_ns) / NS_PER_MS, 1e-3)
    return (done_ns - begin_ns) / NS_PER_S, response_ms


def _log_edges(values: np.ndarray) -> np.ndarray:
    """Edges of the bins around `values`, tenths of decades; no edges around no values."""
    if not len(values):
        return np.empty(0)
    low = math.floor(BINS_A_DECADE * math.log10(values.min()))
    high = math.floor(BINS_A_DECADE * math.log10(values.max())) + 1
    edges: np.ndarray = 10.0 ** (np.arange(low, high + 1) / BINS_A_DECADE)
    return edges


def _counts(
    done_s: np.ndarray, response_ms: np.ndarray, edges_s: np.ndarray, edges_ms: np.ndarray
) -> list[list[int]]:
    if not len(edges_ms):
        return [[] for _ in range(TIME_BINS)]
    # What lies on an outermost edge may be a rounding error beyond it.
    inside_s = done_s.clip(edges_s[0], edges_s[-1])
    inside_ms = response_ms.clip(edges_ms[0], edges_ms[-1])
    counts = np.histogram2d(inside_s, inside_ms, [edges_s, edges_ms])[0]
    found: list[list[int]] = counts.astype(int).tolist()
    return found


def _telemetry(samples: pl.DataFrame | None, first_ns: int, last_ns: int) -> pl.DataFrame:
    """What was seen of the gauges between these two moments."""
    seen = NOTHING_SEEN if samples is None else samples.select(NOTHING_SEEN.columns)
    return seen.cast(NOTHING_SEEN.schema).filter(pl.col("t_ns").is_between(first_ns, last_ns))
