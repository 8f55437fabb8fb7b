"""Run folder: the contract between measuring and analysing.

    manifest.json                     the plan as run, machine, versions, times
    cells/NNNN/cell.json              record of a measurement; written last: it is complete
    cells/NNNN/requests.parquet       one row per request
    cells/NNNN/telemetry.parquet      samples of the server, 20 per second
    selfcheck.json                    the self-check before the run
    results.json report.html ...      written from the above, at any time again

A measurement is written when it ends: a run that is killed loses at most the one in flight.
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

from twinbench.job import LocustSummary
from twinbench.models import MAX_FIGURE, Amount, Figure, Number, error_text
from twinbench.plan import AddedBlock, Cell, Load, Plan, cells, loads_of
from twinbench.preflight.result import PreflightPair
from twinbench.selfcheck.result import SelfCheck
from twinbench.text import UserError, one_line
from twinbench.versions.result import ComparedVersions

# Ten times the manifest of the longest plan with a remark on every measurement.
MAX_JSON_BYTES = 1 << 26
MAX_REASON = 150  # characters; half of an error message, which also names a path
FORMAT: Literal[6] = 6
RUN_NAME_TIME = "%Y%m%d-%H%M%S%z"  # local time with its zone
INTEGERS = (pl.Int32, pl.Int64)
TEXTS = ("error", "name")  # columns of requests; others are integers
# Columns of a request, in order of time.
STAMPS = ("intended_ns", "sent_ns", "done_ns")
Model = TypeVar("Model", bound=BaseModel)


class StoreError(UserError):
    """Run folder that cannot be read or written."""


class UnreadableError(StoreError):
    """Records of one measurement that cannot be read, for example after a disk failure."""


# Why server and generator do not have physical cores of their own.
Sharing = Literal["unpinned", "one core", "hardware threads", "quota"]


class Machine(BaseModel):
    """Machine of a run. No core numbers if processes could not be pinned.

    None means unknown; for `sharing`, `container`, `cpu_quota` and `memory_limit_mib`: none.
    """

    cpu: str
    cores: Number
    memory_gib: Amount
    system: str
    python: str
    server_cores: tuple[Number, ...]
    generator_cores: tuple[Number, ...]
    database_cores: tuple[Number, ...] = ()  # of a database that the run has started
    sharing: Sharing | None = None
    threads_per_core: Number | None = None
    governor: str | None = None
    turbo: bool | None = None
    virtualization: str | None = None
    container: str | None = None
    cpu_quota: Amount | None = None
    memory_limit_mib: Number | None = None
    load_average: Amount | None = None  # over the minute before the run

    def settings(self) -> dict[str, object]:
        """Return what does not change from run to run on an unchanged machine."""
        return self.model_dump(exclude={"load_average"})


# Nanoseconds of the monotonic clock; parquet has signed 64-bit integers.
Stamp = Annotated[int, Field(ge=0, lt=2**63)]
# Rounded as written: smaller values are zero, and a rate per CPU second is not infinite.
CpuSeconds = Annotated[Amount, AfterValidator(lambda seconds: round(seconds, 4))]


class DatabaseUse(BaseModel):
    """Use of a database server that the run has given to the target; None if unknown.

    `connections`: the most that were open; `active`: mean number of sessions that executed a
    statement, and `waiting` of those that waited for a lock, the disk or another process.
    """

    cpu_s: CpuSeconds | None = None
    connections: Number | None = None
    active: Amount | None = None
    waiting: Amount | None = None


class CellRecord(BaseModel):
    """Record of one measurement.

    `outcome`: `done` (measured to the end), `collapsed` (the server stopped answering under load)
    or `lost` (nothing to analyse; `reason` says why). `windows_ns`: its measuring windows, in turns
    with those of other targets; one in which the server collapsed ends with it. `good`: correct
    responses in them, as counted by the generator. Open loads: `scheduled` arrivals were due in
    the windows; `dropped` of them were not sent because too many requests were in flight.
    `generator_cpu_s`: CPU time of the busiest generator process in the windows;
    `generator_waited_s`: time it was runnable without a core. `server_cpu_s` and
    `server_memory_mib` are None if unknown. `idle_cpu_s`: CPU time of the servers of other targets
    in the windows. `database`: of a target with a database of the run. `restarted`: why the server
    was replaced within the block. `starts_s` and `took_s`: its share of the time to start the
    servers, and of all time. `remarks`: what is missing, such as telemetry, and why. `locust`: of
    the users of a locustfile.
    """

    number: Number
    block: Number
    scenario: str
    target: str
    load: Load
    outcome: Literal["done", "collapsed", "lost"]
    reason: str = ""
    windows_ns: list[tuple[Stamp, Stamp]] = []
    users_unserved: Number = 0
    unanswered: Number = 0
    good: Number = 0
    scheduled: Number = 0
    dropped: Number = 0
    drained: bool = True
    server_cpu_s: CpuSeconds | None = 0.0
    server_memory_mib: Amount | None = 0.0
    generator_cpu_s: Amount = 0.0
    generator_waited_s: Figure = 0.0  # negative if the kernel stops reporting it
    idle_cpu_s: dict[str, CpuSeconds] = {}
    database: DatabaseUse | None = None
    restarted: str = ""
    starts_s: Amount = 0.0
    took_s: Amount = 0.0
    remarks: list[str] = []
    locust: LocustSummary | None = None

    @model_validator(mode="after")
    def _windows_have_a_length(self) -> Self:
        edges_ns = [edge for window in self.windows_ns for edge in window]
        if edges_ns != sorted(edges_ns) or (self.outcome == "done" and not self.window_s):
            raise ValueError("the windows have no length")
        return self

    @property
    def label(self) -> str:
        return f"{self.scenario}, {self.target}, {self.load.label}, block {self.block}"

    @property
    def window_s(self) -> float:
        """The seconds inside all windows."""
        return sum(end - begin for begin, end in self.windows_ns) / 1e9


class Session(BaseModel):
    """Period of measuring without interruption; a resumed run has several."""

    started: AwareDatetime
    ended: AwareDatetime | None = None


class Manifest(BaseModel):
    """Plan, blocks added to it, machine, versions and sessions of a run.

    `compared_versions`: of a run whose targets are versions of one app.
    """

    format: Literal[6] = FORMAT
    plan: Plan
    plan_file: str
    added: list[AddedBlock] = []
    machine: Machine
    versions: dict[str, str]
    # Of targets with an environment or a server of their own.
    target_versions: dict[str, dict[str, str]] = {}
    sessions: list[Session] = Field(min_length=1)
    preflight: list[PreflightPair] = []
    compared_versions: ComparedVersions | None = None
    # On the run as a whole: what is missing, and why.
    remarks: list[str] = []

    @field_validator("versions")
    @classmethod
    def _versions_are_named(cls, value: dict[str, str]) -> dict[str, str]:
        if missing := {"python", "fastapi"} - value.keys():
            raise ValueError(f"there is no version of {', '.join(sorted(missing))}")
        return value

    @model_validator(mode="after")
    def _added_blocks_are_of_the_plan(self) -> Self:
        for each in self.added:
            known = [s for s in self.plan.scenarios if s.name == each.scenario]
            if not known or not set(each.loads) <= set(loads_of(known[0])):
                raise ValueError(f"an added block of '{each.scenario}' is not of the plan")
        return self

    def planned(self) -> list[Cell]:
        """Return every measurement, of added blocks too, in order."""
        return cells(self.plan, self.added)


class Store:
    """A run folder: reads, checks and writes its files."""

    def __init__(self, folder: Path) -> None:
        try:
            str(folder.absolute()).encode()
        except UnicodeEncodeError:  # polars and JSON cannot represent it
            raise StoreError(
                f"{folder.absolute()}: the path of a run is not in UTF-8; rename the folder"
            ) from None
        self.folder = folder

    @classmethod
    def create(cls, manifest: Manifest, runs: Path) -> Self:
        """Make a folder under `runs`, named after local time and plan. Raises StoreError."""
        started = manifest.sessions[0].started.strftime(RUN_NAME_TIME)
        store = cls(runs / f"{started}-{manifest.plan.name}")
        try:
            (store.folder / "cells").mkdir(parents=True)
            store.write_manifest(manifest)
        except OSError as error:
            raise StoreError(f"{store.folder}: cannot be written ({error.strerror})") from None
        return store

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an existing run. Raises StoreError."""
        if not (folder / "manifest.json").is_file():
            raise StoreError(f"{folder.absolute()}: there is no run here (no file manifest.json)")
        return cls(folder.resolve())

    def manifest(self) -> Manifest:
        """Read the manifest. Raises StoreError."""
        return self._read(self.folder / "manifest.json", Manifest)

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest. Raises OSError."""
        atomic_write(self.folder / "manifest.json", manifest.model_dump_json(indent=1))

    def begin(self, cell: Cell) -> Path:
        """Make an empty folder for `cell`; removes what an interrupted attempt left."""
        folder = self._cell_folder(cell.number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def finish(self, record: CellRecord) -> None:
        """Write the record of a measurement, after the files in its folder are on disk."""
        for path in self._cell_folder(record.number).iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        atomic_write(self._cell_folder(record.number) / "cell.json", record.model_dump_json())

    def records(self) -> list[CellRecord]:
        """Return the records of all measurements, in order."""
        found = []
        for path in self._cell_files():
            record = self._read(path, CellRecord)
            if path.parent != self._cell_folder(record.number):
                raise StoreError(
                    f"{path}: holds measurement {record.number}, which has another folder"
                )
            found.append(record)
        return sorted(found, key=lambda record: record.number)

    def requests(self, record: CellRecord, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return one row per request of a measurement, warm-up included.

        `columns`: those to read; all (docs/results.md) if left out. Raises StoreError.
        """
        path = self._cell_folder(record.number) / "requests.parquet"
        rows = self._read_rows(path, columns)
        for column in rows:
            _check_request_column(column, path)
        # numpy, here and below: polars takes ten times as long for a few rows.
        stamps = {name: rows[name].to_numpy() for name in STAMPS if name in rows.columns}
        for first, then in pairwise(STAMPS):
            if {first, then} <= stamps.keys():
                before = (stamps[then] > 0) & (stamps[then] < stamps[first])
                if before.any():
                    raise _not_this_version(path, f"{then} is before {first} in a row")
        return rows

    def telemetry(
        self, record: CellRecord, columns: Sequence[str] | None = None
    ) -> pl.DataFrame | None:
        """Return the samples of the server, None if there are none.

        `columns`: those to read; all (docs/results.md) if left out. Raises StoreError.
        """
        path = self._cell_folder(record.number) / "telemetry.parquet"
        if not os.path.lexists(path):
            return None
        rows = self._read_rows(path, columns)
        for column in rows:
            if column.name == "t_ns":
                _check_request_column(column, path)
                if (np.diff(column.to_numpy()) <= 0).any():
                    raise _not_this_version(path, "t_ns does not ascend")
            else:
                _check_telemetry_column(column, path)
        return rows

    def self_check(self) -> SelfCheck | None:
        """Return the self-check before this run; None if there was none."""
        path = self.folder / "selfcheck.json"
        return self._read(path, SelfCheck) if os.path.lexists(path) else None

    def write_self_check(self, found: SelfCheck) -> None:
        """Keep the self-check before this run."""
        atomic_write(self.folder / "selfcheck.json", found.model_dump_json(indent=1))

    def remark(self, sentence: str) -> None:
        """Add a remark on the run as a whole to the manifest, once."""
        manifest = self.manifest()
        if sentence not in manifest.remarks:
            manifest.remarks.append(sentence)
            self.write_manifest(manifest)

    def finished(self) -> list[CellRecord]:
        """Return the records of all measurements that were not lost."""
        return [record for record in self.records() if record.outcome != "lost"]

    def last_written(self) -> datetime:
        """Return the time of the newest record; the start of the run if there is none."""
        times = [path.stat().st_mtime for path in self._cell_files()]
        if not times:
            return self.manifest().sessions[0].started
        return datetime.fromtimestamp(max(times), UTC)

    def elapsed_s(self) -> float:
        """Return the time of all sessions; a killed one ends with its last record."""
        last = self.last_written()
        ends = [(s.started, s.ended or max(last, s.started)) for s in self.manifest().sessions]
        return sum((ended - started).total_seconds() for started, ended in ends)

    def update_latest_link(self, latest: Path) -> None:
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
                text = file.read(MAX_JSON_BYTES + 1)
            if len(text) > MAX_JSON_BYTES:
                raise StoreError(f"{path}: longer than {MAX_JSON_BYTES >> 20} MiB")
            return model.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise _not_this_version(
                path, ": ".join(filter(None, (where, error_text(first))))
            ) from None
        except OSError as error:
            raise _not_this_version(path, error.strerror or str(error)) from None

    def _read_rows(self, path: Path, columns: Sequence[str] | None) -> pl.DataFrame:
        self._check_own(path)
        try:
            return pl.read_parquet(path, columns=list(columns) if columns else None, glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).splitlines()[0]
            raise UnreadableError(f"{path}: cannot be read ({reason})") from None

    def _check_own(self, path: Path) -> None:
        """Raise StoreError if `path` exists and is not a regular file inside this run.

        A link could lead to figures of another run; a device has no end.
        """
        within = path.relative_to(self.folder)
        if os.path.realpath(path) != os.path.join(os.path.realpath(self.folder), within):  # noqa: PTH118
            raise StoreError(f"{path}: a link, or behind one: not a file of this run")
        if not path.is_file() and path.exists():
            raise StoreError(f"{path}: not a regular file")

    def _cell_files(self) -> list[Path]:
        paths = (folder / "cell.json" for folder in self.folder.glob("cells/*"))
        return [path for path in paths if os.path.lexists(path)]

    def _cell_folder(self, number: int) -> Path:
        return self.folder / "cells" / f"{number:04d}"


def _not_this_version(path: Path, what: str) -> StoreError:
    reason = one_line(" ".join(what.split()), MAX_REASON)
    return StoreError(f"{path}: not of this version of twinbench ({reason})")


def _check_request_column(column: pl.Series, path: Path) -> None:
    """Raise StoreError unless `column` holds text or non-negative integers, without nulls."""
    name, kind = column.name, column.dtype
    if not (kind == pl.String if name in TEXTS else kind in INTEGERS):
        raise _not_this_version(path, f"{name} is {kind.base_type()}")
    if column.null_count():
        raise _not_this_version(path, f"{name} is null in a row")
    if name not in TEXTS and (column.to_numpy() < 0).any():
        raise _not_this_version(path, f"{name} is negative in a row")


def _check_telemetry_column(column: pl.Series, path: Path) -> None:
    """Raise StoreError unless `column` holds numbers from 0 to MAX_FIGURE, or nulls."""
    if column.dtype == pl.Null:
        return
    if not column.dtype.is_numeric():
        raise _not_this_version(path, f"{column.name} is {column.dtype.base_type()}")
    values = column.drop_nulls().to_numpy()
    if not ((values >= 0) & (values <= MAX_FIGURE)).all():  # NaN is not, either
        raise _not_this_version(path, f"{column.name} is not between 0 and {MAX_FIGURE:g} in a row")


def runs_of(
    runs: Path, plan_name: str, skipped: Callable[[Exception], None] = lambda _: None
) -> list[Store]:
    """Return the runs of a plan, the newest first; `skipped` gets the error of each unreadable one.

    Sorted by their start, not by name: local time does not sort where the zone changes.
    """
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
    """Return the local time with its zone, as reports show it."""
    return datetime.now(UTC).astimezone()


def atomic_write(path: Path, text: str) -> None:
    """Write `path` completely or not at all, also on power loss or a full disk. Raises OSError."""
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
