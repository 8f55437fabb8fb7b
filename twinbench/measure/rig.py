"""Processes that a run keeps: the upstream API, the generator, and one server.

A server is fresh for every block, scenario and target, and stays for their loads unless it
collapsed, died or did not drain: what one cell leaves behind must not affect the next one.
"""

import shutil
from pathlib import Path
from typing import Any, Literal, Self

from twinbench.exchange import ExchangeError, send_setup
from twinbench.job import GeneratorSummary, Job
from twinbench.measure.generator import GeneratorFailedError, LoadGenerator
from twinbench.measure.machine import pin_to, share_cores
from twinbench.measure.processes import adopt_orphans
from twinbench.measure.server import HOST, Server, ServerFailedError
from twinbench.measure.telemetry import (
    NO_INSIDE_TELEMETRY,
    NO_TELEMETRY,
    MemoryLimit,
    ServerSampler,
)
from twinbench.paths import ROOT
from twinbench.plan import MAX_USERS, Cell, Plan, Target
from twinbench.remarks import remarked
from twinbench.store import CellRecord

UPSTREAM = Target(name="upstream", app="apps.upstream.main:app", cwd=ROOT)
UPSTREAM_READY_S = 20.0
DRAIN_S = 2.0
# Least number of connections of an open load: a slow one needs them for its bursts.
MIN_IN_FLIGHT = 64
# Connections opened at once. Our servers have a listen queue of 2,048; others may have one of 5.
PRECONNECT_BATCH, PRECONNECT_BATCH_OF_COMMAND = 64, 4


class Rig:
    """Context that measures cells; no process is left at its end."""

    def __init__(self, plan: Plan, log_folder: Path) -> None:
        self.plan = plan
        self._memory_limit = MemoryLimit.of(plan.memory_mib)
        self.cores = share_cores(max(target.workers for target in plan.targets))
        log = log_folder / "generator.log"
        self._generator = LoadGenerator(log, self.cores.generator, plan.processes)
        self._server: Server | None = None
        self._serving: tuple[Plan, int, str, str] | None = None
        self._captures: dict[str, str] = {}  # from the setup of the scenario being served

    def __enter__(self) -> Self:
        # The harness itself stays off the server's cores.
        self._cores_before = pin_to(self.cores.generator)
        adopt_orphans(True)
        self.upstream = self._start_upstream()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop_server(at_once=kind is not None)
        self._generator.stop()
        self.upstream.stop()
        adopt_orphans(False)
        pin_to(self._cores_before)

    def start(self, target: Target, *, observe: bool = False) -> Server:
        """Return a fresh server of `target` that is ready. Raises ServerFailedError."""
        cores = self.cores.server[: target.workers]
        env = {"UPSTREAM_URL": self.upstream.url}
        if observe:  # otherwise the order of sets of text differs from process to process
            env["PYTHONHASHSEED"] = "0"
        server = Server(target, cores=cores, env=env, observe=observe)
        return _ready(server, self.plan.ready_s)

    def measure(self, cell: Cell, folder: Path, plan: Plan | None = None) -> CellRecord:
        """Measure `cell` of `plan` (the rig's own by default); write its requests to `folder`.

        Failures of server, upstream API and generator are in the record.
        """
        plan = plan or self.plan
        try:
            self._replace_ended_upstream()
            server = self._server_for(cell, plan)
        except (ServerFailedError, ExchangeError) as error:
            return CellRecord(**cell._asdict(), outcome="lost", reason=str(error))
        sampler = ServerSampler(server.child, server.cores, server.telemetry, self._memory_limit)
        try:
            with sampler:
                summary = self._run_load(cell, plan, server, folder)
        except GeneratorFailedError as error:
            self._stop_server(at_once=True)
            return CellRecord(**cell._asdict(), outcome="lost", reason=str(error))
        drained = not summary.collapsed and server.drained(DRAIN_S)
        telemetry = _keep_telemetry(sampler, server, summary, folder)
        outcome: Literal["done", "collapsed", "lost"] = "collapsed" if summary.collapsed else "done"
        reason = ""
        if died := sampler.ended_reason or _died(server):
            outcome, reason = "lost", f"'{cell.target}' {died}"
            shutil.copyfile(server.child.log, folder / "server.log")
        elif died := _died(self.upstream):
            outcome, reason = "lost", f"the external API that the apps call {died}"
        if outcome != "done" or not drained:
            self._stop_server(at_once=True)
        fields = {**cell._asdict(), **summary.model_dump(), **telemetry}
        return CellRecord(**fields, outcome=outcome, reason=reason, drained=drained)

    def _start_upstream(self) -> Server:
        return _ready(Server(UPSTREAM, cores=self.cores.generator), UPSTREAM_READY_S)

    def _replace_ended_upstream(self) -> None:
        """Start the upstream API again if it has ended; servers have the old one's address."""
        if self.upstream.child.exit_code() is not None:
            self._stop_server(at_once=True)
            self.upstream.stop()
            self.upstream = self._start_upstream()

    def _server_for(self, cell: Cell, plan: Plan) -> Server:
        wanted = (plan, cell.block, cell.scenario, cell.target)
        if self._server is None or self._serving != wanted:
            self._stop_server()
            self._server = self.start(plan.target(cell.target))
            self._serving = wanted
            self._captures = self._send_setup(cell, plan, self._server)
        return self._server

    def _send_setup(self, cell: Cell, plan: Plan, server: Server) -> dict[str, str]:
        setup = plan.scenario(cell.scenario).setup
        try:
            return send_setup(setup, HOST, server.port, plan.ready_s, plan.seed + cell.block)
        except ExchangeError as error:
            # Half set up: the next cell gets a fresh one.
            self._stop_server(at_once=True)
            raise ExchangeError(f"'{cell.target}': {error}") from None

    def _stop_server(self, *, at_once: bool = False) -> None:
        if self._server:
            self._server.stop(at_once=at_once)
            self._server = None

    def _run_load(self, cell: Cell, plan: Plan, server: Server, folder: Path) -> GeneratorSummary:
        scenario = plan.scenario(cell.scenario)
        # No more can wait for a server than arrive until it counts as collapsed.
        limit = max(MIN_IN_FLIGHT, int(cell.load.value * plan.collapse_s))
        batch = PRECONNECT_BATCH if server.target.app else PRECONNECT_BATCH_OF_COMMAND
        return self._generator.run(
            Job(
                host=server.url,
                requests=scenario.requests,
                captures=self._captures,
                load=cell.load,
                arrivals=scenario.arrivals,
                in_flight=min(scenario.in_flight or limit, MAX_USERS),
                preconnect=server.max_connections,
                preconnect_batch=batch,
                warmup_s=plan.warmup_s,
                measure_s=plan.measure_s_of(cell.scenario),
                collapse_s=plan.collapse_s,
                timeout_s=plan.timeout_s,
                # The same requests for both targets of a pair, others in the next block.
                seed=plan.seed + cell.block,
                records=(folder / "requests.parquet").resolve(),
            )
        )


def _keep_telemetry(
    sampler: ServerSampler, server: Server, summary: GeneratorSummary, folder: Path
) -> dict[str, Any]:
    """Write telemetry.parquet; return the fields of a record that telemetry fills in."""
    cpu_s = memory_mib = None
    with remarked(sampler.remarks, NO_TELEMETRY):
        cpu_s = sampler.cpu_s(*summary.window_ns)
        memory_mib = round(server.child.memory_bytes() / 2**20, 1)
        sampler.write(folder / "telemetry.parquet")
    remarks = [*server.remarks, *sampler.remarks]
    if not summary.collapsed and (error := server.telemetry_error(DRAIN_S)):
        remarks.append(f"{NO_INSIDE_TELEMETRY}: {error}")
    return {"server_cpu_s": cpu_s, "server_memory_mib": memory_mib, "remarks": remarks}


def _died(server: Server) -> str:
    """Return how the server died under load, as a phrase; empty if it runs."""
    try:
        server.check_alive()
    except ServerFailedError as error:
        return f"died while it was measured: {error}"
    return ""


def _ready(server: Server, timeout_s: float) -> Server:
    """Return `server` once it is ready; stop it if it fails. Raises ServerFailedError."""
    try:
        return server.wait_until_ready(timeout_s)
    except ServerFailedError as error:
        server.stop(at_once=True)
        sentence = f"'{server.target.name}' could not be started: {error}"
        raise ServerFailedError(sentence, app_not_found=error.app_not_found) from None
    except BaseException:
        server.stop(at_once=True)
        raise
