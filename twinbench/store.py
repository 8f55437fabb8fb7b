"""The run folder: the one contract between measuring and analysing.

    manifest.json                     the plan as run, machine, versions, times
    cells/NNNN/cell.json              what happened; written last, so it marks a finished cell
    cells/NNNN/requests.parquet       one row a request
    cells/NNNN/telemetry.parquet      what the server was doing, 20 times a second
    calibration.json                  what the instrument could do just before the run
    calibration-full.json             at the last `make calibrate` before it
    results.json report.html ...      made from the above, at any time again

A cell is written the moment it ends: a run that is killed loses the cell in flight at most.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import numpy as np
import polars as pl
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from twinbench.findings import MOST_FIGURE, Amount, Calibration, Figure, Number, PreflightPair
from twinbench.paths import LATEST
from twinbench.plan import Cell, Load, Plan
from twinbench.text import UserError, one_line

# A manifest of the longest plan, with a remark for every cell, is a tenth of it.
MOST_JSON_BYTES = 1 << 26
MOST_REASON = 150  # characters, which leave as many for a path
CALIBRATION, FULL_CALIBRATION = "calibration.json", "calibration-full.json"
FORMAT: Literal[3] = 3


# Of folders: local time, with its zone.
STAMP = "%Y%m%d-%H%M%S%z"


class StoreError(UserError):
    """A run folder that cannot be read or written: one sentence."""


# Why server and generator are not on physical cores of their own.
Sharing = Literal["unpinned", "one core", "hardware threads", "quota"]


class UnreadableError(StoreError):
    """Records of one cell that cannot be read at all, as after a failure of the disk."""


class Machine(BaseModel):
    """Where it was measured; no core numbers where processes could not be pinned. None: not
    known, and of `sharing`, `container`, `cpu_quota` and `memory_limit_mib`: there is none."""

    cpu: str
    cores: Number
    memory_gib: Amount
    system: str
    python: str
    server_cores: tuple[Number, ...]
    generator_cores: tuple[Number, ...]
    sharing: Sharing | None = None
    threads_per_core: Number | None = None
    governor: str | None = None
    turbo: bool | None = None
    virtualization: str | None = None
    container: str | None = None
    cpu_quota: Amount | None = None
    memory_limit_mib: Number | None = None
    load_average: Amount | None = None  # of the minute before the run

    def settings(self) -> dict[str, object]:
        """What stays as it is while nobody changes the machine."""
        return self.model_dump(exclude={"load_average"})


# Nanoseconds of the monotonic clock, as parquet holds them.
Stamp = Annotated[int, Field(ge=0, lt=2**63)]


# As exact as they are written: less is none, and would make an infinite rate.
CpuSeconds = Annotated[Amount, AfterValidator(lambda seconds: round(seconds, 4))]


class CellRecord(BaseModel):
    """What happened in one cell. `done`: measured to the end; `collapsed`: the server stopped
    answering; `lost`: there is nothing to analyse, `reason` says why. `good`: right answers inside
    the window, as the generator counted them. Of an open load, `scheduled` arrivals were due in
    the window, and `dropped` of them were not sent because too many requests were in flight.
    `generator_cpu_s` is that of the busiest of the generator's processes,
    `generator_waited_s` how long it was ready and had no core. `remarks`: what is missing of it,
    such as telemetry, and why; the server's CPU time and memory are None where they are not known
    for it."""

    number: Number
    block: Number
    scenario: str
    target: str
    load: Load
    outcome: Literal["done", "collapsed", "lost"]
    reason: str = ""
    window_ns: tuple[Stamp, Stamp] = (0, 0)
    users_unserved: Number = 0
    unanswered: Number = 0
    good: Number = 0
    scheduled: Number = 0
    dropped: Number = 0
    drained: bool = True
    server_cpu_s: CpuSeconds | None = 0.0
    server_memory_mib: Amount | None = 0.0
    generator_cpu_s: Amount = 0.0
    generator_waited_s: Figure = 0.0  # below 0 where the system stops telling
    remarks: list[str] = []

    @model_validator(mode="after")
    def _window_has_begun_before_it_ends(self) -> Self:
        begin_ns, end_ns = self.window_ns
        if begin_ns > end_ns or (self.outcome == "done" and begin_ns == end_ns):
            raise ValueError("the window has no length")
        return self

    @property
    def label(self) -> str:
        return f"{self.scenario}, {self.target}, {self.load.label}, block {self.block}"

    @property
    def window_s(self) -> float:
        return (self.window_ns[1] - self.window_ns[0]) / 1e9


INTEGERS = (pl.Int32, pl.Int64)
# Of a request, in the order of time.
STAMPS = ("intended_ns", "sent_ns", "done_ns")
Model = TypeVar("Model", bound=BaseModel)


class Session(BaseModel):
    """One stretch of measuring; a run that was resumed has several."""

    started: AwareDatetime
    ended: AwareDatetime | None = None


class Manifest(BaseModel):
    format: Literal[3] = FORMAT
    plan: Plan
    plan_file: str
    cells: Number
    machine: Machine
    versions: dict[str, str]
    sessions: list[Session] = Field(min_length=1)
    preflight: list[PreflightPair] = []
    # What a reader must know of the run as a whole, a sentence each: what is missing, and why.
    remarks: list[str] = []

    @field_validator("versions")
    @classmethod
    def _versions_are_named(cls, value: dict[str, str]) -> dict[str, str]:
        if missing := {"python", "fastapi"} - value.keys():
            raise ValueError(f"there is no version of {', '.join(sorted(missing))}")
        return value

    @model_validator(mode="after")
    def _cells_are_those_of_the_plan(self) -> Self:
        if self.cells != self.plan.count_cells():
            raise ValueError(f"the plan has {self.plan.count_cells()} cells, not {self.cells}")
        return self


class Store:
    """One run folder."""

    def __init__(self, folder: Path) -> None:
        try:
            str(folder.absolute()).encode()
        except UnicodeEncodeError:  # neither polars nor JSON can hold its name
            raise StoreError(
                f"{folder.absolute()}: the path of a run is not in UTF-8; rename the folder"
            ) from None
        self.folder = folder

    @classmethod
    def create(cls, manifest: Manifest, runs: Path) -> Self:
        """A new folder under `runs`, named after the local time and the plan. Raises StoreError."""
        stamp = manifest.sessions[0].started.strftime(STAMP)
        store = cls(runs / f"{stamp}-{manifest.plan.name}")
        try:
            (store.folder / "cells").mkdir(parents=True)
            store.write_manifest(manifest)
        except OSError as error:
            raise StoreError(f"{store.folder}: cannot be written ({error.strerror})") from None
        return store

    @classmethod
    def open(cls, folder: Path) -> Self:
        """An existing run. Raises StoreError."""
        if not (folder / "manifest.json").is_file():
            raise StoreError(f"{folder.absolute()}: there is no run here (no file manifest.json)")
        return cls(folder.resolve())

    def manifest(self) -> Manifest:
        return self._read(self.folder / "manifest.json", Manifest)

    def write_manifest(self, manifest: Manifest) -> None:
        atomic_write(self.folder / "manifest.json", manifest.model_dump_json(indent=1))

    def begin(self, cell: Cell) -> Path:
        """An empty folder for `cell`, whatever an interrupted attempt left there."""
        folder = self._cell_folder(cell.number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def finish(self, record: CellRecord) -> None:
        """Keep a finished cell; what `begin` gave the folder for is on disk before it counts."""
        for path in self._cell_folder(record.number).iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        atomic_write(self._cell_folder(record.number) / "cell.json", record.model_dump_json())

    def records(self) -> list[CellRecord]:
        """All finished cells, in the order of measuring."""
        found = []
        for path in self._finished_cells():
            record = self._read(path, CellRecord)
            if path.parent != self._cell_folder(record.number):
                raise StoreError(f"{path}: holds cell {record.number}, whose folder is another")
            found.append(record)
        return sorted(found, key=lambda record: record.number)

    def requests(self, record: CellRecord, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Every request of a cell, warm-up included; all columns (loadtests/recorder.py), or
        those named."""
        path = self._cell_folder(record.number) / "requests.parquet"
        rows = self._read_rows(path, columns)
        for column in rows:
            _check_request_column(column, path)
        # As arrays, here and below: polars takes ten times as long to compare a few rows.
        stamps = {name: rows[name].to_numpy() for name in STAMPS if name in rows.columns}
        for first, then in pairwise(STAMPS):
            if {first, then} <= stamps.keys():
                before = (stamps[then] > 0) & (stamps[then] < stamps[first])
                if before.any():
                    raise _strange(path, f"{then} is before {first} in a row")
        return rows

    def telemetry(
        self, record: CellRecord, columns: Sequence[str] | None = None
    ) -> pl.DataFrame | None:
        """What the server was doing; all columns (docs/results.md), or those named. None where
        nobody looked."""
        path = self._cell_folder(record.number) / "telemetry.parquet"
        if not os.path.lexists(path):
            return None
        rows = self._read_rows(path, columns)
        for column in rows:
            if column.name == "t_ns":
                _check_request_column(column, path)
                if (np.diff(column.to_numpy()) <= 0).any():
                    raise _strange(path, "t_ns does not ascend")
            else:
                _check_telemetry_column(column, path)
        return rows

    def calibration(self, name: str = CALIBRATION) -> Calibration | None:
        """What the instrument could do just before this run, or (FULL_CALIBRATION) at the last
        `make calibrate` before it; None where it was not asked."""
        path = self.folder / name
        return self._read(path, Calibration) if os.path.lexists(path) else None

    def write_calibration(self, calibration: Calibration, name: str = CALIBRATION) -> None:
        atomic_write(self.folder / name, calibration.model_dump_json(indent=1))

    def remark(self, sentence: str) -> None:
        """Keep a remark on the run as a whole, once."""
        manifest = self.manifest()
        if sentence not in manifest.remarks:
            manifest.remarks.append(sentence)
            self.write_manifest(manifest)

    def finished(self) -> list[CellRecord]:
        """The cells that a resumed run need not measure again: all but the lost ones."""
        return [record for record in self.records() if record.outcome != "lost"]

    def last_written(self) -> datetime:
        """When the newest finished cell was kept; when the run began if there is none."""
        times = [path.stat().st_mtime for path in self._finished_cells()]
        if not times:
            return self.manifest().sessions[0].started
        return datetime.fromtimestamp(max(times), UTC)

    def elapsed_s(self) -> float:
        """How long was measured in all; a killed session counts to its last cell."""
        last = self.last_written()
        ends = [(s.started, s.ended or max(last, s.started)) for s in self.manifest().sessions]
        return sum((ended - started).total_seconds() for started, ended in ends)

    def update_latest_link(self, latest: Path = LATEST) -> None:
        """Make `latest` a link to this run. Raises StoreError."""
        fresh = latest.with_name(f".{latest.name}.{os.getpid()}")
        try:
            fresh.symlink_to(os.path.relpath(self.folder.resolve(), latest.parent.resolve()))
            fresh.replace(latest)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StoreError(f"{latest}: cannot be made a link ({error.strerror})") from None

    def _read(self, path: Path, model: type[Model]) -> Model:
        self._check_own(path)
        try:
            with path.open("rb") as file:
                text = file.read(MOST_JSON_BYTES + 1)
            if len(text) > MOST_JSON_BYTES:
                raise StoreError(f"{path}: longer than {MOST_JSON_BYTES >> 20} MiB")
            return model.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            raise _strange(path, ": ".join(filter(None, (where, what)))) from None
        except OSError as error:
            raise _strange(path, error.strerror or str(error)) from None

    def _read_rows(self, path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
        self._check_own(path)
        try:
            return pl.read_parquet(path, columns=list(columns) if columns else None, glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).splitlines()[0]
            raise UnreadableError(f"{path}: cannot be read ({reason})") from None

    def _check_own(self, path: Path) -> None:
        """Raise StoreError if `path` is there and no file of this run: through a link, figures of
        another run would be read; a device has no end."""
        within = path.relative_to(self.folder)
        if os.path.realpath(path) != os.path.join(os.path.realpath(self.folder), within):  # noqa: PTH118
            raise StoreError(f"{path}: a link, or behind one: no file of this run")
        if not path.is_file() and path.exists():
            raise StoreError(f"{path}: not a regular file")

    def _finished_cells(self) -> list[Path]:
        """Their cell.json."""
        paths = (folder / "cell.json" for folder in self.folder.glob("cells/*"))
        return [path for path in paths if os.path.lexists(path)]

    def _cell_folder(self, number: int) -> Path:
        return self.folder / "cells" / f"{number:04d}"


def _strange(path: Path, what: str) -> StoreError:
    reason = one_line(" ".join(what.split()), MOST_REASON)
    return StoreError(f"{path}: not of this version of twinbench ({reason})")


def _check_request_column(column: pl.Series, path: Path) -> None:
    """Raise StoreError if `column` is not what a recorder writes: text, or numbers from 0 on."""
    name, kind = column.name, column.dtype
    if not (kind == pl.String if name == "error" else kind in INTEGERS):
        raise _strange(path, f"{name} is {kind.base_type()}")
    if column.null_count():
        raise _strange(path, f"{name} is null in a row")
    if name != "error" and (column.to_numpy() < 0).any():
        raise _strange(path, f"{name} is negative in a row")


def _check_telemetry_column(column: pl.Series, path: Path) -> None:
    """Raise StoreError if `column` is not numbers, null where something could not be seen."""
    if column.dtype == pl.Null:
        return
    if not column.dtype.is_numeric():
        raise _strange(path, f"{column.name} is {column.dtype.base_type()}")
    values = column.drop_nulls().to_numpy()
    if not ((values >= 0) & (values <= MOST_FIGURE)).all():  # NaN is not, either
        raise _strange(path, f"{column.name} is not between 0 and {MOST_FIGURE:g} in a row")


def runs_of(
    runs: Path, plan_name: str, skipped: Callable[[Exception], None] = lambda _: None
) -> list[Store]:
    """Return the runs of a plan, the newest first. By when they were begun: names tell local time,
    which does not sort where the zone changes. `skipped` gets why a folder cannot be read."""
    found = []
    for folder in runs.glob(f"*-{plan_name}"):
        try:
            if (folder / "manifest.json").is_file():
                manifest = Store.open(folder).manifest()
                if manifest.plan.name == plan_name:
                    found.append((manifest.sessions[0].started, Store(folder.resolve())))
        except (StoreError, OSError) as error:
            skipped(error)
    return [store for _, store in sorted(found, key=lambda run: run[0], reverse=True)]


def now() -> datetime:
    """In local time, with its zone: it is shown to people."""
    return datetime.now(UTC).astimezone()


def atomic_write(path: Path, text: str) -> None:
    """Write `path` so that it is there whole or not at all, even after a power cut, or where
    the disk is full. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None
