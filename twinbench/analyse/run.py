"""Analysis of a run folder: a pure function of what is on disk."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from twinbench.analyse.claims import claims
from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.curves import curves
from twinbench.analyse.gates import GateInput, judge_cell
from twinbench.analyse.names import requests_by_name
from twinbench.analyse.results import (
    CellResult,
    ClaimResult,
    Comparison,
    NamedRequests,
    Results,
    Timeline,
    Timing,
)
from twinbench.analyse.run_gates import judge_run
from twinbench.analyse.sweep import sweep_result
from twinbench.analyse.timelines import timelines
from twinbench.analyse.window import TELEMETRY_COLUMNS, AnalysedCell, Windows, cell_figures
from twinbench.plan import Cell, Plan
from twinbench.remarks import remarked
from twinbench.selfcheck.result import Floor
from twinbench.store import CellRecord, Manifest, Store, StoreError, UnreadableError, atomic_write

# Reading and sorting release the GIL for a part of their time: two save a quarter, a third nothing.
READERS = 2
# A lost cell has no records; its row in the results says why.
NO_REQUESTS = pl.DataFrame(
    schema=dict.fromkeys(("intended_ns", "sent_ns", "done_ns", "request"), pl.Int64)
    | {"error": pl.String}
)


def analyse(store: Store) -> Results:
    """Return the results of a run, finished or not. Raises StoreError."""
    manifest, records = store.manifest(), store.records()
    self_check = store.self_check()
    floor = self_check.floor if self_check else None
    read = _read_cells(store, manifest, records, floor)
    results = judge_run([each.cell.result for each in read])
    cells = [replace(of.cell, result=result) for of, result in zip(read, results, strict=True)]
    remarks = [*manifest.remarks, *_cell_remarks(read), *_failures(read)]
    compared: list[Comparison] = []
    over_time: list[Timeline] = []
    by_name: list[NamedRequests] = []
    verdicts: list[ClaimResult] = []
    with remarked(remarks, "nothing is compared"):
        compared = comparisons(manifest.plan, results, floor)
    with remarked(remarks, "charts over time are missing"):
        over_time = timelines(store, manifest.plan, records, results)
    with remarked(remarks, "requests by name are missing"):
        by_name = requests_by_name(store, manifest.plan, records, results)
    of_targets = curves(manifest.plan, cells)
    found = Results(
        run=store.folder.name,
        plan=manifest.plan,
        timing=_timing(store, manifest, records),
        added=manifest.added,
        missing_cells=len(manifest.planned()) - len(records),
        preflight=manifest.preflight,
        cells=results,
        curves=of_targets,
        comparisons=compared,
        claims=[],
        timelines=over_time,
        by_name=by_name,
        sweep=sweep_result(manifest.plan, of_targets),
        self_check=self_check,
        machine=manifest.machine,
        versions=manifest.versions,
        target_versions=manifest.target_versions,
        compared_versions=manifest.compared_versions,
    )
    with remarked(remarks, "public claims are not judged"):
        verdicts = claims(found)
    return found.model_copy(update={"claims": verdicts, "remarks": remarks})


def compare_only(store: Store) -> tuple[list[CellResult], list[Comparison]]:
    """Return measurements and comparisons of a run so far. Raises StoreError."""
    manifest, self_check = store.manifest(), store.self_check()
    floor = self_check.floor if self_check else None
    read = _read_cells(store, manifest, store.records(), floor)
    cells = judge_run([each.cell.result for each in read])
    return cells, comparisons(manifest.plan, cells, floor)


def write_results(store: Store, results: Results) -> None:
    atomic_write(store.folder / "results.json", results.model_dump_json(indent=1))


def analyse_cell(
    record: CellRecord,
    requests: pl.DataFrame,
    plan: Plan,
    telemetry: pl.DataFrame | None = None,
    floor: Floor | None = None,
) -> AnalysedCell:
    """Return the figures of a cell, and its status by what is known of it alone."""
    window = Windows.of(record, requests, plan.scenario(record.scenario))
    figures = cell_figures(record, window, telemetry, plan.collapse_s)
    errors = requests["error"].filter(pl.Series(window.failed))
    judgement = judge_cell(GateInput(plan, record, figures, window, errors, floor))
    return AnalysedCell(
        CellResult(
            **dict(figures),
            status=judgement.status,
            reasons=judgement.reasons,
            disturbed=judgement.disturbed,
        ),
        window.response_ms(),
        window.service_ms(),
    )


@dataclass(frozen=True, slots=True)
class _ReadCell:
    """A cell, the remarks on its records, and why it could not be analysed."""

    cell: AnalysedCell
    remarks: list[str]
    failure: str = ""


def _read_cells(
    store: Store, manifest: Manifest, records: Sequence[CellRecord], floor: Floor | None
) -> list[_ReadCell]:
    _check_planned(records, manifest.planned(), store.folder)
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(lambda r: _read_cell(store, r, manifest.plan, floor), records))


def _read_cell(store: Store, record: CellRecord, plan: Plan, floor: Floor | None) -> _ReadCell:
    """Analyse a cell; one that cannot be analysed is invalid.

    Raises StoreError where records were edited.
    """
    failures: list[str] = []
    try:
        lost = record.outcome == "lost"
        requests = NO_REQUESTS if lost else store.requests(record, NO_REQUESTS.columns)
    except UnreadableError as error:
        failures.append(f"cannot be analysed: {error}")
    else:
        samples, record = _read_telemetry(store, record)
        with remarked(failures, "cannot be analysed"):
            cell = analyse_cell(record, requests, plan, samples, floor)
            return _ReadCell(cell, record.remarks)
    return _ReadCell(_unanalysed(record, plan, failures[0]), record.remarks, failures[0])


def _read_telemetry(store: Store, record: CellRecord) -> tuple[pl.DataFrame | None, CellRecord]:
    """Return the telemetry of a cell; where it is unreadable None, with a remark in the record."""
    try:
        return store.telemetry(record, TELEMETRY_COLUMNS), record
    except UnreadableError as error:
        remarks = [*record.remarks, f"telemetry is missing: {error}"]
        return None, record.model_copy(update={"remarks": remarks})


def _unanalysed(record: CellRecord, plan: Plan, reason: str) -> AnalysedCell:
    """Return an invalid cell without figures."""
    lost = CellRecord(
        number=record.number,
        block=record.block,
        scenario=record.scenario,
        target=record.target,
        load=record.load,
        outcome="lost",
        reason=reason,
        scheduled=record.scheduled,
        dropped=record.dropped,
        server_cpu_s=None,
        server_memory_mib=None,
    )
    return analyse_cell(lost, NO_REQUESTS, plan)


def _timing(store: Store, manifest: Manifest, records: Sequence[CellRecord]) -> Timing:
    elapsed_s, took_s, starts_s, window_s = (
        store.elapsed_s(),
        sum(record.took_s for record in records),
        sum(record.starts_s for record in records),
        sum(record.window_s for record in records),
    )
    return Timing(
        started=manifest.sessions[0].started.isoformat(timespec="seconds"),
        elapsed_s=round(elapsed_s, 1),
        window_s=round(window_s, 1),
        warmup_s=round(max(0.0, took_s - starts_s - window_s), 1),
        starts_s=round(starts_s, 1),
        checks_s=round(max(0.0, elapsed_s - took_s), 1),
        sessions=len(manifest.sessions),
    )


def _cell_remarks(cells: Sequence[_ReadCell]) -> Iterable[str]:
    """Return each remark on cells, with how many cells it is about."""
    counts = Counter(remark for cell in cells for remark in cell.remarks)
    for remark, count in counts.items():
        yield f"{count} of {len(cells)} measurements: {remark}"


def _failures(cells: Sequence[_ReadCell]) -> Iterable[str]:
    """Return the first of the cells that could not be analysed, and how many there are."""
    failed = [cell for cell in cells if cell.failure]
    if failed:
        first = min(failed, key=lambda each: each.cell.result.id)
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        yield f"measurement {first.cell.result.id}{more} {first.failure}"


def _check_planned(records: Sequence[CellRecord], cells: Sequence[Cell], folder: Path) -> None:
    """Check that the cells are those of the plan. Raises StoreError."""
    planned = set(cells)
    for record in records:
        cell = Cell(record.number, record.block, record.scenario, record.target, record.load)
        if cell not in planned:
            raise StoreError(
                f"{folder}: measurement {record.number} is not of its plan: {record.label}"
            )
        planned.remove(cell)
