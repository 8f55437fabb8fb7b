"""Scratch folders, named after the process that owns them.

A killed process cannot remove its own; the next start does. Names are
`twinbench-PID-STARTED-...`, with STARTED in seconds since the epoch.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

NAME = re.compile(r"twinbench-(\d+)-(\d+)-")
# A process's start is derived from the time of boot, which changes when the clock is set.
SAME_START_S = 60


def make_scratch() -> Path:
    """Return a new empty folder of this process. Raises OSError."""
    own = psutil.Process()
    return Path(tempfile.mkdtemp(prefix=f"twinbench-{own.pid}-{int(own.create_time())}-"))


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Give a scratch folder that is removed at the end."""
    folder = make_scratch()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove this user's scratch folders whose process has ended."""
    for folder in Path(tempfile.gettempdir()).glob("twinbench-*"):
        found = NAME.match(folder.name)
        if found and _is_own(folder) and not _runs(int(found[1]), int(found[2])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return folder.lstat().st_uid == os.getuid()
    return False


def _runs(pid: int, started_s: int) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started_s) < SAME_START_S
    except (psutil.Error, OverflowError, ValueError):
        return False
