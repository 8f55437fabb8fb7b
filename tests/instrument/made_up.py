"""Made-up data of a calibration, as a perfect load generator would have recorded them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tests.instrument import RUNS, checks, plans
from tests.support.factories import manifest
from twinbench.plan import Cell, Plan, cells
from twinbench.store import CellRecord, Store

FLOOR_MS, LAG_MS, NULL_MS = 0.15, 0.05, 1.0
WARM_UP_MS = 200.0
APART_MS = 60_000.0  # between cells, on the one clock
NS_PER_MS = 1_000_000
HIGHEST = 1000  # requests/s; headroom is made up at twice this rate
FREEZE_MS = (1e3 * plans.FREEZE_AFTER_S, 1e3 * (plans.FREEZE_AFTER_S + plans.FREEZE_S))
STOP_MS = (1e3 * plans.FREEZE_AFTER_S, 1e3 * (plans.FREEZE_AFTER_S + plans.STOP_S))
# Of each request; times in ms since the load began.
COLUMNS = ("intended", "sent", "began", "ended", "done", "status", "request")


def write_calibration(folder: Path) -> Path:
    setting = plans.Setting(folder, 7, HIGHEST, 1)
    begin_ms = APART_MS
    for plan in plans.plans(setting, wrk=True):
        store = Store.create(manifest(plan), folder / RUNS)
        for cell in cells(plan):
            begin_ms += APART_MS
            rng = np.random.default_rng([cell.number, len(plan.name)])
            make = _closed if cell.load.kind == "closed" else _open
            requests = make(cell, plan, WARM_UP_MS + 1e3 * plan.measure_s, rng)
            _keep(store, plan, cell, requests, begin_ms)
            _log(folder, cell, requests, begin_ms)
    rng = np.random.default_rng(9)
    for n in range(1, 6):
        _write(folder / f"timer-{n}.json", (rng.gamma(4, 0.02, 600) * NS_PER_MS).astype(int))
        turn_ms = plans.WAIT_MS + FLOOR_MS
        pair = {"rps": plans.USERS / turn_ms * 1e3, "p50_ms": turn_ms}
        (folder / f"wrk-{n}.json").write_text(json.dumps(pair))
    return folder


def _open(cell: Cell, plan: Plan, span: float, rng: np.random.Generator) -> pl.DataFrame:
    count = round(cell.load.value * span / 1e3)
    if plan.scenario(cell.scenario).arrivals == "constant":
        intended = np.arange(1, count + 1) * 1e3 / cell.load.value
    else:
        intended = np.cumsum(rng.exponential(1e3 / cell.load.value, count + 400))
        intended = intended[intended < span]
    sent = intended + LAG_MS
    if cell.scenario == "stopped":
        sent = np.where(_during(STOP_MS, intended), STOP_MS[1] + 1, sent)
    services, slots = _services(cell.scenario, len(sent), rng)
    began = sent + FLOOR_MS / 2 + checks.waits(sent, services, slots)
    if cell.scenario == "frozen_open":
        began = np.where(_during(FREEZE_MS, began), FREEZE_MS[1] + 0.1, began)
    ended = began + services
    columns = (intended, sent, began, ended, ended + FLOOR_MS / 2)
    table = dict(zip(COLUMNS, columns, strict=False))
    return pl.DataFrame(table).with_columns(status=pl.lit(200), request=pl.lit(0))


def _services(scenario: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return service times, and the number of slots."""
    mean = plans.SERVICE_MS
    match scenario:
        case "serial_50":
            return rng.exponential(mean, count), 1
        case "serial_70":
            return mean * rng.choice([0.5, 0.5, 0.5, 2.5], count), 1
        case "serial_85":
            return np.full(count, mean), 1
        case "pool":
            return rng.exponential(plans.POOL_SERVICE_MS, count), plans.SLOTS
        case "unqueued":
            return np.full(count, float(plans.UNQUEUED_MS)), 1000
    return np.full(count, 0.001), 1


def _closed(cell: Cell, plan: Plan, span: float, rng: np.random.Generator) -> pl.DataFrame:
    delays = [float(r.path.partition("=")[2]) for r in plan.scenario(cell.scenario).requests]
    if cell.target in plans.PLANTED_MS:
        delays = [plans.PLANTED_MS[cell.target]]
    if cell.scenario == "frozen_closed":
        delays = [NULL_MS]
    rows = [row for _ in range(cell.load.value) for row in _one_user(cell, span, delays, rng)]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row").sort("sent", maintain_order=True)


def _one_user(
    cell: Cell, span: float, delays: list[float], rng: np.random.Generator
) -> list[tuple[float, ...]]:
    rows: list[tuple[float, ...]] = []
    now, extra_share = 0.0, rng.random()
    while now < span:
        request = int(rng.integers(len(delays)))
        wrong = cell.scenario == "erring" and rng.random() < 1 / plans.ERRING_EVERY
        began = now + FLOOR_MS / 2
        if cell.scenario == "frozen_closed" and FREEZE_MS[0] <= began < FREEZE_MS[1]:
            began = FREEZE_MS[1] + 0.1
        ended = began + (0.0 if wrong else delays[request] * (1 + extra_share))
        done = ended + FLOOR_MS / 2
        rows.append((now, now, began, ended, done, 500 if wrong else 200, request))
        now, extra_share = done, 0.0
    return rows


def _during(stall: tuple[float, float], times: np.ndarray) -> np.ndarray:
    return (times >= stall[0]) & (times < stall[1])


def _keep(store: Store, plan: Plan, cell: Cell, requests: pl.DataFrame, begin_ms: float) -> None:
    """Write the requests as recorded."""
    rows = requests.select(
        intended_ns=_ns("intended", begin_ms),
        sent_ns=_ns("sent", begin_ms),
        first_byte_ns=_ns("done", begin_ms),
        done_ns=_ns("done", begin_ms),
        request=pl.col("request").cast(pl.Int32),
        status=pl.col("status").cast(pl.Int32),
        bytes=pl.lit(2, dtype=pl.Int32),
        error=pl.when(pl.col("status") == 200).then(pl.lit("")).otherwise(pl.lit("status 500")),
    )
    rows.sort("done_ns").write_parquet(store.begin(cell) / "requests.parquet")
    begin = round((WARM_UP_MS + begin_ms) * NS_PER_MS)
    end = begin + int(plan.measure_s * 1e9)
    inside = rows.filter(pl.col("intended_ns").is_between(begin, end, closed="left"))
    record = {
        **cell._asdict(),
        "outcome": "done",
        "windows_ns": [(begin, end)],
        "good": len(rows.filter((rows["error"] == "") & (rows["done_ns"] < end))),
        "scheduled": len(inside) if cell.load.kind == "open" else 0,
        "generator_cpu_s": 0.2 * plan.measure_s,
    }
    store.finish(CellRecord.model_validate(record))


def _log(folder: Path, cell: Cell, requests: pl.DataFrame, begin_ms: float) -> None:
    """Write the log of the server of `cell`, and when its generator was stopped."""
    if cell.target == "frozen":
        freeze = {"began": [FREEZE_MS[0]], "ended": [FREEZE_MS[1]], "status": [0]}
        requests = pl.DataFrame(freeze)
    began, ended = _ns("began", begin_ms), _ns("ended", begin_ms)
    rows = requests.select(began.alias("arrived"), began, ended, pl.col("status").cast(pl.Int64))
    _write(Path(f"{plans.log_of(cell.target, folder)}-{int(begin_ms)}.json"), rows.rows())
    if cell.target == "stopped":
        _write(folder / "stop-1.json", [round((t + begin_ms) * NS_PER_MS) for t in STOP_MS])


def _ns(column: str, begin_ms: float) -> pl.Expr:
    return ((pl.col(column) + begin_ms) * NS_PER_MS).round().cast(pl.Int64)


def _write(path: Path, values: Sequence[object] | np.ndarray) -> None:
    path.write_text(json.dumps(np.asarray(values).tolist()))
