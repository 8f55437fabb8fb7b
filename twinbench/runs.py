"""Runs on disk: what each one is, how large it is, and which ones to remove."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from twinbench.analyse.summary import SUMMARY, Summary
from twinbench.interruption import check_interrupted
from twinbench.store import MAX_JSON_BYTES, Store, StoreError

BLOCK_BYTES = 512  # unit of st_blocks
AGE = re.compile(r"(\d{1,5})([hdw])")
Head = TypeVar("Head", bound=BaseModel)
HOURS = {"h": 1, "d": 24, "w": 7 * 24}


class _PlanHead(BaseModel):
    name: str
    blocks: int


class _SessionHead(BaseModel):
    started: AwareDatetime


class ManifestHead(BaseModel):
    """What manifests of every version have in common: a folder without it is no run."""

    format: int
    plan: _PlanHead
    sessions: list[_SessionHead] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run; counts of measurements are None where they cannot be read."""

    folder: Path
    plan: str
    started: datetime
    blocks: int
    size_bytes: int
    is_latest: bool
    planned: int | None = None
    finished: int | None = None
    valid: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether no measurement is missing or was lost."""
        return self.planned is not None and self.planned == self.finished


def parse_age(text: str) -> timedelta:
    """Return an age such as "12h", "30d" or "4w". Raises ValueError."""
    found = AGE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is no age: write it as 12h, 30d or 4w")
    return timedelta(hours=int(found[1]) * HOURS[found[2]])


def folders_in(runs: Path) -> list[Path]:
    """Return the folders in `runs`; links are not followed."""
    return [each for each in runs.glob("*") if each.is_dir() and not each.is_symlink()]


def runs_in(runs: Path, latest: Path) -> list[RunSummary]:
    """Return the runs in the folder `runs`, the newest first; links are not followed."""
    newest = latest.resolve()
    found = [summary for each in folders_in(runs) if (summary := _summary(each, newest))]
    return sorted(found, key=lambda run: (run.started, run.folder.name), reverse=True)


def to_remove(
    found: Sequence[RunSummary],
    now: datetime,
    *,
    older: timedelta | None,
    keep: int | None,
    with_latest: bool,
) -> list[RunSummary]:
    """Return those of `found`, the newest first, that are older, and not among the newest `keep`.

    The latest run only `with_latest`.
    """
    return [
        run
        for number, run in enumerate(found)
        if (keep is None or number >= keep)
        and (older is None or now - run.started > older)
        and (with_latest or not run.is_latest)
    ]


def remove(chosen: Sequence[RunSummary], latest: Path) -> int:
    """Remove runs, and the link to one of them; return the bytes that were freed."""
    freed = 0
    for run in chosen:
        check_interrupted()
        shutil.rmtree(run.folder)
        freed += run.size_bytes
        if run.is_latest and latest.is_symlink():
            latest.unlink()
    return freed


def _summary(folder: Path, latest: Path) -> RunSummary | None:
    """Return the run in `folder`, None if there is none."""
    head = read_own(folder / "manifest.json", ManifestHead)
    if head is None:
        return None
    planned, finished = _counts(folder)
    summary = read_own(folder / SUMMARY, Summary)
    return RunSummary(
        folder=folder,
        plan=head.plan.name,
        started=head.sessions[0].started,
        blocks=head.plan.blocks,
        size_bytes=_size_bytes(folder),
        is_latest=folder.resolve() == latest,
        planned=planned,
        finished=finished,
        valid=summary.valid if summary else None,
    )


def _counts(folder: Path) -> tuple[int | None, int | None]:
    """Return the numbers of planned and of finished measurements; None if unknown."""
    try:
        store = Store.open(folder)
        return len(store.manifest().planned()), len(store.finished())
    except (StoreError, OSError):  # of another version, or damaged
        return None, None


def read_own(path: Path, model: type[Head]) -> Head | None:
    """Return what is in a file of a run; None if there is none, or it is a link or damaged."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_JSON_BYTES:
            return None
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _size_bytes(folder: Path) -> int:
    """Return what `folder` takes on disk; links count as such."""
    paths = (
        os.path.join(parent, name)  # noqa: PTH118  # a third of the time of pathlib
        for parent, folders, files in os.walk(folder)
        for name in (*folders, *files)
    )
    return BLOCK_BYTES * sum(os.lstat(path).st_blocks for path in (str(folder), *paths))
