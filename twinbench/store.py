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
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import polars as pl
from pydantic import AwareDatetime, BaseModel, Field, ValidationError, field_validator

from twinbench.errors import UserError, one_line
from twinbench.findings import Calibration, PreflightPair
from twinbench.paths import LATEST
from twinbench.plan import Cell, Load, Plan

MOST_REASON = 150  # characters, which leave as many for a path
CALIBRATION, FULL_CALIBRATION = "calibration.json", "calibration-full.json"
FORMAT: Literal[2] = 2


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
    cores: int
    memory_gib: float
    system: str
    python: str
    server_cores: tuple[int, ...]
    generator_cores: tuple[int, ...]
    sharing: Sharing | None = None
    threads_per_core: int | None = None
    governor: str | None = None
    turbo: bool | None = None
    virtualization: str | None = None
    container: str | None = None
    cpu_quota: float | None = None
    memory_limit_mib: int | None = None
    load_average: float | None = None  # of the minute before the run

    def settings(self) -> dict[str, object]:
        """What stays as it is while nobody changes the machine."""
        return self.model_dump(exclude={"load_average"})


# Nanoseconds of the monotonic clock, as parquet holds them.
Stamp = Annotated[int, Field(ge=0, lt=2**63)]


class CellRecord(BaseModel):
    """What happened in one cell. `done`: measured to the end; `collapsed`: the server stopped
    answering; `lost`: there is nothing to analyse, `reason` says why. `good`: right answers inside
    the window, as the generator counted them. Of an open load, `scheduled` arrivals were due in
    the window, and `dropped` of them were not sent because too many requests were in flight.
    `generator_cpu_s` is that of the busiest of the generator's processes,
    `generator_waited_s` how long it was ready and had no core. `remarks`: what is missing of it,
    such as telemetry, and why; the server's CPU time and memory are None where they are not known
    for it."""

    number: int
    block: int
    scenario: str
    target: str
    load: Load
    outcome: Literal["done", "collapsed", "lost"]
    reason: str = ""
    window_ns: tuple[Stamp, Stamp] = (0, 0)
    users_unserved: int = 0
    unanswered: int = 0
    good: int = 0
    scheduled: int = 0
    dropped: int = 0
    drained: bool = True
    server_cpu_s: float | None = 0.0
    server_memory_mib: float | None = 0.0
    generator_cpu_s: float = 0.0
    generator_waited_s: float = 0.0
    remarks: list[str] = []

    @property
    def label(self) -> str:
        return f"{self.scenario}, {self.target}, {self.load.label}, block {self.block}"

    @property
    def window_s(self) -> float:
        return (self.window_ns[1] - self.window_ns[0]) / 1e9


INTEGERS = (pl.Int32, pl.Int64)
Model = TypeVar("Model", bound=BaseModel)


class Session(BaseModel):
    """One stretch of measuring; a run that was resumed has several."""

    started: AwareDatetime
    ended: AwareDatetime | None = None


class Manifest(BaseModel):
    format: Literal[2] = FORMAT
    plan: Plan
    plan_file: str
    cells: int
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
            raise StoreError(f"{folder.absolute()}: there is no run here (no manifest.json)")
        return cls(folder.resolve())

    def manifest(self) -> Manifest:
        return self._read(self.folder / "manifest.json", Manifest)

    def write_manifest(self, manifest: Manifest) -> None:
        write_whole(self.folder / "manifest.json", manifest.model_dump_json(indent=1))

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
        write_whole(self._cell_folder(record.number) / "cell.json", record.model_dump_json())

    def records(self) -> list[CellRecord]:
        """All finished cells, in the order of measuring."""
        return [
            self._read(path, CellRecord) for path in sorted(self.folder.glob("cells/*/cell.json"))
        ]

    def requests(self, record: CellRecord, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Every request of a cell, warm-up included; all columns (loadtests/recorder.py), or
        those named."""
        path = self._cell_folder(record.number) / "requests.parquet"
        rows = self._read_rows(path, columns)
        for name, kind in rows.schema.items():
            if not (kind == pl.String if name == "error" else kind in INTEGERS):
                raise _strange(path, f"{name} is {kind}")
            if rows[name].null_count():
                raise _strange(path, f"{name} is null in a row")
            if name != "error" and (rows[name] < 0).any():
                raise _strange(path, f"{name} is negative in a row")
        if {"sent_ns", "done_ns"} <= set(rows.columns):
            done, sent = rows["done_ns"], rows["sent_ns"]
            if ((done > 0) & (done < sent)).any():
                raise _strange(path, "done_ns is before sent_ns in a row")
        return rows

    def telemetry(
        self, record: CellRecord, columns: Sequence[str] | None = None
    ) -> pl.DataFrame | None:
        """What the server was doing; all columns (docs/results.md), or those named. None where
        nobody looked."""
        path = self._cell_folder(record.number) / "telemetry.parquet"
        if not path.exists():
            return None
        rows = self._read_rows(path, columns)
        for name, kind in rows.schema.items():
            # Null where it could not be seen.
            if not (kind in INTEGERS if name == "t_ns" else kind.is_numeric() or kind == pl.Null):
                raise _strange(path, f"{name} is {kind}")
            if name == "t_ns" and rows[name].null_count():
                raise _strange(path, f"{name} is null in a row")
            if kind.is_float() and rows[name].is_infinite().any():
                raise _strange(path, f"{name} is infinite in a row")
        return rows

    def calibration(self, name: str = CALIBRATION) -> Calibration | None:
        """What the instrument could do just before this run, or (FULL_CALIBRATION) at the last
        `make calibrate` before it; None where it was not asked."""
        path = self.folder / name
        return self._read(path, Calibration) if path.exists() else None

    def write_calibration(self, calibration: Calibration, name: str = CALIBRATION) -> None:
        write_whole(self.folder / name, calibration.model_dump_json(indent=1))

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
        times = [path.stat().st_mtime for path in self.folder.glob("cells/*/cell.json")]
        if not times:
            return self.manifest().sessions[0].started
        return datetime.fromtimestamp(max(times), UTC)

    def elapsed_s(self) -> float:
        """How long was measured in all; a killed session counts to its last cell."""
        last = self.last_written()
        ends = [(s.started, s.ended or max(last, s.started)) for s in self.manifest().sessions]
        return sum((ended - started).total_seconds() for started, ended in ends)

    def point_latest_here(self, latest: Path = LATEST) -> None:
        """Make `latest` a link to this run. Raises StoreError."""
        fresh = latest.with_name(f".{latest.name}.{os.getpid()}")
        try:
            fresh.symlink_to(os.path.relpath(self.folder.resolve(), latest.parent.resolve()))
            fresh.replace(latest)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StoreError(f"{latest}: cannot be made a link ({error.strerror})") from None

    def _read(self, path: Path, model: type[Model]) -> Model:
        try:
            return model.model_validate_json(path.read_text())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            raise _strange(path, ": ".join(filter(None, (where, what)))) from None
        except (OSError, ValueError) as error:
            raise _strange(path, str(error)) from None

    def _read_rows(self, path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
        try:
            return pl.read_parquet(path, columns=list(columns) if columns else None, glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).splitlines()[0]
            raise UnreadableError(f"{path}: cannot be read ({reason})") from None

    def _cell_folder(self, number: int) -> Path:
        return self.folder / "cells" / f"{number:04d}"


def _strange(path: Path, what: str) -> StoreError:
    reason = one_line(" ".join(what.split()), MOST_REASON)
    return StoreError(f"{path}: not of this version of twinbench ({reason})")


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


def write_whole(path: Path, text: str) -> None:
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
