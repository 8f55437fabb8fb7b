"""Requests of a locustfile by name: of all valid blocks together, at one load."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from twinbench.analyse.results import CellResult, NamedRequests
from twinbench.analyse.window import NS_PER_MS, Windows, percentiles
from twinbench.plan import Load, Plan, Scenario
from twinbench.store import CellRecord, Store

COLUMNS = ("intended_ns", "sent_ns", "done_ns", "request", "error", "name")
# Beyond it a file has names for single rows of data, which say nothing each.
MOST_NAMES = 50


def requests_by_name(
    store: Store, plan: Plan, records: Sequence[CellRecord], cells: Sequence[CellResult]
) -> list[NamedRequests]:
    """Return the requests of each scenario with a locustfile, at its highest load with a result.

    The most frequent first. Raises StoreError.
    """
    by_number = {record.number: record for record in records}
    found: list[NamedRequests] = []
    for scenario in plan.scenarios:
        valid = [c for c in cells if c.scenario == scenario.name and c.status == "valid"]
        if scenario.locustfile and valid:
            load = max((cell.load for cell in valid), key=lambda load: load.value)
            for target in plan.targets_of(scenario):
                own = [c.id for c in valid if (c.target, c.load) == (target, load)]
                rows = [_in_windows(store, by_number[number], scenario) for number in own]
                found += _named(scenario.name, target, load, rows)
    return found


def _in_windows(store: Store, record: CellRecord, scenario: Scenario) -> pl.DataFrame:
    rows = store.requests(record, COLUMNS)
    window = Windows.of(record, rows, scenario)
    return rows.filter(pl.Series(window.contains(window.done_ns)))


def _named(
    scenario: str, target: str, load: Load, rows: Sequence[pl.DataFrame]
) -> Iterator[NamedRequests]:
    if not rows:
        return
    every = pl.concat(rows)
    for name, count in every["name"].value_counts(sort=True).head(MOST_NAMES).rows():
        own = every.filter(pl.col("name") == name)
        right = own.filter(pl.col("error") == "")
        times_ms = (right["done_ns"] - right["sent_ns"]).to_numpy().astype(np.float64) / NS_PER_MS
        p50_ms, p99_ms = percentiles(times_ms, (50, 99))
        yield NamedRequests(
            scenario=scenario,
            target=target,
            load=load,
            name=name,
            requests=count,
            errors=count - len(right),
            p50_ms=p50_ms,
            p99_ms=p99_ms,
        )
