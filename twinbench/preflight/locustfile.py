"""Preflight of a locustfile: one user of each class on a server, in a process of its own."""

import base64
import contextlib
import select
import sys
import time
from collections.abc import Generator, Sequence

from twinbench.exchange import Response
from twinbench.interruption import interruptible
from twinbench.job import Trial, TrialReport, TrialRequest
from twinbench.measure.processes import Child
from twinbench.measure.turns import locustfile_of
from twinbench.plan import PlanError, Scenario
from twinbench.scratch import scratch
from twinbench.text import one_line

# Without a request for as long, a file hangs. An import may take some of it.
MAX_SILENCE_S = 60.0
WAIT_S = 0.5  # a signal that arrives just before a wait is noticed after it
EXIT_TIMEOUT_S = 1.0


class TrialFailedError(Exception):
    """Trial that cannot be compared: a phrase about what the locustfile did."""


class LocustTrial:
    """Trial of the locustfile of a scenario on the server at `url`.

    Iterate over `requests`: each is reported once it is answered, and the next one is sent when it
    is asked for. Then `not_run` holds the tasks that were not reached. `request_s`: the longest
    response.
    """

    def __init__(
        self, scenario: Scenario, url: str, seed: int, request_s: float, cores: Sequence[int]
    ) -> None:
        self._file = locustfile_of(scenario)
        self._trial = Trial(locustfile=self._file, host=url, seed=seed, request_s=request_s)
        self._cores = cores
        self.not_run: list[str] = []

    def requests(self) -> Generator[tuple[TrialRequest, Response]]:
        """Yield each request with its response.

        Raises PlanError where the file cannot be used, TrialFailedError where something fails.
        """
        with scratch() as folder, contextlib.ExitStack() as stack:
            command = [sys.executable, "-P", "-m", "twinbench.load.trial"]
            # Otherwise the order of sets of text differs from process to process.
            env = {"PYTHONHASHSEED": "0"}
            log = folder / "trial.log"
            child = Child(command, log=log, cores=self._cores, env=env, piped=True)
            stack.callback(child.stop)
            _write(child, self._trial.model_dump_json())
            while request := self._next(child):
                if not request.status and request.took_s >= self._trial.request_s:
                    limit_s = self._trial.request_s
                    raise TrialFailedError(f"{request.label} had no response in {limit_s:g} s")
                body = base64.b64decode(request.body)
                yield request, Response(request.status, tuple(request.headers), body)
                _write(child, "")

    def _next(self, child: Child) -> TrialRequest | None:
        report = _recv(child)
        if report.request or not report.end:
            return report.request
        end = report.end
        if end.refused:
            raise PlanError(f"{self._file.path}: {end.refused}")
        if end.failed:
            more = f" (and {len(end.failed) - 1} more)" if len(end.failed) > 1 else ""
            raise TrialFailedError(f"{end.failed[0]}{more}")
        self.not_run = end.not_run
        return None


def _write(child: Child, line: str) -> None:
    with contextlib.suppress(OSError):  # it has ended: the next message says how
        child.stdin.write(line.encode() + b"\n")
        child.stdin.flush()


def _recv(child: Child) -> TrialReport:
    end, ready = time.monotonic() + MAX_SILENCE_S, False
    while not ready and time.monotonic() < end:
        with interruptible():
            ready = bool(select.select([child.stdout], [], [], WAIT_S)[0])
    if not ready:
        raise TrialFailedError(f"its users sent no request for {MAX_SILENCE_S:g} s")
    line = child.stdout.readline()
    if not line.endswith(b"\n"):
        how = child.exit_reason(EXIT_TIMEOUT_S) or "ended"
        raise TrialFailedError(f"its process {how}: {one_line(child.last_output())}")
    return TrialReport.model_validate_json(line)
