"""Run folders made up for tests: known figures in, so that known results must come out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

# Also under `runs`, where most tests look for them.
from tests.support.factories import check as check
from tests.support.factories import manifest as manifest
from tests.support.factories import plan as plan
from tests.support.factories import self_check as self_check
from twinbench.findings import SelfCheck
from twinbench.plan import Cell, Plan, cells
from twinbench.store import CellRecord, Store

WINDOW_NS = (1_000_000_000, 2_000_000_000)

Requests = pl.DataFrame
MakeCell = Callable[[Cell], tuple[CellRecord, Requests]]


def answers(count: int, latency_ms: float, *, wrong: int = 0) -> Requests:
    """`count` answers spread evenly over the window, all as late; the last `wrong` are wrong.
    After the window it goes on so until all that was under way at its end is answered."""
    begin, end = WINDOW_NS
    after = int(count * latency_ms / 1e3)
    done = begin + np.arange(count + after) * (end - begin) // count
    sent = done - int(latency_ms * 1e6)
    errors = [""] * (count - wrong) + ["status 500, expected 200"] * wrong + [""] * after
    return rows(sent, sent, done, errors)


def arrivals(
    rate: int, latency_ms: float | np.ndarray, *, lag_ms: float = 0.05, wrong: int = 0
) -> Requests:
    """`rate` arrivals a second, evenly, from a second before the window to its end; each answered
    `latency_ms` after it was sent. The last `wrong` have no answer."""
    begin, end = WINDOW_NS
    count = 2 * rate
    intended = 2 * begin - end + np.arange(count) * (end - begin) // rate
    sent = intended + int(lag_ms * 1e6)
    done = sent + np.broadcast_to(np.asarray(latency_ms) * 1e6, count).astype(np.int64)
    errors = [""] * (count - wrong) + ["no answer when the load ended"] * wrong
    return rows(intended, sent, done, errors)


def rows(
    intended: np.ndarray, sent: np.ndarray, done: np.ndarray, errors: Sequence[str]
) -> Requests:
    """Requests as a recorder writes them; an error is a 500, or no answer."""
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
        "window_ns": WINDOW_NS,
        "server_cpu_s": 0.2,
        "scheduled": cell.load.value if cell.load.kind == "open" else 0,
    }
    return CellRecord.model_validate(cell._asdict() | values | changes)


def steady(cell: Cell, rps: int) -> tuple[CellRecord, Requests]:
    """A good cell with `rps` answers in its one second, at the latency of Little's law."""
    return record(cell), answers(rps, 1e3 * cell.load.value / rps)


CUMULATIVE = ("cpu_s", "cores_busy_s", "cores_stolen_s", "telemetry_cpu_s")
GAUGES = (
    *("loop_lag_ms", "threads_used", "threads_waiting"),
    *("connections_used", "connections_waiting"),
)


def telemetry(**values: float) -> pl.DataFrame:
    """Twenty samples over the window: cumulative columns grow by so much a second, gauges stay;
    what is not given is null."""
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
    look: Callable[[Cell], pl.DataFrame | None] = lambda _: None,
    self_check: SelfCheck | None = None,
) -> Store:
    """A whole run of `of`, each cell as `make_cell` has it, its telemetry as `look` has it."""
    store = Store.create(manifest(of), folder)
    for cell in cells(of):
        made, requests = make_cell(cell)
        requests.write_parquet(store.begin(cell) / "requests.parquet")
        if (samples := look(cell)) is not None:
            samples.write_parquet(
                store.folder / "cells" / f"{cell.number:04d}" / "telemetry.parquet"
            )
        store.finish(made)
    if self_check:
        store.write_self_check(self_check)
    return store
