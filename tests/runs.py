"""Run folders made up for tests: known figures in, so that known results must come out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from twinbench.plan import Cell, Plan, cells
from twinbench.store import CellRecord, Machine, Manifest, Session, Store, now

WINDOW_NS = (1_000_000_000, 2_000_000_000)

Requests = pl.DataFrame
MakeCell = Callable[[Cell], tuple[CellRecord, Requests]]


def plan(**changes: object) -> Plan:
    """Two targets, one scenario, two loads, three blocks; `changes` to the table."""
    table: dict[str, object] = {
        "name": "made-up",
        "blocks": 3,
        "targets": [{"name": "sync", "app": "a:app"}, {"name": "async", "app": "b:app"}],
        "scenarios": [
            {"name": "noop", "kind": "cpu", "requests": [{"path": "/"}], "closed": [1, 8]}
        ],
    }
    return Plan.model_validate(table | changes)


def manifest(of: Plan) -> Manifest:
    machine = Machine(
        cpu="a CPU",
        cores=2,
        memory_gib=4.0,
        system="Linux",
        python="CPython",
        server_cores=(0,),
        generator_cores=(1,),
    )
    return Manifest(
        plan=of,
        plan_file="made-up.toml",
        cells=len(cells(of)),
        machine=machine,
        versions={"python": "3.11", "fastapi": "0"},
        sessions=[Session(started=now(), ended=now())],
    )


def answers(count: int, latency_ms: float, *, wrong: int = 0) -> Requests:
    """`count` answers spread evenly over the window, all as late; the last `wrong` are wrong."""
    begin, end = WINDOW_NS
    done = np.linspace(begin, end, count, endpoint=False).astype(np.int64)
    sent = done - int(latency_ms * 1e6)
    errors = [""] * (count - wrong) + ["status 500, expected 200"] * wrong
    return pl.DataFrame(
        {
            "intended_ns": sent,
            "sent_ns": sent,
            "first_byte_ns": done,
            "done_ns": done,
            "request": np.zeros(count, dtype=np.int32),
            "status": np.array([500 if error else 200 for error in errors], dtype=np.int32),
            "bytes": np.full(count, 10, dtype=np.int32),
            "error": errors,
        },
        schema_overrides={"error": pl.String},
    )


def record(cell: Cell, **changes: object) -> CellRecord:
    values: dict[str, object] = {
        "outcome": "done",
        "window_ns": WINDOW_NS,
        "server_cpu_s": 0.2,
    }
    return CellRecord.model_validate(cell._asdict() | values | changes)


def steady(cell: Cell, rps: int) -> tuple[CellRecord, Requests]:
    """A good cell with `rps` answers in its one second, at the latency of Little's law."""
    return record(cell), answers(rps, 1e3 * cell.load.value / rps)


def write_run(folder: Path, of: Plan, make_cell: MakeCell) -> Store:
    """A whole run of `of`, each cell as `make_cell` has it."""
    store = Store.create(manifest(of), folder)
    for cell in cells(of):
        made, requests = make_cell(cell)
        requests.write_parquet(store.begin(cell) / "requests.parquet")
        store.finish(made)
    return store
