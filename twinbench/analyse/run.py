"""A run folder analysed: a pure function of what is on disk."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from twinbench.analyse.cells import Cell, analyse_cell, invalid_cell
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
from twinbench.remarks import remarked
from twinbench.store import (
    CellRecord,
    Store,
    StoreError,
    UnreadableError,
    atomic_write,
)

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
    self_check = store.self_check()
    floor = self_check.floor if self_check else None
    failed: dict[int, str] = {}
    with ThreadPoolExecutor(READERS) as readers:
        cells = list(readers.map(lambda r: _cell(store, r, manifest.plan, floor, failed), records))
    results = [cell.result for cell in cells]
    judge_together(results)
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
        preflight=manifest.preflight,
        remarks=[*manifest.remarks, *_on_cells(records), *_few(failed)],
        cells=results,
        curves=curves(manifest.plan, cells),
        comparisons=[],
        crossovers=[],
        claims=[],
        timelines=[],
        self_check=self_check,
        machine=manifest.machine,
        versions=manifest.versions,
    )
    return _complete(found, store, records, floor)


def _complete(
    found: Results, store: Store, records: Sequence[CellRecord], floor: Floor | None
) -> Results:
    """`found` with what is made of its cells; a remark for each part that cannot be."""
    plan, remarks = found.plan, list(found.remarks)
    with remarked(remarks, "nothing is compared"):
        found = found.model_copy(update={"comparisons": comparisons(plan, found.cells, floor)})
    with remarked(remarks, "crossovers are missing"):
        found = found.model_copy(update={"crossovers": crossovers(plan, found.comparisons)})
    with remarked(remarks, "the pictures over time are missing"):
        found = found.model_copy(update={"timelines": timelines(store, plan, records, found.cells)})
    with remarked(remarks, "published claims are not judged"):
        found = found.model_copy(update={"claims": claims(found)})
    return found.model_copy(update={"remarks": remarks})


def _on_cells(records: Sequence[CellRecord]) -> Iterable[str]:
    """What is missing of cells, each with how many it is missing of."""
    counts = Counter(remark for record in records for remark in record.remarks)
    for remark, count in counts.items():
        yield f"{count} of {len(records)} cells: {remark}"


def _few(failed: Mapping[int, str]) -> Iterable[str]:
    """The first of the cells that could not be analysed, and how many there are."""
    if failed:
        first = min(failed)
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        yield f"cell {first}{more} {failed[first]}"


def write_results(store: Store, results: Results) -> None:
    atomic_write(store.folder / "results.json", results.model_dump_json(indent=1))


def _cell(
    store: Store, record: CellRecord, plan: Plan, floor: Floor | None, failed: dict[int, str]
) -> Cell:
    """A cell that cannot be analysed is invalid with the reason, which `failed` gets, too. Raises
    StoreError where records were edited: such a folder is refused."""
    why: list[str] = []
    try:
        lost = record.outcome == "lost"
        requests = NO_REQUESTS if lost else store.requests(record, NO_REQUESTS.columns)
    except UnreadableError as error:
        why.append(f"cannot be analysed: {error}")
    else:
        samples = _samples(store, record)
        with remarked(why, "cannot be analysed"):
            return analyse_cell(record, requests, plan, samples, floor)
    failed[record.number] = why[0]
    return invalid_cell(record, why[0])


def _samples(store: Store, record: CellRecord) -> pl.DataFrame | None:
    """What telemetry saw; None where that cannot be read, which `record` remarks then."""
    try:
        return store.telemetry(record, SEEN)
    except UnreadableError as error:
        record.remarks.append(f"telemetry is missing: {error}")
        return None


def _check(records: Sequence[CellRecord], plan: Plan, folder: Path) -> None:
    """A folder may have been put together by hand. Raises StoreError."""
    planned = {tuple(cell) for cell in plan_cells(plan)}
    for record in records:
        cell = (record.number, record.block, record.scenario, record.target, record.load)
        if cell not in planned:
            raise StoreError(f"{folder}: cell {record.number} is not of its plan: {record.label}")
        planned.remove(cell)
