"""One load on one or more targets, which take turns: warm-up, measuring window, drain.

The servers of all targets run on the same cores. While one has its turn the others must be idle:
their CPU time in its windows is recorded.
"""

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twinbench.job import GeneratorState, GeneratorSummary, Job, JobTarget
from twinbench.measure.generator import LoadGenerator
from twinbench.measure.server import Server, ServerFailedError
from twinbench.measure.telemetry import (
    NO_INSIDE_TELEMETRY,
    NO_TELEMETRY,
    MemoryLimit,
    ServerSampler,
)
from twinbench.plan import MAX_USERS, Cell, Plan, turns
from twinbench.remarks import remarked

DRAIN_S = 2.0
# Least number of connections of an open load: a slow one needs them for its bursts.
MIN_IN_FLIGHT = 64
# Connections opened at once. Our servers have a listen queue of 2,048; others may have one of 5.
PRECONNECT_BATCH, PRECONNECT_BATCH_OF_COMMAND = 64, 4

# Ends the server of a target, whose reason is given as a phrase.
End = Callable[[str, str], None]


class CellInTurns:
    """A cell, its server, and what became of both. `over`: it gets no more turns."""

    def __init__(self, cell: Cell, server: Server, folder: Path, limit: MemoryLimit) -> None:
        self.cell, self.server, self.folder = cell, server, folder
        self.sampler = ServerSampler(server.child, server.cores, server.telemetry, limit)
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
                shutil.copyfile(self.server.child.log, self.folder / "server.log")
            end(self.cell.target, self._end_reason)

    def leave(self) -> None:
        """Keep what goes with the server, once."""
        if self.over:
            return
        with remarked(self._remarks, NO_TELEMETRY):
            self._memory_mib = round(self.server.child.memory_bytes() / 2**20, 1)
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
        self, summary: GeneratorSummary, others: Sequence["CellInTurns"], upstream_died: str
    ) -> dict[str, Any]:
        """Write telemetry.parquet; return the fields of the record."""
        outcome, reason = ("collapsed" if self.collapsed else "done"), ""
        if self._died:
            outcome, reason = "lost", f"'{self.cell.target}' {self._died}"
        elif upstream_died:
            outcome, reason = "lost", f"the external API that the apps call {upstream_died}"
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
            "idle_cpu_s": {name: cpu_s for name, cpu_s in idle.items() if cpu_s is not None},
            "remarks": [*self.server.remarks, *self.sampler.remarks, *self._remarks],
        }


def take_turns(
    of: Sequence[CellInTurns],
    generator: LoadGenerator,
    plan: Plan,
    captures: Mapping[str, dict[str, str]],
    end: End,
) -> list[GeneratorSummary]:
    """Measure cells at one load. Raises GeneratorFailedError."""
    first = of[0].cell
    seconds = plan.measure_s_of(first.scenario) / plan.windows
    order = turns(len(of), plan.windows)
    with contextlib.ExitStack() as stack:
        for each in of:
            stack.enter_context(each.sampler)
        generator.begin(_job(of, plan, captures, len(order)))
        begun: set[int] = set()
        for number, windows in order:
            if (each := of[number]).over:
                continue
            # Later a closed load goes on once every user has had a response.
            again = number in begun and first.load.kind == "closed"
            state = generator.turn(number, 0.0 if again else plan.warmup_s, windows * seconds)
            begun.add(number)
            each.end_turn(state, end)
        summaries = generator.finish()
        for each in of:
            each.leave()
        return summaries


def _job(
    of: Sequence[CellInTurns], plan: Plan, captures: Mapping[str, dict[str, str]], turns: int
) -> Job:
    cell = of[0].cell
    scenario = plan.scenario(cell.scenario)
    # No more can wait for a server than arrive until it counts as collapsed.
    limit = max(MIN_IN_FLIGHT, int(cell.load.value * plan.collapse_s))
    return Job(
        targets=[
            JobTarget(
                host=each.server.url,
                captures=captures[each.cell.target],
                preconnect=each.server.max_connections,
                preconnect_batch=PRECONNECT_BATCH
                if each.server.target.app
                else PRECONNECT_BATCH_OF_COMMAND,
                records=(each.folder / "requests.parquet").resolve(),
            )
            for each in of
        ],
        requests=scenario.requests,
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


def died(server: Server) -> str:
    """Return how the server died under load, as a phrase; empty if it runs."""
    try:
        server.check_alive()
    except ServerFailedError as error:
        return f"died while it was measured: {error}"
    return ""
