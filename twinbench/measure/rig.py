"""Everything that a campaign keeps running: the upstream API, the generator, one server.

A server is fresh for every block, scenario and target. It stays for the loads of these, unless
it collapsed, died, or did not come to rest: what one cell left behind must not be measured in
the next.
"""

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from twinbench.exchange import ExchangeError, send_setup
from twinbench.job import GeneratorSummary, Job
from twinbench.measure.child import adopt_orphans
from twinbench.measure.driver import Driver, DriverFailedError
from twinbench.measure.machine import share_cores, stay_on
from twinbench.measure.server import HOST, UNSEEN_INSIDE, Server, ServerFailedError
from twinbench.measure.telemetry import UNSEEN, MemoryLimit, ServerSampler
from twinbench.plan import MAX_USERS, Cell, Plan, Target
from twinbench.remarks import remarked
from twinbench.store import CellRecord

UPSTREAM = Target(name="upstream", app="apps.upstream.main:app", cwd=Path(__file__).parents[2])
UPSTREAM_READY_S = 20.0
DRAIN_S = 2.0
# Bursts of a slow open load find that many connections all the same.
LEAST_IN_FLIGHT = 64
# Connections made together: our servers have a queue of 2,048 for them, others one of 5 perhaps.
AT_ONCE, AT_ONCE_TO_OTHERS = 64, 4


class Rig:
    """Use it as a context: at its end no process of ours is left."""

    def __init__(self, plan: Plan, log_folder: Path) -> None:
        self.plan = plan
        self._memory_limit = MemoryLimit.of(plan.memory_mib)
        self.cores = share_cores(max(target.workers for target in plan.targets))
        self._driver = Driver(log_folder / "generator.log", self.cores.generator, plan.processes)
        self._server: Server | None = None
        self._serving: tuple[Plan, int, str, str] | None = None
        self._captures: dict[str, str] = {}  # by the setup requests of the scenario being served

    def __enter__(self) -> Self:
        # The harness itself stays off the server's cores.
        self._was_on = stay_on(self.cores.generator)
        adopt_orphans(True)
        self.upstream = self._start_upstream()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_server(at_once=kind is not None)
        self._driver.stop()
        self.upstream.stop()
        adopt_orphans(False)
        stay_on(self._was_on)

    def start(self, target: Target, *, observe: bool = False) -> Server:
        """A fresh server of `target`, ready. Raises ServerFailedError."""
        cores = self.cores.server[: target.workers]
        env = {"UPSTREAM_URL": self.upstream.url}
        if observe:  # the order of sets of text would differ between two that do the same
            env["PYTHONHASHSEED"] = "0"
        server = Server(target, cores=cores, env=env, observe=observe)
        return _ready(server, self.plan.ready_s)

    def measure(self, cell: Cell, folder: Path, plan: Plan | None = None) -> CellRecord:
        """Measure `cell` of `plan`, or else of the rig's own plan; its requests go to `folder`.

        What goes wrong is in the record.
        """
        plan = plan or self.plan
        about = cell._asdict()
        try:
            self._keep_upstream()
            server = self._server_for(cell, plan)
        except (ServerFailedError, ExchangeError) as error:
            return CellRecord(**about, outcome="lost", reason=str(error))
        watch = ServerSampler(server, self._memory_limit)
        try:
            with watch:
                summary = self._drive(cell, plan, server, folder)
        except DriverFailedError as error:
            self._stop_server(at_once=True)
            return CellRecord(**about, outcome="lost", reason=str(error))
        drained = not summary.collapsed and server.drained(DRAIN_S)
        record = CellRecord(
            **about,
            **summary.model_dump(),
            outcome="collapsed" if summary.collapsed else "done",
            drained=drained,
            server_cpu_s=None,
            server_memory_mib=None,
        )
        _keep_seen(watch, server, record, folder)
        if reason := watch.ended or _died(server):
            record.outcome = "lost"
            record.reason = f"'{cell.target}' {reason}"
            shutil.copyfile(server.child.log, folder / "server.log")
        elif reason := _died(self.upstream):
            record.outcome = "lost"
            record.reason = f"the external API that the apps call {reason}"
        if record.outcome != "done" or not drained:
            self._stop_server(at_once=True)
        return record

    def _start_upstream(self) -> Server:
        upstream = Server(UPSTREAM, cores=self.cores.generator, stopped_s=0.0)
        return _ready(upstream, UPSTREAM_READY_S)

    def _keep_upstream(self) -> None:
        """A new upstream API if it has gone; servers know the old one's address."""
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
            self._captures = self._send_before(cell, plan, self._server)
        return self._server

    def _send_before(self, cell: Cell, plan: Plan, server: Server) -> dict[str, str]:
        """What the scenario sends to a fresh server; the values that it takes."""
        setup = plan.scenario(cell.scenario).setup
        try:
            return send_setup(setup, HOST, server.port, plan.ready_s, plan.seed + cell.block)
        except ExchangeError as error:
            # Half prepared: the next cell shall have a fresh one.
            self._stop_server(at_once=True)
            raise ExchangeError(f"'{cell.target}': {error}") from None

    def _stop_server(self, *, at_once: bool = False) -> None:
        if self._server:
            self._server.stop(at_once=at_once)
            self._server = None

    def _drive(self, cell: Cell, plan: Plan, server: Server, folder: Path) -> GeneratorSummary:
        scenario = plan.scenario(cell.scenario)
        # More can never wait for a server than come in until it counts as collapsed.
        most = max(LEAST_IN_FLIGHT, int(cell.load.value * plan.collapse_s))
        return self._driver.run(
            Job(
                host=server.url,
                requests=scenario.requests,
                captures=self._captures,
                load=cell.load,
                arrivals=scenario.arrivals,
                in_flight=min(scenario.in_flight or most, MAX_USERS),
                connected=server.most_connections,
                at_once=AT_ONCE if server.target.app else AT_ONCE_TO_OTHERS,
                process=0,
                of=1,
                warmup_s=plan.warmup_s,
                measure_s=plan.measure_s_of(cell.scenario),
                collapse_s=plan.collapse_s,
                timeout_s=plan.timeout_s,
                # The same requests for both targets of a pair, others in the next block.
                seed=plan.seed + cell.block,
                records=(folder / "requests.parquet").resolve(),
            )
        )


def _keep_seen(watch: ServerSampler, server: Server, record: CellRecord, folder: Path) -> None:
    """Write what was seen of `server` to `folder` and `record`, or why it is missing."""
    with remarked(watch.remarks, UNSEEN):
        if (cpu_s := watch.cpu_s(*record.window_ns)) is not None:
            record.server_cpu_s = round(cpu_s, 4)
        record.server_memory_mib = round(server.child.memory_bytes() / 2**20, 1)
        watch.write(folder / "telemetry.parquet")
    record.remarks = [*server.remarks, *watch.remarks]
    if record.outcome == "done" and (why := server.why_unseen(DRAIN_S)):
        record.remarks.append(f"{UNSEEN_INSIDE}: {why}")


def _died(server: Server) -> str:
    """How it did while it was measured; empty if it is alive."""
    try:
        server.check_alive()
    except ServerFailedError as error:
        return f"died while it was measured: {error}"
    return ""


def _ready(server: Server, seconds: float) -> Server:
    """`server` once it is ready; stopped where it fails. Raises ServerFailedError."""
    try:
        return server.wait_until_ready(seconds)
    except ServerFailedError as error:
        server.stop(at_once=True)
        sentence = f"'{server.target.name}' could not be started: {error}"
        raise ServerFailedError(sentence, names_nothing=error.names_nothing) from None
    except BaseException:
        server.stop(at_once=True)
        raise
