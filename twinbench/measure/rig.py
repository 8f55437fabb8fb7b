"""Processes that a run keeps: services, the generator, and servers.

Servers are fresh for every block and scenario (or block, `fresh_servers`), and stay for all loads
unless one collapsed, died or did not drain: what one measurement leaves behind must not affect the
next one.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from twinbench.exchange import ExchangeError, Values, send_setup
from twinbench.measure.cluster import PostgresError
from twinbench.measure.generator import GeneratorFailedError, LoadGenerator
from twinbench.measure.locust import LocustGenerator
from twinbench.measure.machine import pin_to, share_cores
from twinbench.measure.postgres import Databases, starts_postgres
from twinbench.measure.processes import adopt_orphans
from twinbench.measure.running import RunningServer
from twinbench.measure.server import Server, ServerFailedError, ready_or_stopped
from twinbench.measure.services import Services
from twinbench.measure.telemetry import MemoryLimit
from twinbench.measure.turns import CellInTurns, take_turns
from twinbench.plan import Cell, Plan, Target
from twinbench.store import CellRecord


class Rig:
    """Context that measures cells; no process is left at its end."""

    def __init__(self, plan: Plan, log_folder: Path) -> None:
        self.plan = plan
        self._memory_limit = MemoryLimit.of(plan)
        self.cores = share_cores(
            max(target.workers for target in plan.targets),
            processes=plan.processes,
            database=starts_postgres(plan.targets),
        )
        log = log_folder / "generator.log"
        # The longest that a server has taken to start; of those that start at once, its share.
        self.start_s = 0.0
        self.services = Services(plan.services, self.cores.generator, plan.ready_s)
        self.databases = Databases(plan.targets, self.cores.database or self.cores.generator)
        # Time of a setup request that is sent for each user, of the slowest target.
        self.setup_s = 0.0
        self._generator = LoadGenerator(log, self.cores.generator, plan.processes)
        self._locust = LocustGenerator(log_folder, self.cores.generator, plan.processes)
        self._servers: dict[str, Server] = {}
        # From the setup of the scenario that was last measured, by target.
        self._captures: dict[str, Values] = {}
        # Plan, block and scenario of the servers, and of the captures.
        self._serving: tuple[Plan, int, str] | None = None
        # Why a server was ended since its block or scenario began, by target.
        self._ended: dict[str, str] = {}
        # Why servers that run already do not respond any more, by target: none is started again.
        self._gone: dict[str, str] = {}

    def __enter__(self) -> Self:
        # The harness itself stays off the server's cores.
        self._cores_before = pin_to(self.cores.generator)
        adopt_orphans(True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop_servers(at_once=kind is not None)
        self._generator.stop()
        self._locust.stop()
        self.services.stop()
        self.databases.stop()
        adopt_orphans(False)
        pin_to(self._cores_before)

    def start_generator(self) -> None:
        """Start the load generator, before it is needed."""
        self._generator.start()

    def start(self, target: Target, *, observe: bool = False) -> Server:
        """Return a fresh server of `target` that is ready. Raises ServerFailedError."""
        (server,) = self.start_all([target], observe=observe)
        if isinstance(server, ServerFailedError):
            raise server
        return server

    @contextlib.contextmanager
    def running(
        self, targets: Sequence[Target], *, observe: bool = False
    ) -> Iterator[list[Server | ServerFailedError]]:
        """Start a server of each target, as `start_all` does, and stop all at the end."""
        found = self.start_all(targets, observe=observe)
        with contextlib.ExitStack() as stack:
            for server in found:
                if isinstance(server, Server):
                    stack.callback(server.stop, at_once=True)
            yield found

    def start_all(
        self, targets: Sequence[Target], *, observe: bool = False
    ) -> list[Server | ServerFailedError]:
        """Return a fresh server of each target that is ready, or why it is not.

        All start at once. While nothing is measured, every other one starts on as many of the
        generator's cores, which halves the time that two take. One that is too large is ended.
        Call `services.start` and `databases.start` before.
        """
        if not observe:  # the preflight compares what each start fills
            self._make_templates(targets)
        began_s = time.monotonic()
        found = self._start_servers(targets, observe=observe)
        self.start_s = max(self.start_s, (time.monotonic() - began_s) / max(1, len(targets)))
        return found

    def _make_templates(self, targets: Sequence[Target]) -> None:
        """Start targets once whose databases are empty, and keep what these hold then.

        One that cannot be started has none, and says why when it is started again.
        """
        without = [target for target in targets if self.databases.lacks_template(target)]
        for target, server in zip(without, self._start_servers(without), strict=True):
            if isinstance(server, Server):
                server.stop()
                self.databases.keep_as_template(target)

    def _start_servers(
        self, targets: Sequence[Target], *, observe: bool = False
    ) -> list[Server | ServerFailedError]:
        # Otherwise the order of sets of text differs from process to process.
        env = {"PYTHONHASHSEED": "0"} if observe else {}
        with contextlib.ExitStack() as stack:
            servers = []
            for number, target in enumerate(targets):
                cores = self.cores.server[: target.workers]
                spare = self.cores.generator[: len(cores)]
                elsewhere = number % 2 and len(spare) == len(cores)
                on = spare if elsewhere else cores
                addressed = self.services.with_addresses(target)
                filled = self.databases.with_database(addressed, empty=observe)
                servers.append(
                    RunningServer(filled, retry=self._serving is not None)
                    if target.url
                    else Server(filled, cores=on, env=env, observe=observe)
                )
                stack.callback(servers[-1].stop, at_once=True)
            found = self._ready_within_memory(servers)
            for server in found:
                if isinstance(server, Server):
                    server.move_to(self.cores.server[: server.target.workers])
            stack.pop_all()
        return found

    def measure(
        self, cells: Sequence[Cell], folders: Sequence[Path], plan: Plan | None = None
    ) -> list[CellRecord]:
        """Measure `cells` of `plan` (the rig's own by default), which take turns at one load.

        Their requests are written to `folders`. Failures of servers, services and generator
        are in the records.
        """
        plan, began_s = plan or self.plan, time.monotonic()
        lost = self._serve(cells, plan)
        starts_s = time.monotonic() - began_s
        of = [
            CellInTurns(cell, self._servers[cell.target], folder, self._memory_limit)
            for cell, folder in zip(cells, folders, strict=True)
            if cell.target not in lost
        ]
        restarted = dict(self._ended)
        fields: dict[str, dict[str, Any]] = {}
        try:
            fields = self._measure_load(of, plan) if of else {}
        except GeneratorFailedError as error:
            self._stop_servers(at_once=True)
            lost = {cell.target: str(error) for cell in cells} | lost
        for target, reason in lost.items():
            fields[target] = {"outcome": "lost", "reason": reason}
        share: dict[str, Any] = {
            "starts_s": starts_s / len(cells),
            "took_s": (time.monotonic() - began_s) / len(cells),
        }
        return [
            CellRecord(
                **cell._asdict(),
                **share,
                **fields[cell.target],
                restarted=restarted.get(cell.target, ""),
            )
            for cell in cells
        ]

    def _ready_within_memory(self, servers: Sequence[Server]) -> list[Server | ServerFailedError]:
        limit = self._memory_limit
        samplers = [each.sampler(limit) for each in servers]
        with contextlib.ExitStack() as stack:
            for sampler in samplers:
                stack.enter_context(sampler)
            found = [_ready_or_error(server, self.plan.ready_s) for server in servers]
        for number, (server, sampler) in enumerate(zip(servers, samplers, strict=True)):
            if sampler.ended_reason:
                server.stop(at_once=True)
                found[number] = ServerFailedError(
                    f"{server.not_started}: it {sampler.ended_reason}"
                )
        return found

    def _measure_load(self, of: Sequence[CellInTurns], plan: Plan) -> dict[str, dict[str, Any]]:
        """Return the fields of the records, by target. Raises GeneratorFailedError."""
        scenario = plan.scenario(of[0].cell.scenario)
        generator = self._locust if scenario.locustfile else self._generator
        database = self.databases.sampler([plan.target(each.cell.target) for each in of])
        summaries = take_turns(of, generator, plan, self._captures, database, self._end_server)
        service_died = self.services.why_died() or self.databases.why_died()
        return {
            each.cell.target: each.fields(
                summary, [other for other in of if other is not each], database, service_died
            )
            for each, summary in zip(of, summaries, strict=True)
        }

    def _serve(self, cells: Sequence[Cell], plan: Plan) -> dict[str, str]:
        """Have a server of each target of `cells`; return why some have none, by target."""
        try:
            self._have_services()
            self._keep_servers(cells, plan)
            return self._start_missing(cells, plan)
        except (ServerFailedError, PostgresError) as error:  # of a service, or PostgreSQL
            return {cell.target: str(error) for cell in cells}

    def _have_services(self) -> None:
        """Start the services that do not run; servers have the address of one that has ended."""
        if self.services.why_died() or self.databases.why_died():
            self._stop_servers(at_once=True)
        self.services.start()
        self.databases.start()

    def _keep_servers(self, cells: Sequence[Cell], plan: Plan) -> None:
        """Stop the servers that `cells` do not use: of another block, scenario or target."""
        before, self._serving = self._serving, (plan, cells[0].block, cells[0].scenario)
        if before != self._serving:
            self._captures = {}
            shared = plan.fresh_servers == "block" and before and before[:2] == self._serving[:2]
            if not shared:
                self._stop_servers()
                self._ended = {}
        for name in self._servers.keys() - {cell.target for cell in cells}:
            self._servers.pop(name).stop()

    def _start_missing(self, cells: Sequence[Cell], plan: Plan) -> dict[str, str]:
        """Start the servers of `cells` that do not run, and send each the setup of the scenario.

        Return why some could not be started, by target.
        """
        known = {*self._servers, *self._gone}
        missing = [cell.target for cell in cells if cell.target not in known]
        found = self.start_all([plan.target(name) for name in missing])
        lost = {cell.target: self._gone[cell.target] for cell in cells if cell.target in self._gone}
        for name, server in zip(missing, found, strict=True):
            if isinstance(server, ServerFailedError):
                lost[name] = str(server)
                self._gone |= {name: str(server)} if plan.target(name).url else {}
            else:
                self._servers[name] = server
                self._captures.pop(name, None)
        for cell in cells:
            if cell.target in lost or cell.target in self._captures:
                continue
            server = self._servers[cell.target]
            try:
                self._captures[cell.target] = self._send_setup(cell, plan, server)
            except ExchangeError as error:
                # Half set up: the next cell gets a fresh one.
                self._end_server(cell.target, "could not be set up")
                lost[cell.target] = f"'{cell.target}': {error}"
        return lost

    def _send_setup(self, cell: Cell, plan: Plan, server: Server) -> Values:
        scenario, seed = plan.scenario(cell.scenario), plan.seed + cell.block
        filled = scenario.with_vars(server.target.vars)
        return send_setup(filled, server.host, server.port, plan.ready_s, seed, server.address)

    def _end_server(self, target: str, why: str) -> None:
        """End a server at once; the next record of its target in this block says why.

        One that runs already goes on, and is waited for before it is measured again.
        """
        server = self._servers.pop(target)
        server.stop(at_once=True)
        if not isinstance(server, RunningServer):
            self._ended[target] = why

    def _stop_servers(self, *, at_once: bool = False) -> None:
        for server in self._servers.values():
            server.stop(at_once=at_once)
        self._servers = {}


def _ready_or_error(server: Server, timeout_s: float) -> Server | ServerFailedError:
    try:
        return ready_or_stopped(server, timeout_s)
    except ServerFailedError as error:
        return error
