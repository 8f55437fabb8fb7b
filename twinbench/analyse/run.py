"""A run folder analysed: a pure function of what is on disk."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from twinbench.analyse.cells import Cell, analyse_cell
from twinbench.analyse.claims import claims
from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.crossovers import crossovers
from twinbench.analyse.curves import curves
from twinbench.analyse.gates import judge_together
from twinbench.analyse.results import Results, Timing
from twinbench.analyse.telemetry import COLUMNS as SEEN
from twinbench.analyse.timelines import timelines
from twinbench.findings import Floor
from twinbench.plan import Plan
from twinbench.plan import cells as plan_cells
from twinbench.store import FULL_CALIBRATION, CellRecord, Store, StoreError, write_whole

# Reading and sorting let go of the GIL for a part of their time: with two, a quarter is saved; a
# third saves nothing.
READERS = 2
# A lost cell has no records; its row in the results says why.
NO_REQUESTS = pl.DataFrame(
    schema=dict.fromkeys(("intended_ns", "sent_ns", "done_ns", "request"), pl.Int64)
    | {"error": pl.String}
)


def analyse(store: Store) -> Results:
    """Everything that can be said of the run in `store`, finished or not."""
    manifest = store.manifest()
    records = store.records()
    _check(records, manifest.plan, store.folder)
    calibration = store.calibration()
    floor = calibration.floor if calibration else None
    with ThreadPoolExecutor(READERS) as readers:
        cells = list(readers.map(lambda r: _cell(store, r, manifest.plan, floor), records))
    results = [cell.result for cell in cells]
    judge_together(results)
    compared = comparisons(manifest.plan, results, floor)
    found = Results(
        run=store.folder.name,
        plan=manifest.plan,
        timing=Timing(
            started=manifest.sessions[0].started.isoformat(timespec="seconds"),
            elapsed_s=round(store.elapsed_s(), 1),
            window_s=round(sum(record.window_s for record in records), 1),
            sessions=len(manifest.sessions),
        ),
        missing_cells=manifest.cells - len(records),
        remarks=manifest.remarks,
        cells=results,
        curves=curves(manifest.plan, cells, len(manifest.machine.server_cores)),
        comparisons=compared,
        crossovers=crossovers(manifest.plan, compared),
        claims=[],
        timelines=timelines(store, manifest.plan, results),
        calibration=calibration,
        full_calibration=store.calibration(FULL_CALIBRATION),
        machine=manifest.machine,
        versions=manifest.versions,
    )
    return found.model_copy(update={"claims": claims(found)})


def write_results(store: Store, results: Results) -> None:
    write_whole(store.folder / "results.json", results.model_dump_json(indent=1))


def _cell(store: Store, record: CellRecord, plan: Plan, floor: Floor | None) -> Cell:
    lost = record.outcome == "lost"
    requests = NO_REQUESTS if lost else store.requests(record, NO_REQUESTS.columns)
    return analyse_cell(record, requests, plan, store.telemetry(record, SEEN), floor)


def _check(records: Sequence[CellRecord], plan: Plan, folder: Path) -> None:
    """A folder may have been put together by hand. Raises StoreError."""
    planned = {tuple(cell) for cell in plan_cells(plan)}
    for record in records:
        cell = (record.number, record.block, record.scenario, record.target, record.load)
        if cell not in planned:
            raise StoreError(f"{folder}: cell {record.number} is not of its plan: {record.label}")
        planned.remove(cell)
