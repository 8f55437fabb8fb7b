"""Which processes stand below this one; which of ours are left."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from twinbench.measure.child import Child
from twinbench.measure.rig import Rig
from twinbench.plan import Plan

ROOT = Path(__file__).parents[2]
MARK = "TWINBENCH_TEST_MARK"
BEHAVING = Path(__file__).with_name("behaving.py")
# Until what must come counts as missing. It costs nothing where it comes, and a busy machine
# may take a hundred times as long as an idle one.
LONG_S = 300.0

# `twinbench ARGS` without the self-check before a run, which takes ten seconds.
WITHOUT_SELF_CHECK = """
from twinbench.__main__ import main
from twinbench import run
from twinbench.selfcheck.check import SelfCheckError

def leave_out(rig, runs):
    raise SelfCheckError("left out by a test")

run.run_self_check = leave_out
main()
"""


def command(*args: str, self_check: bool = True) -> list[str]:
    """The command line of `twinbench ARGS`."""
    start = ["-m", "twinbench"] if self_check else ["-c", WITHOUT_SELF_CHECK]
    return [sys.executable, *start, *args]


def marked_environment(mark: str) -> dict[str, str]:
    """An environment that marks every process started under it."""
    return os.environ | {MARK: mark, "COLUMNS": "200"}


def marked(mark: str) -> list[psutil.Process]:
    """The running processes that carry `mark`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def none_left(mark: str, within_s: float = LONG_S) -> bool:
    """True once no process carries `mark`."""
    end = time.monotonic() + within_s
    while marked(mark):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def twinbench(
    *args: str, cwd: Path, mark: str = "", self_check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        command(*args, self_check=self_check),
        cwd=cwd,
        env=marked_environment(mark),
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
    )


@contextmanager
def behaving(log: Path, port: int, *behaviour: str) -> Iterator[Child]:
    """A server of behaving.py on `port`."""
    child = Child([sys.executable, str(BEHAVING), str(port), *behaviour], log=log)
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def clean_rig(plan: Plan, logs: Path) -> Iterator[Rig]:
    """A rig that must leave no process behind."""
    before = set(psutil.Process().children(recursive=True))
    with Rig(plan, logs) as found:
        yield found
    assert set(psutil.Process().children(recursive=True)) == before
