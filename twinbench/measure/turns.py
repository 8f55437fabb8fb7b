"""One load on one or more targets, which take turns: warm-up, measuring window, drain.

The servers of all targets run on the same cores. While one has its turn the others must be idle:
their CPU time in its windows is recorded.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from twinbench.exchange import Values
from twinbench.job import GeneratorState, GeneratorSummary, Job, JobTarget, Locustfile
from twinbench.measure.generator import LoadGenerator
from twinbench.measure.locust import LocustGenerator
from twinbench.measure.postgres import DatabaseSampler
from twinbench.measure.server import Server, ServerFailedError
from twinbench.measure.telemetry import (
    NO_INSIDE_TELEMETRY,
    NO_TELEMETRY,
    MemoryLimit,
)
from twinbench.plan import MAX_USERS, Captures, Cell, Plan, Scenario, rows_of
from twinbench.remarks import remarked

DRAIN_S = 2.0
# Least number of connections of an open load: a slow one needs them for its bursts.
MIN_IN_FLIGHT = 64
# For the users of a locustfile to start: a login may hash a password for each.
MAX_START_S = 60.0
# Connections opened at once, if the server's backlog takes as many.
PRECONNECT_BATCH = 64

# A turn costs a response of every user to warm up, another to drain, and messages.
TURN_S = 0.015
# A window is this many times as long as that: with two a turn, a 17th of the time is lost.
WINDOW_COSTS = 8
# Shorter ones hold too few responses (docs/decisions/0019-targets-take-turns.md).
LEAST_WINDOW_S = 0.1

# Ends the server of a target, whose reason is given as a phrase.
End = Callable[[str, str], None]


class CellInTurns:
    """A cell, its server, and what became of both. `over`: it gets no more turns."""

    def __init__(self, cell: Cell, server: Server, folder: Path, limit: MemoryLimit) -> None:
        self.cell, self.server, self.folder = cell, server, folder
        self.sampler = server.sampler(limit)
        self.over = self.collapsed = False
        self._died = ""
        self._drained = True
        self._memory_mib: float | None = None
        self._remarks: list[str] = []

    def end_turn(self, state: GeneratorState, end: End) -> None:
        """Look at the server after a turn; `end` one that must not go on."""
        self.collapsed = state.collapsed
        drained = not (state.collapsed or state.in_flight) and self.server.drained(DRAIN_S)
        self._died = self.sampler.ended_reason or died(self.server)
        self._drained = drained or self.collapsed
        if not drained or self._died:
            self.leave()
            self.over = True
            if self._died:
                self.server.keep_log(self.folder)
            end(self.cell.target, self._end_reason)

    def leave(self) -> None:
        """Keep what goes with the server, once."""
        if self.over:
            return
        self.sampler.sample()
        self._memory_mib = self.sampler.memory_mib
        self.sampler.keep_inside()
        if not self.collapsed and (error := self.server.telemetry_error(DRAIN_S)):
            self._remarks.append(f"{NO_INSIDE_TELEMETRY}: {error}")

    @property
    def _end_reason(self) -> str:
        if self._died:
            return "died"
        at = f"at {self.cell.load.label}"
        return f"collapsed {at}" if self.collapsed else f"did not drain {at}"

    def fields(
        self,
        summary: GeneratorSummary,
        others: Sequence["CellInTurns"],
        database: DatabaseSampler,
        service_died: str,
    ) -> dict[str, Any]:
        """Write telemetry.parquet; return the fields of the record."""
        outcome, reason = ("collapsed" if self.collapsed else "done"), ""
        if self._died:
            outcome, reason = "lost", f"'{self.cell.target}' {self._died}"
        elif service_died:
            outcome, reason = "lost", service_died
        windows = summary.windows_ns
        server_cpu_s = None
        with remarked(self.sampler.remarks, NO_TELEMETRY):
            server_cpu_s = self.sampler.cpu_s(windows)
            self.sampler.write(self.folder / "telemetry.parquet")
        idle = {other.cell.target: other.sampler.cpu_s(windows) for other in others}
        return {
            **summary.model_dump(),
            "outcome": outcome,
            "reason": reason,
            "drained": self._drained,
            "server_cpu_s": server_cpu_s,
            "server_memory_mib": self._memory_mib,
            "database": database.use(self.cell.target, windows),
            "idle_cpu_s": {name: cpu_s for name, cpu_s in idle.items() if cpu_s is not None},
            "remarks": [
                *self.server.remarks,
                *self.sampler.remarks,
                *database.remarks,
                *self._remarks,
                *(summary.locust.remarks if summary.locust else ()),
            ],
        }


def take_turns(
    of: Sequence[CellInTurns],
    generator: LoadGenerator | LocustGenerator,
    plan: Plan,
    captures: Mapping[str, Values],
    database: DatabaseSampler,
    end: End,
) -> list[GeneratorSummary]:
    """Measure cells at one load. Raises GeneratorFailedError."""
    scenario, closed = of[0].cell.scenario, of[0].cell.load.kind == "closed"
    windows = plan.windows_of(scenario) or (None if closed else 1)
    turns = Turns(len(of), plan.measure_s_of(scenario), windows)
    with contextlib.ExitStack() as stack:
        for each in of:
            stack.enter_context(each.sampler)
        stack.enter_context(database)
        generator.begin(_job(of, plan, captures))
        begun: set[int] = set()
        while (
            number := turns.next(over=[n for n, each in enumerate(of) if each.over])
        ) is not None:
            # Later a closed load goes on once there were as many responses as users.
            again = number in begun and closed
            begun.add(number)
            for each in of:
                each.sampler.sample()  # all idle: what follows is of this turn
            database.sample_cpu()
            turns.allow(number, generator.warm_up(number, 0.0 if again else plan.warmup_s))
            of[number].end_turn(generator.measure(turns.take(number)), end)
        database.sample_cpu()
        summaries = generator.finish()
        for each in of:
            each.leave()
        return summaries


class Turns:
    """Whose turn it is, and for how long: A B, B A, A B, ...; two in a row are one.

    `seconds` for each of the `targets`, in `windows`. Without a number of windows they are as
    short as turns allow: noise of the machine lasts for tenths of a second, and cancels out of
    the ratio of what is measured within it.
    """

    def __init__(self, targets: int, seconds: float, windows: int | None) -> None:
        self._left_s = [seconds] * targets
        self._round_s: dict[int, float] = {}
        if targets == 1:
            windows = 1
        self._fixed = windows is not None
        self._window_s = seconds / windows if windows else LEAST_WINDOW_S
        self._sequence = _alternating(targets)
        self._windows = 0

    def next(self, over: Sequence[int]) -> int | None:
        """Return the target that is next, None at the end; targets that are `over` get no turn."""
        for target in over:
            self._left_s[target] = 0.0
        if not any(self._left_s):
            return None
        target, self._windows = next(t for t in self._sequence if self._left_s[t[0]])
        return target

    def allow(self, target: int, round_s: float) -> None:
        """Choose the length of windows by the time in which every user of a target has a response.

        The shortest of its turns, since a server may be slow at first; of the slowest target.
        """
        self._round_s[target] = min(round_s, self._round_s.get(target, round_s))
        if not self._fixed:
            cost_s = TURN_S + 2 * max(self._round_s.values())
            self._window_s = max(LEAST_WINDOW_S, WINDOW_COSTS * cost_s)

    def take(self, target: int) -> float:
        """Return how long the window of this turn is, in seconds."""
        left_s, window_s = self._left_s[target], self._windows * self._window_s
        alone = sum(map(bool, self._left_s)) == 1
        # No rest that is shorter than half a window.
        taken_s = left_s if alone or left_s < window_s + self._window_s / 2 else window_s
        self._left_s[target] = left_s - taken_s
        return taken_s


def _alternating(targets: int) -> Iterator[tuple[int, int]]:
    """Yield target and number of windows of each turn, without end."""
    if targets == 1:
        yield from itertools.repeat((0, 1))
    order = [*range(targets)]
    rounds = (order[:: (-1) ** n] for n in itertools.count())
    for target, row in itertools.groupby(itertools.chain.from_iterable(rounds)):
        yield target, len(list(row))


def _job(of: Sequence[CellInTurns], plan: Plan, captures: Mapping[str, Values]) -> Job:
    cell = of[0].cell
    scenario, turns = plan.scenario(cell.scenario), plan.windows_of(cell.scenario) or 1
    # No more can wait for a server than arrive until it counts as collapsed.
    limit = max(MIN_IN_FLIGHT, int(cell.load.value * plan.collapse_s))
    return Job(
        targets=[_job_target(each, scenario, captures[each.cell.target]) for each in of],
        sequence=scenario.sequence,
        rows=_rows(scenario),
        locustfile=locustfile_of(scenario) if scenario.locustfile else None,
        start_s=MAX_START_S if scenario.locustfile else 0.0,
        load=cell.load,
        arrivals=scenario.arrivals,
        in_flight=min(scenario.in_flight or limit, MAX_USERS),
        turns=turns,
        load_s=turns * plan.warmup_s + plan.measure_s_of(cell.scenario),
        collapse_s=plan.collapse_s,
        timeout_s=plan.timeout_s,
        # The same requests for all targets, others in the next block.
        seed=plan.seed + cell.block,
    )


def _job_target(cell: CellInTurns, scenario: Scenario, values: Values) -> JobTarget:
    server, load = cell.server, cell.cell.load
    own = values.users[: load.value] if load.kind == "closed" else values.users
    return JobTarget(
        host=server.url,
        address=server.address,
        requests=scenario.with_vars(server.target.vars).requests,
        captures=dict(values.server),
        users=_used(scenario, own),
        preconnect=server.max_connections,
        preconnect_batch=min(PRECONNECT_BATCH, server.backlog),
        records=(cell.folder / "requests.parquet").resolve(),
    )


def _rows(scenario: Scenario) -> list[dict[str, str]]:
    """Return the rows for the requests of a load."""
    if scenario.feed and scenario.feed.per == "request":
        return _used(scenario, rows_of(scenario.feed))
    return []


def _used(scenario: Scenario, of: Sequence[Captures]) -> list[dict[str, str]]:
    """Return the values that the requests of the load hold; none if they hold none."""
    names = {name for request in scenario.requests for name in request.names}
    used = [{name: each[name] for name in each if name in names} for each in of]
    return used if any(used) else []


def locustfile_of(scenario: Scenario) -> Locustfile:
    """Return the locustfile of a scenario that has one."""
    return Locustfile(
        path=scenario.locustfile or Path(),
        users=scenario.users,
        expected_failures=scenario.expected_failures,
    )


def died(server: Server) -> str:
    """Return how the server died under load, as a phrase; empty if it runs."""
    try:
        server.check_alive()
    except ServerFailedError as error:
        return f"died while it was measured: {error}"
    return ""
