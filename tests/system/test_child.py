"""A child process whose pipes are in use when it dies."""

import sys
import time
from pathlib import Path

from twinbench.measure.child import Child


def test_what_cannot_be_delivered_to_the_dead_is_no_error(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "pass"], log=tmp_path / "child.log", piped=True)
    while child.exit_code() is None:
        time.sleep(0.01)
    child.stdin.write(b"written, and not sent yet")
    child.stop()
    assert child.stdin.closed
    assert child.stdout.closed
