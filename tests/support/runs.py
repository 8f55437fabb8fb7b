"""Run folders for tests: known figures in, so that known results must come out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tests.support import factories
from twinbench.analyse.results import CellResult, Results
from twinbench.analyse.run import analyse, analyse_cell
from twinbench.plan import Cell, Load, Plan, cells
from twinbench.selfcheck.result import Floor, SelfCheck
from twinbench.store import CellRecord, Store

GOLDEN = Path(__file__).parents[1] / "golden"  # a recorded run, and what comes of it
WINDOW_NS = (1_000_000_000, 2_000_000_000)
CUMULATIVE = ("cpu_s", "cores_busy_s", "cores_stolen_s", "telemetry_cpu_s")
GAUGES = (
    *("loop_lag_ms", "threads_used", "threads_waiting"),
    *("connections_used", "connections_waiting"),
)

Requests = pl.DataFrame
Made = tuple[CellRecord, Requests]
MakeCell = Callable[[Cell], Made]
MakeTelemetry = Callable[[Cell], pl.DataFrame | None]


def responses(count: int, latency_ms: float, *, wrong: int = 0) -> Requests:
    """Return `count` responses spread evenly over the window; the last `wrong` are wrong.

    More arrive after the window, until all that was in flight at its end has a response.
    """
    begin, end = WINDOW_NS
    after = int(count * latency_ms / 1e3)
    done = begin + np.arange(count + after) * (end - begin) // count
    sent = done - int(latency_ms * 1e6)
    errors = [""] * (count - wrong) + ["status 500, expected 200"] * wrong + [""] * after
    return rows(sent, sent, done, errors)


def arrivals(
    rate: int, latency_ms: float | np.ndarray, *, lag_ms: float = 0.05, wrong: int = 0
) -> Requests:
    """Return `rate` arrivals per second, evenly, from a second before the window to its end.

    Each has its response `latency_ms` after it was sent; the last `wrong` have none.
    """
    begin, end = WINDOW_NS
    count = 2 * rate
    intended = 2 * begin - end + np.arange(count) * (end - begin) // rate
    sent = intended + int(lag_ms * 1e6)
    done = sent + np.broadcast_to(np.asarray(latency_ms) * 1e6, count).astype(np.int64)
    errors = [""] * (count - wrong) + ["no answer when the load ended"] * wrong
    return rows(intended, sent, done, errors)


def rows(
    intended: np.ndarray, sent: np.ndarray, done: np.ndarray, errors: Sequence[str] | None = None
) -> Requests:
    """Return requests as a recorder writes them; an error is a 500, or no response."""
    errors = errors or [""] * len(done)
    status = [200 if not error else 500 if "status" in error else 0 for error in errors]
    return pl.DataFrame(
        {
            "intended_ns": intended,
            "sent_ns": sent,
            "first_byte_ns": done,
            "done_ns": done,
            "request": np.zeros(len(done), dtype=np.int32),
            "status": np.array(status, dtype=np.int32),
            "bytes": np.full(len(done), 10, dtype=np.int32),
            "error": errors,
        },
        schema_overrides={"error": pl.String},
    )


def record(cell: Cell, **changes: object) -> CellRecord:
    values: dict[str, object] = {
        "outcome": "done",
        "windows_ns": [WINDOW_NS],
        "server_cpu_s": 0.2,
        "scheduled": cell.load.value if cell.load.kind == "open" else 0,
    }
    return CellRecord.model_validate(cell._asdict() | values | changes)


def steady(cell: Cell, rps: int, **changes: object) -> Made:
    """Return a valid cell of a closed load with `rps` responses, by Little's law."""
    return record(cell, **changes), responses(rps, 1e3 * cell.load.value / rps)


def telemetry(**values: float) -> pl.DataFrame:
    """Return twenty samples over the window.

    Cumulative columns grow by their value per second, gauges keep it; columns not given are null.
    """
    begin, end = WINDOW_NS
    columns: dict[str, object] = {
        "t_ns": np.linspace(begin, end, 20, endpoint=False).astype(np.int64)
    }
    for name in (*CUMULATIVE, *GAUGES):
        steps = np.arange(20) / 20 if name in CUMULATIVE else np.ones(20)
        columns[name] = steps * values[name] if name in values else [None] * 20
    return pl.DataFrame(columns)


def write_run(
    folder: Path,
    of: Plan,
    make_cell: MakeCell,
    *,
    telemetry: MakeTelemetry = lambda _: None,
    self_check: SelfCheck | None = None,
    **changes: object,
) -> Store:
    """Write a whole run of `of`; `changes` are to its manifest."""
    store = Store.create(factories.manifest(of, **changes), folder)
    for cell in cells(of):
        made, requests = make_cell(cell)
        requests.write_parquet(store.begin(cell) / "requests.parquet")
        if (samples := telemetry(cell)) is not None:
            samples.write_parquet(
                store.folder / "cells" / f"{cell.number:04d}" / "telemetry.parquet"
            )
        store.finish(made)
    if self_check:
        store.write_self_check(self_check)
    return store


def analysed(folder: Path, make_cell: MakeCell, **changes: object) -> Results:
    """Write a run of the plan with `changes`, and analyse it."""
    return analyse(write_run(folder, factories.plan(**changes), make_cell))


def analysed_cell(
    requests: Requests,
    *,
    load: Load = factories.EIGHT_USERS,
    plan: Plan | None = None,
    telemetry: pl.DataFrame | None = None,
    floor: Floor | None = None,
    **changes: object,
) -> CellResult:
    """Return the result of a cell of sync with these requests; `changes` are to its record."""
    plan = plan or factories.plan()
    cell = Cell(1, 1, plan.scenarios[0].name, "sync", load)
    return analyse_cell(record(cell, **changes), requests, plan, telemetry, floor).result
