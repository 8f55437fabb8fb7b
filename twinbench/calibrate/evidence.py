"""What was driven, read from disk: the cells as a run has them, and what the servers noted.

Judgement is a pure function of this folder; `change` applies an error to every recorded row, to
see whether it would be noticed.
"""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from twinbench.analyse.results import CellResult, Results
from twinbench.analyse.run import NO_REQUESTS, analyse
from twinbench.calibrate import LOGS, RUNS, NoEvidenceError
from twinbench.plan import Load, Plan
from twinbench.store import CellRecord, Store

NS_PER_MS = 1e6
Rows = pl.DataFrame
Change = Callable[[Rows], Rows]


class Seen(NamedTuple):
    """One cell: its run, its record, every row of it, what the analysis made of them."""

    run: Path
    record: CellRecord
    rows: Rows
    result: CellResult

    @property
    def in_window(self) -> Rows:
        """The requests that were meant to be sent inside the window."""
        begin, end = self.record.window_ns
        return self.rows.filter(pl.col("intended_ns").is_between(begin, end, closed="left"))


class Evidence:
    def __init__(self, folder: Path, change: Change | None = None) -> None:
        self.folder = folder
        self._change = change

    def changed(self, change: Change) -> "Evidence":
        return Evidence(self.folder, change)

    def seen(self, scenario: str, load: Load | None = None, target: str = "") -> list[Seen]:
        """The cells of `scenario`, in the order of measuring. Raises NoEvidenceError."""
        found = [
            cell
            for run in self._runs
            if any(own.name == scenario for own in run.plan.scenarios)
            for cell in run.cells
            if cell.record.scenario == scenario
            and load in (None, cell.record.load)
            and target in ("", cell.record.target)
        ]
        if not found:
            raise NoEvidenceError(f"nothing was measured of '{scenario}'")
        for cell in found:
            if cell.record.outcome != "done":
                why = cell.record.reason or cell.record.outcome
                raise NoEvidenceError(f"{cell.record.label}: {why}")
            if cell.in_window.is_empty():
                raise NoEvidenceError(f"{cell.record.label}: no request in the window")
        return found

    def one(self, scenario: str, load: Load | None = None) -> Seen:
        return self.seen(scenario, load)[0]

    def results(self, plan: str) -> Results:
        """The analysis of the run of `plan`."""
        for run in self._runs:
            if run.plan.name == plan:
                return run.results
        raise NoEvidenceError(f"the plan '{plan}' was not driven")

    def log(self, target: str, cell: Seen | None = None) -> Rows:
        """What the servers of `target` noted, during `cell` or ever, in the order of beginning."""
        files = sorted((self.folder / LOGS / target).glob("*.csv"))
        if not files:
            raise NoEvidenceError(f"the server '{target}' left no log")
        rows = pl.concat([pl.read_csv(path, schema=LOG, glob=False) for path in files]).sort(
            "began_ns"
        )
        if cell:
            # The rows as they are recorded: an error under test shall not hide what was served.
            recorded = Store(cell.run).requests(cell.record)
            first, last = recorded["sent_ns"].min(), recorded["done_ns"].max()
            rows = rows.filter((pl.col("began_ns") >= first) & (pl.col("ended_ns") <= last))
        return rows

    def beside(self, name: str) -> list[Any]:
        """What was measured beside the cells, each time: `timer`, `wrk` or `hold`."""
        files = sorted(self.folder.glob(f"{name}-*.json"))
        if not files:
            raise NoEvidenceError(f"there is no {name}-*.json")
        return [json.loads(path.read_text()) for path in files]

    @cached_property
    def _runs(self) -> list["_Run"]:
        folders = sorted((self.folder / RUNS).iterdir())
        return [_Run(_Changed(folder, self._change)) for folder in folders]


class _Run:
    """One plan as it was driven; analysed when it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.plan: Plan = store.manifest().plan

    @cached_property
    def results(self) -> Results:
        try:
            return analyse(self._store)
        except (ArithmeticError, ValueError) as error:  # as of latencies that are zero
            raise NoEvidenceError(f"{self.plan.name}: cannot be analysed ({error})") from None

    @cached_property
    def cells(self) -> list[Seen]:
        results = {result.id: result for result in self.results.cells}
        return [self._seen(record, results[record.number]) for record in self._store.records()]

    def _seen(self, record: CellRecord, result: CellResult) -> Seen:
        rows = NO_REQUESTS if record.outcome == "lost" else self._store.requests(record)
        return Seen(self._store.folder, record, rows, result)


LOG = dict.fromkeys(("arrived_ns", "began_ns", "ended_ns", "status"), pl.Int64)


class _Changed(Store):
    """A run folder as an erring instrument would have written it."""

    def __init__(self, folder: Path, change: Change | None) -> None:
        super().__init__(folder)
        self._change = change

    def requests(self, record: CellRecord, columns: Sequence[str] | None = None) -> Rows:
        if self._change is None:
            return super().requests(record, columns)
        rows = self._change(super().requests(record))
        return rows.select(columns) if columns else rows


def ms(rows: Rows, end: str, begin: str) -> Any:
    """The time from one stamp to another in ms, as an array."""
    return (rows[end] - rows[begin]).to_numpy() / NS_PER_MS
