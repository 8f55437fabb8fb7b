"""A child process whose pipes are in use when it dies, and its supervisor when somebody meddles."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.processes import LONG_S, ROOT, marked_environment, none_left
from twinbench.measure.child import Child, adopt_orphans

pytestmark = pytest.mark.smoke


def test_what_cannot_be_delivered_to_the_dead_is_no_error(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "pass"], log=tmp_path / "child.log", piped=True)
    while child.exit_code() is None:
        time.sleep(0.01)
    child.stdin.write(b"written, and not sent yet")
    child.stop()
    assert child.stdin.closed
    assert child.stdout.closed


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Child]:
    child = Child([sys.executable, "-c", "import time; time.sleep(600)"], log=tmp_path / "log")
    yield child
    child.stop()


def command_of(supervisor: psutil.Process) -> psutil.Process:
    """Once it runs: until then it is a copy of its supervisor."""
    while not (found := supervisor.children()) or found[0].cmdline() == supervisor.cmdline():
        time.sleep(0.01)
    return found[0]


def test_a_command_that_somebody_has_stopped_is_ended(sleeper: Child) -> None:
    command = command_of(psutil.Process(sleeper.pid))
    command.suspend()
    assert sleeper.ended(LONG_S) == f"was stopped by signal {int(signal.SIGSTOP)}, and ended"
    assert psutil.wait_procs([command], LONG_S)[1] == []


def test_a_command_that_goes_on_in_time_is_left_alone(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    script = (
        "import time; from pathlib import Path\n"
        f"while not Path({str(gate)!r}).exists(): time.sleep(0.01)\n"
        "print('well')"
    )
    child = Child([sys.executable, "-c", script], log=tmp_path / "log", stopped_s=LONG_S)
    command = command_of(psutil.Process(child.pid))
    for _ in range(2):
        command.suspend()
        command.resume()
    gate.touch()
    assert child.ended(LONG_S) == "exited with code 0"
    assert child.last_output() == "well"
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_a_command_does_not_outlive_its_supervisor(sleeper: Child) -> None:
    supervisor = psutil.Process(sleeper.pid)
    command = command_of(supervisor)
    supervisor.kill()
    assert psutil.wait_procs([command], LONG_S)[1] == []


# Forks twice, becomes the leader of a session of its own, says who it is, and stays.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(600)
    os._exit(0)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
@pytest.mark.parametrize("foreground_s", [0, 600])
def test_a_daemon_does_not_outlive_its_server(tmp_path: Path, foreground_s: int) -> None:
    child = Child(
        [sys.executable, "-c", DAEMON, str(foreground_s)], log=tmp_path / "log", piped=True
    )
    # A number: it may have been ended before it can be looked at.
    daemon = int(child.stdout.readline())
    if foreground_s:
        child.stop()
    else:
        assert child.ended(LONG_S) == "exited with code 0"
    assert not psutil.pid_exists(daemon)
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
def test_a_daemon_of_a_killed_supervisor_is_ended(tmp_path: Path) -> None:
    adopt_orphans(True)
    try:
        child = Child([sys.executable, "-c", DAEMON, "600"], log=tmp_path / "log", piped=True)
        daemon = psutil.Process(int(child.stdout.readline()))
        psutil.Process(child.pid).kill()
        child.stop()
    finally:
        adopt_orphans(False)
    assert not daemon.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_a_stopped_supervisor_ends_with_the_harness(
    tmp_path: Path,
) -> None:
    mark = f"supervisor-{os.getpid()}"
    script = (
        "import sys, time; from pathlib import Path; from twinbench.measure.child import Child;"
        "child = Child([sys.executable, '-c', 'import time; time.sleep(600)'],"
        f" log=Path({str(tmp_path / 'log')!r})); time.sleep(600)"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=marked_environment(mark)
    )
    supervisor = command_of(psutil.Process(harness.pid))
    command_of(supervisor)
    supervisor.suspend()
    harness.kill()
    harness.wait()
    assert none_left(mark)
