"""What the harness and the generator say to each other: a line of JSON each way, in turn.

    harness: Job               generator: GeneratorState, when all users exist
    harness: StartAt (load)    generator: GeneratorState, when warmed up
    harness: StartAt (window)  generator: GeneratorSummary, when the records are written

In steps, so that several processes begin and measure at the same moments.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from twinbench.plan import Arrivals, Load, Request


class Job(BaseModel):
    """One process's share of one cell: of the users of a closed load, every `of`th beginning
    with number `process`; of the arrivals of an open load likewise. `in_flight`: arrivals that
    find so many requests of this process unanswered are dropped. `connected` of its users connect
    ahead, `at_once` at a time; the others as they are needed."""

    host: str
    requests: list[Request]
    captures: dict[str, str]
    load: Load
    arrivals: Arrivals
    in_flight: int
    connected: int
    at_once: int
    process: int
    of: int
    warmup_s: float
    measure_s: float
    collapse_s: float
    timeout_s: float
    seed: int
    records: Path


class StartAt(BaseModel):
    """A moment on the monotonic clock."""

    at_ns: int


class GeneratorState(BaseModel):
    state: Literal["ready", "warm", "collapsed"]


class GeneratorSummary(BaseModel):
    """What a generator says of its share; the records say the rest.

    `good` are the right answers in the window, `generator_cpu_s` the CPU seconds that this process
    spent in it, `generator_waited_s` those for which it was ready and had no core.
    `users_unserved` had no answer yet when the window began; `unanswered` requests had none when
    the load ended. `scheduled` arrivals were due in the window, `dropped` ones of these were not
    sent. `unwritten` is the system's number of what kept the records from being written (a full
    disk); 0 if they were.
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


def merged(shares: list[GeneratorSummary]) -> GeneratorSummary:
    """One summary of all processes' shares; the generator's CPU, and its wait for it, are those of
    the process that had least to spare."""
    first = max(shares, key=lambda share: share.generator_cpu_s + share.generator_waited_s)
    return first.model_copy(
        update={
            "collapsed": any(share.collapsed for share in shares),
            **{
                name: sum(getattr(share, name) for share in shares)
                for name in ("good", "users_unserved", "unanswered", "scheduled", "dropped")
            },
        }
    )
