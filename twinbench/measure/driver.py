"""The load generator's process, seen from the harness."""

import json
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from twinbench.measure.child import Child
from twinbench.plan import ROOT

# Longer than the generator needs to start (Locust takes a second or two) and to write records.
SLACK_S = 30.0


class DriverFailedError(Exception):
    """The generator died or did not answer in time."""


class Summary(BaseModel):
    """What the generator says of a cell (loadtests/driver.py has the meaning)."""

    window_ns: tuple[int, int]
    good: int
    collapsed: bool
    users_unserved: int
    unanswered: int
    server_cpu_s: float
    generator_cpu_s: float


class Driver:
    """Started on first use, kept for all cells, started again after it failed."""

    def __init__(self, log: Path, cores: Sequence[int] = ()) -> None:
        self._log = log
        self._cores = cores
        self._child: Child | None = None

    def run(self, job: dict[str, Any], seconds: float) -> Summary:
        """Carry out `job`, which takes about `seconds`. Raises DriverFailedError."""
        child = self._child = self._child or self._start()
        what = "stopped"
        try:
            child.stdin.write(json.dumps(job).encode() + b"\n")
            child.stdin.flush()
            ready, _, _ = select.select([child.stdout], [], [], seconds + SLACK_S)
            if not ready:
                what = "did not finish in time"
            elif line := child.stdout.readline():
                return Summary.model_validate_json(line)
        except OSError:
            pass  # it died before it had read the job
        except BaseException:
            self.stop()  # interrupted in mid-cell: its answer would be taken for the next one's
            raise
        said = child.last_output()
        self.stop()
        raise DriverFailedError(f"the load generator {what}; its last output: {said}")

    def stop(self) -> None:
        if self._child:
            self._child.stop()
            self._child = None

    def _start(self) -> Child:
        command = [sys.executable, "-m", "loadtests.driver"]
        return Child(command, log=self._log, cores=self._cores, cwd=ROOT, piped=True)
