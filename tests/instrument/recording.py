"""Recording of a calibration, read from its folder: measurements, logs of servers, other data."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from tests.instrument import RUNS, MissingDataError
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.selfcheck.evaluate import Measurement, measurements
from twinbench.store import CellRecord, Store

Mutation = Callable[[pl.DataFrame], pl.DataFrame]
LOG = dict.fromkeys(("arrived_ns", "began_ns", "ended_ns", "status"), pl.Int64)


class Recording:
    """Data of a calibration, its requests changed by `mutation`.

    Checks are pure functions of a recording.
    """

    def __init__(self, folder: Path, mutation: Mutation | None = None) -> None:
        self._folder = folder
        self._mutation = mutation

    def mutated(self, mutation: Mutation) -> "Recording":
        return Recording(self._folder, mutation)

    def measurements(self, scenario: str, target: str = "") -> list[Measurement]:
        """Return the measurements of `scenario` in their order. Raises MissingDataError."""
        found = [
            measurement
            for run in self._runs.values()
            if any(own.name == scenario for own in run.plan.scenarios)
            for measurement in run.measurements
            if measurement.record.scenario == scenario and target in ("", measurement.record.target)
        ]
        if not found:
            raise MissingDataError(f"nothing was measured of '{scenario}'")
        for measurement in found:
            record = measurement.record
            if record.outcome != "done":
                raise MissingDataError(f"{record.label}: {record.reason or record.outcome}")
            if measurement.in_window.is_empty():
                raise MissingDataError(f"{record.label}: no request in the window")
        return found

    def measurement(self, scenario: str) -> Measurement:
        """Return the first measurement of `scenario`. Raises MissingDataError."""
        return self.measurements(scenario)[0]

    def results(self, plan: str) -> Results:
        """Return the analysis of the run of `plan`. Raises MissingDataError."""
        if plan not in self._runs:
            raise MissingDataError(f"the plan '{plan}' was not measured")
        return self._runs[plan].results

    def log(self, target: str, measurement: Measurement | None = None) -> pl.DataFrame:
        """Return the log of the servers of `target`, during `measurement` or in all.

        In the order in which requests were begun. Raises MissingDataError.
        """
        logs = self.other(f"server-{target}")
        rows = pl.concat([pl.DataFrame(log, schema=LOG, orient="row") for log in logs])
        rows = rows.sort("began_ns")
        if measurement:
            # The requests as recorded: a mutation must not hide what the server did.
            recorded = Store(measurement.store.folder).requests(measurement.record)
            first, last = recorded["sent_ns"].min(), recorded["done_ns"].max()
            rows = rows.filter((pl.col("began_ns") >= first) & (pl.col("ended_ns") <= last))
        return rows

    def other(self, name: str) -> list[Any]:
        """Return the data of each `<name>-<number>.json`: `timer`, `wrk`, `stop`, a server's log.

        Raises MissingDataError.
        """
        files = sorted(self._folder.glob(f"{name}-*.json"))
        if not files:
            raise MissingDataError(f"there is no {name}-*.json")
        return [json.loads(path.read_text()) for path in files]

    @cached_property
    def _runs(self) -> dict[str, "_Run"]:
        folders = sorted((self._folder / RUNS).iterdir())
        runs = [_Run(folder, self._mutation) for folder in folders]
        return {run.plan.name: run for run in runs}


class _Run(Store):
    """Run folder of one plan, its requests changed by `mutation`."""

    def __init__(self, folder: Path, mutation: Mutation | None) -> None:
        super().__init__(folder)
        self._mutation = mutation
        self.plan = self.manifest().plan

    def requests(self, record: CellRecord, columns: Sequence[str] | None = None) -> pl.DataFrame:
        if self._mutation is None:
            return super().requests(record, columns)
        rows = self._mutation(super().requests(record))
        return rows.select(columns) if columns else rows

    @cached_property
    def results(self) -> Results:
        try:
            return analyse(self)
        except (ArithmeticError, ValueError) as error:  # as of latencies that are zero
            raise MissingDataError(f"{self.plan.name}: cannot be analysed ({error})") from None

    @cached_property
    def measurements(self) -> list[Measurement]:
        return measurements(self, self.results)
