"""Commands as a user runs them, and the processes that they leave."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from twinbench.measure.rig import Rig
from twinbench.plan import Plan

MARK = "TWINBENCH_TEST_MARK"
BEHAVING = Path(__file__).with_name("behaving.py")
# Timeout of waits that are expected to succeed: a busy machine may take a hundred times as long
# as an idle one.
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


def behaving(*how: str) -> list[str]:
    """Return the command of a server that behaves as tests/support/behaving.py says."""
    return [sys.executable, str(BEHAVING), "{port}", *how]


def command(*args: str, self_check: bool = True) -> list[str]:
    """Return the command line of `twinbench ARGS`."""
    start = ["-m", "twinbench"] if self_check else ["-c", WITHOUT_SELF_CHECK]
    return [sys.executable, *start, *args]


def marked_environment(mark: str) -> dict[str, str]:
    """Return an environment that marks every process started with it."""
    return os.environ | {MARK: mark, "COLUMNS": "200"}


def marked(mark: str) -> list[psutil.Process]:
    """Return the running processes with `mark` in their environment."""
    return [
        process
        for process in psutil.process_iter(["environ", "status"])  # None: access denied
        if (process.info["environ"] or {}).get(MARK) == mark
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def none_left(mark: str) -> bool:
    """Return True once no process has `mark`; False if that takes too long."""
    return wait_for(lambda: not marked(mark))


def wait_for(condition: Callable[[], bool]) -> bool:
    """Return True once `condition` holds; False if that takes too long."""
    end = time.monotonic() + LONG_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def twinbench(
    *args: str, cwd: Path, mark: str = "", self_check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run `twinbench ARGS` to its end."""
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
def clean_rig(plan: Plan, logs: Path) -> Iterator[Rig]:
    """Give a rig, and check that it leaves no process."""
    before = set(psutil.Process().children(recursive=True))
    with Rig(plan, logs) as found:
        yield found
    assert set(psutil.Process().children(recursive=True)) == before
