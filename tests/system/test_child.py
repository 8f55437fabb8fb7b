"""A child process whose pipes are in use when it dies, and its leash when somebody meddles."""

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
from twinbench.measure.child import Child

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


def command_of(leash: psutil.Process) -> psutil.Process:
    """Once it runs: until then it is a copy of its leash."""
    while not (found := leash.children()) or found[0].cmdline() == leash.cmdline():
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
def test_a_command_does_not_outlive_its_leash(sleeper: Child) -> None:
    leash = psutil.Process(sleeper.pid)
    command = command_of(leash)
    leash.kill()
    assert psutil.wait_procs([command], LONG_S)[1] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_a_leash_that_somebody_has_stopped_ends_with_the_harness_all_the_same(
    tmp_path: Path,
) -> None:
    mark = f"leash-{os.getpid()}"
    script = (
        "import sys, time; from pathlib import Path; from twinbench.measure.child import Child;"
        "child = Child([sys.executable, '-c', 'import time; time.sleep(600)'],"
        f" log=Path({str(tmp_path / 'log')!r})); time.sleep(600)"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=marked_environment(mark)
    )
    leash = command_of(psutil.Process(harness.pid))
    command_of(leash)
    leash.suspend()
    harness.kill()
    harness.wait()
    assert none_left(mark)
