"""Messages between the harness and the generator: a line of JSON each, in turn.

    harness: Job               generator: GeneratorState, when all users are connected
    harness: StartAt (load)    generator: GeneratorState, when warmed up
    harness: StartAt (window)  generator: GeneratorSummary, when the records are written

In steps, so that several processes start and measure at the same times.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from twinbench.plan import Arrivals, Load, Request


class Job(BaseModel):
    """The share of one generator process in one cell.

    Process number `process` has every `processes`-th user of a closed load, or arrival of an open
    one. Arrivals that find `in_flight` requests of this process unanswered are dropped.
    `preconnect` users connect before the load, `preconnect_batch` at a time; the others when they
    are needed.
    """

    host: str
    requests: list[Request]
    captures: dict[str, str]
    load: Load
    arrivals: Arrivals
    in_flight: int
    preconnect: int
    preconnect_batch: int
    process: int = 0
    processes: int = 1
    warmup_s: float
    measure_s: float
    collapse_s: float
    timeout_s: float
    seed: int
    records: Path


class StartAt(BaseModel):
    """A time on the monotonic clock."""

    at_ns: int


class GeneratorState(BaseModel):
    """What a generator process reports before the window."""

    state: Literal["ready", "warm"]


class GeneratorSummary(BaseModel):
    """What a generator process reports after the load, besides its records.

    `good`: right responses within the window. `users_unserved`: users without any response when
    the window began. `unanswered`: requests without a response when the load ended.
    `scheduled`: arrivals due in the window, of which `dropped` were not sent.
    `generator_cpu_s`: CPU time of this process in the window; `generator_waited_s`: time for which
    it was ready to run and had no core. `unwritten`: errno of a failure to write the records, or 0.
    """

    window_ns: tuple[int, int]
    good: int
    collapsed: bool
    users_unserved: int
    unanswered: int
    scheduled: int
    dropped: int
    generator_cpu_s: float
    generator_waited_s: float
    unwritten: int = 0
