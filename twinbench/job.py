"""Messages between the harness and the generator: a line of JSON each, in turn.

    harness: Job          generator: GeneratorState, when all users of all targets are connected
    for each turn of a target:
    harness: Turn         generator: GeneratorState, when warmed up
    harness: StartWindow  generator: GeneratorState, when the window is over and nothing in flight
    at the end:
    harness: Turn (none)  generator: JobSummary, when the records are written

In steps, so that several processes start and measure at the same times.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from twinbench.plan import Arrivals, Load, Request


class JobTarget(BaseModel):
    """Server of a job, and what is sent to it: `host` is its URL, `address` what users connect to.

    `captures`: values of names in braces; `users`: those of each user, none if all are alike.
    `preconnect` users connect before the load, `preconnect_batch` at a time; the others when they
    are needed.
    """

    host: str
    address: str
    requests: list[Request]
    captures: dict[str, str]
    users: list[dict[str, str]] = []
    preconnect: int
    preconnect_batch: int
    records: Path


class Locustfile(BaseModel):
    """A user's locustfile: its user classes `users`, all if empty.

    Requests named in `expected_failures` are right with any response.
    """

    path: Path
    users: list[str]
    expected_failures: list[str]


class Job(BaseModel):
    """The share of one generator process in the load of one or more targets, in turns.

    Process number `process` has every `processes`-th user of a closed load, or arrival of an open
    one. Requests are drawn by weight, or sent in `sequence`; each takes the next of `rows`, if
    there are any. Arrivals that find `in_flight` requests of this process unanswered are dropped.
    `turns` and `load_s`: how many turns a target has at most, and how long they are together. The
    users are those of `locustfile`, if there is one; to start they need at most `start_s`.
    """

    targets: list[JobTarget]
    sequence: bool = False
    rows: list[dict[str, str]] = []
    locustfile: Locustfile | None = None
    start_s: float = 0.0
    load: Load
    arrivals: Arrivals
    in_flight: int
    process: int = 0
    processes: int = 1
    turns: int
    load_s: float
    collapse_s: float
    timeout_s: float
    seed: int


class Turn(BaseModel):
    """Turn of the target number `target`, whose load begins at `at_ns`; None: no more turns."""

    target: int | None
    at_ns: int = 0
    warmup_s: float = 0.0


class StartWindow(BaseModel):
    """Window that begins at `at_ns` on the monotonic clock."""

    at_ns: int
    measure_s: float


class GeneratorState(BaseModel):
    """What a generator process reports during a job.

    Once warm, of closed loads: `round_s`, the time in which there are as many responses as users.
    Once drained: `collapsed`, the target did; `in_flight`, requests without a response.
    """

    state: Literal["ready", "warm", "drained"]
    round_s: float = 0.0
    collapsed: bool = False
    in_flight: int = 0


class LocustSummary(BaseModel):
    """What happened in the users of a locustfile, beside their requests.

    `clients`: Locust's, by which they send. `exceptions`: raised by the file's code in the windows;
    `first_exception` at any time. `users_ended`: users that no longer ran at the end of a window.
    `remarks`: what was left out.
    """

    clients: list[str]
    exceptions: int = 0
    first_exception: str = ""
    users_ended: int = 0
    remarks: list[str] = []


class GeneratorSummary(BaseModel):
    """What a generator process reports on one target after the load, besides its records.

    `windows_ns`: the measuring window of each turn; one in which the target collapsed ends with
    it. `good`: right responses within the windows. `users_unserved`: the most users without any
    response when a window began. `unanswered`: requests without a response when the load ended.
    `scheduled`: arrivals due in the windows, of which `dropped` were not sent.
    `generator_cpu_s`: CPU time of this process in the windows; `generator_waited_s`: time for
    which it was ready to run and had no core. `unwritten`: errno of a failure to write the
    records, or 0. `locust`: of the users of a locustfile.
    """

    windows_ns: list[tuple[int, int]]
    good: int
    collapsed: bool
    users_unserved: int
    unanswered: int
    scheduled: int
    dropped: int
    generator_cpu_s: float
    generator_waited_s: float
    unwritten: int = 0
    locust: LocustSummary | None = None


class JobSummary(BaseModel):
    """A summary for each target of a job."""

    targets: list[GeneratorSummary]


class Trial(BaseModel):
    """Order to run one user of each class of a locustfile once, before anything is measured.

    Each request must be answered within `request_s`.
    """

    locustfile: Locustfile
    host: str
    seed: int
    request_s: float


class TrialRequest(BaseModel):
    """Request of a trial, and its response. The trial goes on when it is sent a line.

    `place` names the user class, the task, and which request of the task it is; `label` method and
    name of the request. `body` is in base64.
    """

    place: str
    label: str
    status: int
    headers: list[tuple[str, str]]
    body: str
    took_s: float


class TrialEnd(BaseModel):
    """End of a trial.

    `refused`: why the file cannot be used; `failed`: what failed, of its requests and tasks;
    `not_run`: tasks that were not reached.
    """

    refused: str = ""
    failed: list[str] = []
    not_run: list[str] = []


class TrialReport(BaseModel):
    """Line of a trial: a request, or its end."""

    request: TrialRequest | None = None
    end: TrialEnd | None = None
