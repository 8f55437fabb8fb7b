"""Made-up data of a calibration, as a perfect load generator would have recorded them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from tests.instrument import LOGS, RUNS, plans, theory
from tests.support.factories import manifest
from twinbench.plan import Cell, Plan, cells
from twinbench.store import CellRecord, Store

FLOOR_MS, LAG_MS, NULL_MS = 0.15, 0.05, 1.0
WARM_UP_MS = 200.0
APART_MS = 60_000.0  # between cells, on the one clock
NS_PER_MS = 1_000_000
HIGHEST = 1000  # a small one: twice it is what is made up
Times = np.ndarray


class Made(NamedTuple):
    """Times of requests, in ms since the load began: an array for each column."""

    intended: Times
    sent: Times
    began: Times
    ended: Times
    done: Times
    status: Times
    request: Times


def write_calibration(folder: Path) -> Path:
    setting = plans.Setting(folder / LOGS, 7, HIGHEST, 1)
    begin_ms = APART_MS
    for plan in plans.plans(setting, wrk=True):
        store = Store.create(manifest(plan), folder / RUNS)
        for cell in cells(plan):
            begin_ms += APART_MS
            made = _made(cell, plan, np.random.default_rng([cell.number, len(plan.name)]))
            _keep(store, plan, cell, made, begin_ms)
            _log(folder, cell, made, begin_ms)
    _write_others(folder)
    return folder


def _made(cell: Cell, plan: Plan, rng: np.random.Generator) -> Made:
    span = WARM_UP_MS + 1e3 * plan.measure_s
    if cell.load.kind == "closed":
        return _closed(cell, plan, span, rng)
    count = round(cell.load.value * span / 1e3)
    if plan.scenario(cell.scenario).arrivals == "constant":
        intended = np.arange(1, count + 1) * 1e3 / cell.load.value
    else:
        gaps = rng.exponential(1e3 / cell.load.value, count + 400)
        intended = np.cumsum(gaps)[np.cumsum(gaps) < span]
    sent = intended + LAG_MS
    if cell.scenario == "stopped":
        first, last = _stall(plans.FREEZE_AFTER_S, plans.STOP_S)
        sent = np.where((intended >= first) & (intended < last), last + 1, sent)
    services, slots = _services(cell, len(sent), rng)
    began = sent + FLOOR_MS / 2 + theory.waits(sent, services, slots)
    if cell.scenario == "frozen_open":
        began = _frozen(began)
    ended = began + services
    zeros = np.zeros(len(sent), dtype=np.int64)
    return Made(intended, sent, began, ended, ended + FLOOR_MS / 2, zeros + 200, zeros)


def _services(cell: Cell, count: int, rng: np.random.Generator) -> tuple[Times, int]:
    """Return service times, and the number of slots."""
    mean = plans.SERVICE_MS
    drawn = {
        "serial_50": rng.exponential(mean, count),
        "serial_70": mean * rng.choice([0.5, 0.5, 0.5, 2.5], count),
        "serial_85": np.full(count, mean),
        "pool": rng.exponential(plans.POOL_SERVICE_MS, count),
        "unqueued": np.full(count, float(plans.UNQUEUED_MS)),
    }
    if cell.scenario not in drawn:
        return np.full(count, 0.001), 1
    slots = {"pool": plans.SLOTS, "unqueued": 1000}.get(cell.scenario, 1)
    return drawn[cell.scenario], slots


def _stall(after_s: float, for_s: float) -> tuple[float, float]:
    return 1e3 * after_s, 1e3 * (after_s + for_s)


def _frozen(times: Times) -> Times:
    """Return times of service: at the end of the freeze for those that fall into it."""
    began, ended = _stall(plans.FREEZE_AFTER_S, plans.FREEZE_S)
    return np.where((times >= began) & (times < ended), ended + 0.1, times)


def _closed(cell: Cell, plan: Plan, span: float, rng: np.random.Generator) -> Made:
    delays = [float(r.path.partition("=")[2]) for r in plan.scenario(cell.scenario).requests]
    if cell.target in plans.PLANTED_MS:
        delays = [plans.PLANTED_MS[cell.target]]
    if cell.scenario == "frozen_closed":
        delays = [NULL_MS]
    users = [_one_user(cell, span, delays, rng) for _ in range(cell.load.value)]
    made = Made(*(np.concatenate(columns) for columns in zip(*users, strict=True)))
    order = np.argsort(made.sent, kind="stable")
    return Made(*(column[order] for column in made))


def _one_user(
    cell: Cell, span: float, delays: list[float], rng: np.random.Generator
) -> Iterable[Times]:
    sent, began, ended, done, status, request = [], [], [], [], [], []
    now, late = 0.0, float(rng.random())
    while now < span:
        kind = int(rng.integers(len(delays)))
        wrong = cell.scenario == "erring" and rng.random() < 1 / plans.ERRING_EVERY
        takes = 0.0 if wrong else delays[kind] * (1 + late)
        late = 0.0
        begin = now + FLOOR_MS / 2
        if cell.scenario == "frozen_closed":
            begin = float(_frozen(np.array([begin]))[0])
        sent.append(now)
        began.append(begin)
        ended.append(begin + takes)
        now = begin + takes + FLOOR_MS / 2
        done.append(now)
        status.append(500 if wrong else 200)
        request.append(kind)
    return [np.array(column) for column in (sent, sent, began, ended, done, status, request)]


def _keep(store: Store, plan: Plan, cell: Cell, made: Made, begin_ms: float) -> None:
    stamps = {"intended_ns": made.intended, "sent_ns": made.sent}
    stamps |= {"first_byte_ns": made.done, "done_ns": made.done}
    rows = pl.DataFrame({name: _ns(times, begin_ms) for name, times in stamps.items()})
    rows = rows.with_columns(
        request=pl.Series(made.request, dtype=pl.Int32),
        status=pl.Series(made.status, dtype=pl.Int32),
        bytes=pl.lit(2, dtype=pl.Int32),
        error=pl.Series(["" if s == 200 else f"status {s}" for s in made.status]),
    )
    rows.sort("done_ns").write_parquet(store.begin(cell) / "requests.parquet")
    begin = int(_ns(np.array(WARM_UP_MS), begin_ms))
    end = begin + int(plan.measure_s * 1e9)
    inside = rows.filter(pl.col("intended_ns").is_between(begin, end, closed="left"))
    record = CellRecord.model_validate(
        cell._asdict()
        | {
            "outcome": "done",
            "window_ns": (begin, end),
            "good": len(rows.filter((rows["error"] == "") & (rows["done_ns"] < end))),
            "scheduled": len(inside) if cell.load.kind == "open" else 0,
            "generator_cpu_s": 0.2 * plan.measure_s,
        }
    )
    store.finish(record)


def _log(folder: Path, cell: Cell, made: Made, begin_ms: float) -> None:
    """Write the log of the server of `cell`."""
    logs = folder / LOGS / cell.target
    logs.mkdir(parents=True, exist_ok=True)
    if cell.target == "frozen":
        began, ended = _stall(plans.FREEZE_AFTER_S, plans.FREEZE_S)
        columns = [np.zeros(1), np.array([began]), np.array([ended]), np.zeros(1)]
    else:
        columns = [made.began, made.began, made.ended, made.status]
    stamps = [_ns(column, begin_ms) for column in columns[:3]]
    names = ("arrived_ns", "began_ns", "ended_ns", "status")
    log = pl.DataFrame(dict(zip(names, [*stamps, columns[3].astype(np.int64)], strict=True)))
    log.write_csv(logs / f"{int(begin_ms)}.csv")
    if cell.target == "stopped":
        began, ended = _stall(plans.FREEZE_AFTER_S, plans.STOP_S)
        stop = [int(_ns(np.array(t), begin_ms)) for t in (began, ended)]
        text = json.dumps({"began_ns": stop[0], "ended_ns": stop[1]})
        (folder / "stop-1.json").write_text(text)


def _write_others(folder: Path) -> None:
    rng = np.random.default_rng(9)
    for n in range(1, 6):
        lags = (rng.gamma(4, 0.02, 600) * NS_PER_MS).astype(int).tolist()
        (folder / f"timer-{n}.json").write_text(json.dumps(lags))
        users, turn_ms = plans.USERS, plans.WAIT_MS + FLOOR_MS
        pair = {"rps": users / turn_ms * 1e3, "p50_ms": turn_ms}
        (folder / f"wrk-{n}.json").write_text(json.dumps(pair))


def _ns(times_ms: Times, begin_ms: float) -> Times:
    return np.rint((times_ms + begin_ms) * NS_PER_MS).astype(np.int64)
