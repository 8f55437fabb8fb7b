"""Scratch folders, named after the process that owns them.

A killed process cannot remove its own; the next start does. Names are
`twinbench-PID-STARTED-...`, with STARTED in seconds since the epoch.
"""

import contextlib
import ctypes
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

# In a scratch folder: the number of a shared memory segment that outlives killed processes.
SHARED_MEMORY = "shared_memory"
# For a scratch folder with sockets, whose paths are short, or of another user.
SHORT = Path("/tmp")  # noqa: S108  # folders in it have random names, and are their owner's
IPC_RMID = 0  # of shmctl(2)
NAME = re.compile(r"twinbench-(\d+)-(\d+)-")
# A process's start is derived from the time of boot, which changes when the clock is set.
SAME_START_S = 60


def make_scratch(within: Path | None = None) -> Path:
    """Return a new empty folder of this process, where temporary ones are. Raises OSError."""
    own = psutil.Process()
    prefix = f"twinbench-{own.pid}-{int(own.create_time())}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=within))


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
    places = {Path(tempfile.gettempdir()), SHORT}
    for folder in (folder for place in places for folder in place.glob("twinbench-*")):
        found = NAME.match(folder.name)
        if found and _is_own(folder) and not _runs(int(found[1]), int(found[2])):
            remove_shared_memory(folder)
            shutil.rmtree(folder, ignore_errors=True)


def remove_shared_memory(folder: Path) -> None:
    """Remove the segment that a killed PostgreSQL has left; its folder has the number."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = int((folder / SHARED_MEMORY).read_text(encoding="ascii"))
        ctypes.CDLL(None).shmctl(number, IPC_RMID, None)


def _is_own(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return folder.lstat().st_uid == os.getuid()
    return False


def _runs(pid: int, started_s: int) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started_s) < SAME_START_S
    except (psutil.Error, OverflowError, ValueError):
        return False
