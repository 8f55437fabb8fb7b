"""Children and their supervisors, whichever of them is killed."""

import math
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.processes import LONG_S, wait_for
from twinbench.measure.processes import Child, PsutilTree, adopt_orphans, process_tree

pytestmark = pytest.mark.smoke
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs prctl(2)")
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Forks twice, becomes the leader of a session of its own, prints its id, and stays. Its parent
# waits for that.
DAEMON = """
import os, sys, time
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.write(writing, b"x")
        time.sleep(600)
    os._exit(0)
os.read(reading, 1)
time.sleep(float(sys.argv[1]))
"""


def daemon_command(foreground_s: int) -> list[str]:
    return [sys.executable, "-c", DAEMON, str(foreground_s)]


def command_of(supervisor: psutil.Process) -> psutil.Process:
    """Return the command once it runs: until then it is a copy of its supervisor."""
    while not (found := supervisor.children()) or found[0].cmdline() == supervisor.cmdline():
        time.sleep(0.01)
    return found[0]


def test_unsent_input_of_a_dead_command_is_no_error(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "pass"], log=tmp_path / "log", piped=True)
    while child.exit_code() is None:
        time.sleep(0.01)
    child.stdin.write(b"not flushed yet")
    child.stop()
    assert child.stdin.closed
    assert child.stdout.closed


@linux_only
def test_a_command_does_not_outlive_its_supervisor(tmp_path: Path) -> None:
    child = Child(SLEEP, log=tmp_path / "log")
    command = command_of(psutil.Process(child.pid))
    psutil.Process(child.pid).kill()
    assert psutil.wait_procs([command], LONG_S)[1] == []
    child.stop()


@linux_only
@pytest.mark.parametrize("foreground_s", [0, 600])
def test_a_daemon_does_not_outlive_its_server(tmp_path: Path, foreground_s: int) -> None:
    child = Child(daemon_command(foreground_s), log=tmp_path / "log", piped=True)
    daemon = int(child.stdout.readline())  # an id: it may have ended already
    if foreground_s:
        child.stop()
    else:
        assert child.exit_reason(LONG_S) == "exited with code 0"
    assert not psutil.pid_exists(daemon)
    child.stop()


@linux_only
def test_a_daemon_of_a_killed_supervisor_is_ended(tmp_path: Path) -> None:
    adopt_orphans(True)
    try:
        child = Child(daemon_command(600), log=tmp_path / "log", piped=True)
        daemon = psutil.Process(int(child.stdout.readline()))
        psutil.Process(child.pid).kill()
        child.stop()
    finally:
        adopt_orphans(False)
    assert not daemon.is_running()


def test_the_cpu_time_of_an_ended_child_still_counts(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    script = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {burn!r}])\n"
        f"open({str(tmp_path / 'over')!r}, 'w')\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        tree = process_tree(process.pid)
        assert wait_for(lambda: tree.sample().cpu_s >= 0 and (tmp_path / "over").exists())
        assert tree.sample().cpu_s >= 0.4
    finally:
        process.kill()
        process.wait()
    after = tree.sample()
    assert (after.threads, after.memory_mib) == (0, 0)
    assert after.cpu_s >= 0.4


def test_psutil_reads_the_same_tree(tmp_path: Path) -> None:
    child = Child(SLEEP, log=tmp_path / "log")

    def agree() -> bool:
        ours, other = process_tree(child.pid).sample(), PsutilTree(child.pid).sample()
        same_memory = math.isclose(other.memory_mib, ours.memory_mib, rel_tol=0.2)
        return other.threads == ours.threads == 1 and same_memory

    try:
        assert wait_for(agree)  # not while the command is being loaded
    finally:
        child.stop()
