"""Observation of one target: started, sent every request, and all facts collected."""

import contextlib
import hashlib
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from twinbench.exchange import EndlessError, ExchangeError, Response, capture, exchange
from twinbench.measure.control import Work
from twinbench.measure.rig import Rig
from twinbench.measure.server import HOST, Server, ServerFailedError
from twinbench.plan import (
    Aspect,
    BaseRequest,
    Captures,
    Plan,
    PlanError,
    Request,
    Scenario,
    SetupRequest,
    Target,
    render,
)
from twinbench.preflight.database import DatabaseError, contents, file_changes, read_files
from twinbench.preflight.locustfile import LocustTrial, TrialFailedError
from twinbench.preflight.result import PreflightError

# A single response must take less than this share of collapse_s: otherwise a server that is slow
# would count as collapsed.
MAX_SHARE_OF_COLLAPSE = 0.5
# A response that takes longer than this many collapse_s is not waited for.
PATIENCE = 5
# A request with a range is several: a lookup that fails, the first row and the last, a page
# without a successor are different work. Three of them are a sample, no proof.
DRAWS = 3
# Each request is sent twice, and once more after all others: a cached response needs no SQL.
REPEATS, LAST_REPEAT = ("", ", again"), ", after the others"
IGNORED_HEADERS = {"date"}
# Lists whose order means nothing (RFC 9110 and the Fetch standard): frameworks hold them in sets,
# whose order changes with Python's hash seed. Only names of headers ignore case.
METHOD_LISTS = {"allow", "access-control-allow-methods"}
HEADER_LISTS = {"vary", "access-control-allow-headers", "access-control-expose-headers"}
OPENAPI_PATH = "/openapi.json"  # FastAPI's default
OK = 200
EXIT_S = 5.0  # a server that does not respond because it exits has exited by then
AT_START, AT_END = "at its start", "after the last request"


class Key(NamedTuple):
    """Place and aspect of a fact."""

    where: str
    aspect: Aspect


@dataclass(frozen=True, slots=True)
class Observation:
    """Facts about one start of a target, in the order of time, each a text.

    `work` is the last one, whose lists cover the time since the start, with every reason why an
    aspect was not completely observed; None if the server cannot be observed. `unobserved`: further
    reasons, of responses.
    """

    target: Target
    requests: int
    facts: Mapping[Key, str]
    work: Work | None
    unobserved: Mapping[Aspect, str] = field(default_factory=dict)


class _Sending(NamedTuple):
    """Request as it is sent, and how errors name it."""

    request: BaseRequest
    payload: bytes
    label: str
    place: str


def collect(
    plan: Plan, plan_file: str, scenarios: Sequence[Scenario], names: Sequence[str], rig: Rig
) -> list[Observation]:
    """Start targets `names` at once, send the requests of `scenarios` to each, and observe it.

    Raises PlanError where the plan names what does not exist, PreflightError where a target does
    not start or does not respond as the plan expects.
    """
    targets = [plan.target(name) for name in names]
    wheres = [f"{plan_file}: targets[{plan.targets.index(target)}]" for target in targets]
    started = rig.start_all(targets, observe=True)
    with contextlib.ExitStack() as stack:
        for server in started:
            if isinstance(server, Server):
                stack.callback(server.stop, at_once=True)
        servers = [_started(*each) for each in zip(targets, wheres, started, strict=True)]
        return [
            _observe(plan, f"{where}: '{server.target.name}'", scenarios, server, rig)
            for where, server in zip(wheres, servers, strict=True)
        ]


def _started(target: Target, where: str, server: Server | ServerFailedError) -> Server:
    if isinstance(server, Server):
        return server
    if server.app_not_found:
        raise PlanError(f"{where}.app = '{target.app}': {server}")
    raise PreflightError(f"{where}: {server}")


def _observe(
    plan: Plan, who: str, scenarios: Sequence[Scenario], server: Server, rig: Rig
) -> Observation:
    try:
        collector = _Collector(plan, who, server, rig.upstream, rig.cores.generator)
        return collector.collect(scenarios)
    except (DatabaseError, ExchangeError) as error:
        raise PreflightError(f"{who}, {error}") from None


class _Collector:
    """Sends requests to one server, and collects the facts."""

    def __init__(
        self, plan: Plan, who: str, server: Server, upstream: Server, cores: Sequence[int]
    ) -> None:
        self._plan, self._who, self._server, self._upstream = plan, who, server, upstream
        self._generator_cores = cores
        self._unobserved: dict[Aspect, str] = {}
        self._rng = random.Random(plan.seed)  # the same draws for every target
        self._facts: dict[Key, str] = {}
        self._requests = 0
        self._captures: list[tuple[list[SetupRequest], Captures]] = []
        self._files: dict[Path, str] = {}
        self._upstream_requests = 0

    def collect(self, scenarios: Sequence[Scenario]) -> Observation:
        # Work of the start is compared by what it leaves in files and databases.
        if self._work("its start"):
            self._facts[Key(AT_START, "files")] = self._file_changes()
            self._upstream_requests = self._upstream.answered(self._plan.ready_s)
        for sending in [each for scenario in scenarios for each in self._send_all(scenario)]:
            self._send(sending, LAST_REPEAT)
        if work := self._work("the last request"):
            work = self._with_limits(work)
            self._facts[Key(AT_END, "final database")] = contents(work.sqlite_files)
            limit = f"limit_concurrency: {self._server.target.limit_concurrency}"
            conditions = (f"{name}: {value}" for name, value in work.conditions.items())
            self._facts[Key(AT_END, "settings")] = "\n".join([*conditions, limit, *work.settings])
        facts = self._api_description() | self._facts
        return Observation(self._server.target, self._requests, facts, work, self._unobserved)

    def _send_all(self, scenario: Scenario) -> Iterator[_Sending]:
        """Send the requests of `scenario`, and yield those that are to be sent once more."""
        if scenario.locustfile:
            self._run_locustfile(scenario)
            return
        captures = self._send_setup(scenario)
        for number, request in enumerate(scenario.requests):
            for draw, payload in enumerate(self._payloads(request, captures), 1):
                place = f"requests[{number}]" + f", draw {draw}" * request.has_range
                sending = _sending(scenario, request, payload, place)
                for repeat in REPEATS:
                    self._send(sending, repeat)
                yield sending

    def _send_setup(self, scenario: Scenario) -> Captures:
        """Send the setup requests, unless an earlier scenario has the same, and return captures.

        A server that is measured is sent them once, too.
        """
        for setup, captures in self._captures:
            if setup == scenario.setup:
                return captures
        captures = {}
        for number, request in enumerate(scenario.setup):
            [payload] = self._payloads(request, captures)
            response = self._send(_sending(scenario, request, payload, f"setup[{number}]"))
            captures = {**captures, **capture(request, response)}
        self._captures.append((scenario.setup, captures))
        return captures

    def _payloads(self, request: BaseRequest, captures: Captures) -> list[bytes]:
        """Return different draws of `request`: fewer where its range has fewer, one for setup."""
        draws = DRAWS if request.has_range and isinstance(request, Request) else 1
        # Without the port of this server, which an app may write into its links.
        payloads = [render(request, HOST, self._rng, captures).whole for _ in range(draws)]
        return list(dict.fromkeys(payloads))

    def _send(self, sending: _Sending, repeat: str = "") -> Response:
        response = self._exchange(sending, is_repeat=bool(repeat))
        where = f"{sending.label} ({sending.place}{repeat})"
        self._keep(where, response, str(response.status))
        return response

    def _run_locustfile(self, scenario: Scenario) -> None:
        """Run one user of each class. Raises PlanError and PreflightError."""
        who = f"{self._who}, scenario '{scenario.name}'"
        longest_s = PATIENCE * self._plan.collapse_s
        trial = LocustTrial(
            scenario, self._server.url, self._plan.seed, longest_s, self._generator_cores
        )
        try:
            with contextlib.closing(trial.requests()) as requests:
                for request, response in requests:
                    self._check_duration(f"{who}: {request.label}", request.took_s)
                    # The label may hold a value that changes at every start: it is no key.
                    where = f"scenario '{scenario.name}': {request.place}"
                    self._keep(where, response, f"{response.status} {request.label}")
        except TrialFailedError as error:
            raise PreflightError(
                f"{who}: the locustfile: {error}; the server's last output:"
                f" {self._server.child.last_output()}"
            ) from None
        if trial.not_run:
            tasks = ", ".join(trial.not_run)
            self._unobserved["bytes"] = f"those of tasks that a trial did not reach: {tasks}"

    def _keep(self, where: str, response: Response, status: str) -> None:
        """Keep the facts about a response, and about the work of the server for it."""
        facts: dict[Aspect, str] = {
            "status": status,
            "bytes": _body_text(response.body),
            "headers": "\n".join(header_lines(response.headers, response.body)),
        }
        if work := self._work(where):
            before = self._upstream_requests
            self._upstream_requests = self._upstream.answered(self._plan.ready_s)
            lines = (f"{sql}\n    with {parameters}" for sql, parameters in work.statements)
            facts |= {
                "SQL": "\n".join(lines),
                "commits": f"{work.commits} commits, {work.rollbacks} rollbacks",
                "upstream requests": f"{self._upstream_requests - before} upstream requests",
                "files": self._file_changes(),
            }
        self._requests += 1
        self._facts |= {Key(where, aspect): text for aspect, text in facts.items()}

    def _exchange(self, sending: _Sending, *, is_repeat: bool) -> Response:
        """Send a request and return its response. Raises PreflightError.

        A repeat may be answered with another status than the plan expects (a name exists by
        then), if all targets respond alike.
        """
        request, what = sending.request, f"{self._who}, {sending.label}"
        collapse_s, is_load = self._plan.collapse_s, isinstance(request, Request)
        timeout_s = PATIENCE * collapse_s if is_load else self._plan.ready_s
        began = time.monotonic()
        try:
            response = exchange(sending.payload, HOST, self._server.port, timeout_s)
        except EndlessError as error:
            limit = "collapse_s" if is_load else "ready_s"
            longer = f" sooner, set a longer {limit}," * error.timed_out
            raise PreflightError(
                f"{what} was answered with {error}: end it{longer} or leave this request out of"
                " the plan"
            ) from None
        except ExchangeError as error:
            raise self._unexpected(what, request, str(error)) from None
        took_s = time.monotonic() - began
        if response.status != request.expect and not is_repeat:
            raise self._unexpected(what, request, str(response.status))
        if is_load:
            self._check_duration(what, took_s)
        return response

    def _check_duration(self, what: str, took_s: float) -> None:
        """Raise PreflightError if a response took so long that it would look like a collapse."""
        collapse_s = self._plan.collapse_s
        if took_s > MAX_SHARE_OF_COLLAPSE * collapse_s:
            raise PreflightError(
                f"{what} took {took_s:.1f} s, too near to collapse_s = {collapse_s:g}:"
                f" set collapse_s = {2 * took_s / MAX_SHARE_OF_COLLAPSE:.0f} in the plan"
            )

    def _unexpected(self, what: str, request: BaseRequest, received: str) -> PreflightError:
        return PreflightError(
            f"{what} was answered with {received}, the plan expects {request.expect};"
            f" the server's last output: {self._server.child.last_output()}"
        )

    def _work(self, after: str) -> Work | None:
        """Return the server's work since the last call, None if it cannot be observed."""
        if not self._server.has_control:
            return None
        if work := self._server.work(self._plan.ready_s):
            return work
        try:
            self._server.child.exit_reason(EXIT_S)
            self._server.check_alive()
        except ServerFailedError as error:
            raise PreflightError(f"{self._who}, {after}: {error}") from None
        raise PreflightError(
            f"{self._who} was still busy {self._plan.ready_s:g} s (ready_s) after {after}, so that"
            " its work cannot be compared; end that work sooner or set a longer ready_s"
        )

    def _file_changes(self) -> str:
        before, self._files = self._files, read_files(self._server.folder)
        return file_changes(before, self._files)

    def _with_limits(self, work: Work) -> Work:
        """Return `work` with the databases to compare, and with what cannot be observed."""
        own = [file for file in work.opened_databases if not self._foreign_folders([file])]
        databases = list(dict.fromkeys([*work.sqlite_files, *own]))
        unobserved = dict(work.unobserved)
        upstream = f"{HOST}:{self._upstream.port}"
        addresses = {*work.connections, *self._server.connected_to()} - {upstream}
        if addresses:
            names = ", ".join(sorted(addresses))
            unobserved["upstream requests"] = f"those to {names} are not counted"
        opened: dict[Aspect, Iterable[str]] = {
            "files": work.written_files,
            "final database": set(work.opened_databases).difference(databases),
        }
        for aspect, paths in opened.items():
            if folders := self._foreign_folders(paths):
                unobserved[aspect] = f"those outside {{scratch}}, in {', '.join(folders)}"
        return work.model_copy(update={"sqlite_files": databases, "unobserved": unobserved})

    def _foreign_folders(self, paths: Iterable[str]) -> list[str]:
        """Return the folders of those `paths` that are outside the server's scratch folder."""
        own = self._server.folder.resolve()
        folders = (Path(path).resolve().parent for path in paths)
        return sorted({str(folder) for folder in folders if not folder.is_relative_to(own)})

    def _api_description(self) -> dict[Key, str]:
        # Requested last: a server that never ends a response is refused at a request of the plan.
        payload = render(Request(path=OPENAPI_PATH), HOST, self._rng).whole
        try:
            response = exchange(payload, HOST, self._server.port, self._plan.ready_s)
        except ExchangeError:
            return {}
        # An app may serve one page for every path.
        if response.status == OK and b'"openapi":' in response.body:
            return {Key(OPENAPI_PATH, "OpenAPI"): response.body.decode(errors="replace")}
        return {}


def header_lines(headers: Sequence[tuple[str, str]], body: bytes = b"") -> list[str]:
    """Return the lines that are compared of `headers`, ordered by name.

    Lists without order are sorted, in whatever number of lines they are sent. A length that is
    that of the `body` is not shown.
    """
    sets: dict[str, set[str]] = {}
    named: list[tuple[str, str]] = []
    for name, value in ((name.lower(), value) for name, value in headers):
        if name in METHOD_LISTS | HEADER_LISTS:
            members = value.lower() if name in HEADER_LISTS else value
            sets.setdefault(name, set()).update(part.strip() for part in members.split(","))
        elif (name, value) == ("content-length", str(len(body))):
            named.append((name, "that of the bytes"))
        elif name not in IGNORED_HEADERS:
            named.append((name, value))
    named += [(name, ", ".join(sorted(members))) for name, members in sets.items()]
    return [f"{name}: {value}" for name, value in sorted(named, key=lambda header: header[0])]


def _sending(scenario: Scenario, request: BaseRequest, payload: bytes, place: str) -> _Sending:
    return _Sending(request, payload, f"scenario '{scenario.name}': {request.label}", place)


def _body_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"<{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}>"
