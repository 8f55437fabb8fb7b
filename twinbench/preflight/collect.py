"""Observation of one target: started, sent every request, and all facts collected."""

import contextlib
import hashlib
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from twinbench.exchange import EndlessError, ExchangeError, Response, capture, exchange
from twinbench.measure.control import Work
from twinbench.measure.postgres import uses_postgres
from twinbench.measure.rig import Rig
from twinbench.measure.server import Server, ServerFailedError
from twinbench.plan import (
    Aspect,
    BaseRequest,
    Captures,
    Plan,
    Request,
    Scenario,
    SetupRequest,
    Target,
    render,
    rows_of_users,
)
from twinbench.preflight.database import (
    DatabaseError,
    contents,
    file_changes,
    postgres_contents,
    read_files,
)
from twinbench.preflight.findings import Problem
from twinbench.preflight.locustfile import LocustTrial, TrialFailedError

# A single response must take less than this share of collapse_s: otherwise a server that is slow
# would count as collapsed.
MAX_SHARE_OF_COLLAPSE = 0.5
# A response that takes longer than this many collapse_s is not waited for.
PATIENCE = 5
# A request with a range is several: a lookup that fails, the first row and the last, a page
# without a successor are different work. Three of them are a sample, no proof.
DRAWS = 3
# Users of which the setup is sent, if it is sent for each: two show whether their values differ.
USERS = 2
# Each request is sent twice, and once more after all others: a cached response needs no SQL.
REPEATS, LAST_REPEAT = ("", ", again"), ", after the others"
IGNORED_HEADERS = {"date"}
OF_THE_BYTES = "that of the bytes"  # a Content-Length that is right
# Lists whose order means nothing (RFC 9110 and the Fetch standard): frameworks hold them in sets,
# whose order changes with Python's hash seed. Only names of headers ignore case.
METHOD_LISTS = {"allow", "access-control-allow-methods"}
HEADER_LISTS = {"vary", "access-control-allow-headers", "access-control-expose-headers"}
OPENAPI_PATH = "/openapi.json"  # FastAPI's default
OK = 200
EXIT_S = 5.0  # a server that does not respond because it exits has exited by then
AT_START, AT_END = "at its start", "after the last request"


class Key(NamedTuple):
    """Place and aspect of a fact, and the scenario whose request it is of, if it is of one."""

    where: str
    aspect: Aspect
    scenario: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """Facts about one start of a target, in the order of time, each a text.

    `work` is the last one, whose lists cover the time since the start, with every reason why an
    aspect was not completely observed; None if the server cannot be observed. With `problems` there
    are only the facts of requests that were answered as the plan expects; none, if one had no
    answer. `setup_s`: the mean time of the setup requests that are sent for each user.
    `unobserved`: further reasons, of responses.
    """

    target: Target
    requests: int
    facts: Mapping[Key, str]
    work: Work | None
    problems: tuple[Problem, ...] = ()
    setup_s: float = 0.0
    unobserved: Mapping[Aspect, str] = field(default_factory=dict)


class _EndedError(Exception):
    """Problem after which nothing more can be observed of a target."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.sentence)
        self.problem = problem


class _Sending(NamedTuple):
    """Request as it is sent, and how errors name it."""

    request: BaseRequest
    payload: bytes
    label: str
    place: str
    scenario: str


def collect(
    plan: Plan,
    labels: Mapping[str, str],
    scenarios: Sequence[Scenario],
    names: Sequence[str],
    rig: Rig,
) -> list[Observation]:
    """Start targets `names` at once, send the requests of `scenarios` to each, and observe it.

    A target that does not start, or does not respond as the plan expects, has problems, which name
    it by its label.
    """
    targets = [plan.target(name) for name in names]
    with rig.running(targets, observe=True) as started:
        found = [
            _observe(plan, labels[target.name], scenarios, server, rig)
            if isinstance(server, Server)
            else Observation(target, 0, {}, None, (_not_started(target, labels, server),))
            for target, server in zip(targets, started, strict=True)
        ]
    rig.setup_s = max([rig.setup_s, *(each.setup_s for each in found)])
    return found


def _not_started(target: Target, labels: Mapping[str, str], error: ServerFailedError) -> Problem:
    what = str(error).removeprefix(f"'{target.name}' ")  # which the label holds
    app = f" (app = '{target.app}')" * error.app_not_found
    return Problem(f"{labels[target.name]}{app}", what, is_plan_error=error.app_not_found)


def _observe(
    plan: Plan, who: str, scenarios: Sequence[Scenario], server: Server, rig: Rig
) -> Observation:
    return _Collector(plan, who, server, rig).collect(scenarios)


class _Collector:
    """Sends requests to one server, and collects the facts."""

    def __init__(self, plan: Plan, who: str, server: Server, rig: Rig) -> None:
        self._plan, self._who, self._server, self._services = plan, who, server, rig.services
        self._databases = rig.databases
        self._generator_cores = rig.cores.generator
        self._unobserved: dict[Aspect, str] = {}
        self._rng = random.Random(plan.seed)  # the same draws for every target
        self._facts: dict[Key, str] = {}
        self._requests = 0
        self._problems: list[Problem] = []
        # By setup and feed: the values of users; None where a setup request has a problem.
        self._users: list[tuple[object, list[Captures] | None]] = []
        self._files: dict[Path, str] = {}
        self._upstream_requests = 0
        self._setup_s: list[float] = []

    def collect(self, scenarios: Sequence[Scenario]) -> Observation:
        work, facts = None, {}
        try:
            work = self._collect(scenarios)
            facts = self._facts
        except _EndedError as error:
            self._problems.append(error.problem)
        except DatabaseError as error:
            self._problems.append(Problem(f"{self._who},", str(error)))
        problems = tuple(self._problems)
        setup_s = fmean(self._setup_s) if self._setup_s else 0.0
        # As the plan has it: that of the server has the addresses of services.
        target = self._plan.target(self._server.target.name)
        return Observation(target, self._requests, facts, work, problems, setup_s, self._unobserved)

    def _collect(self, scenarios: Sequence[Scenario]) -> Work | None:
        """Collect all facts, and return the last work. Raises _EndedError, DatabaseError."""
        # Work of the start is compared by what it leaves in files and databases.
        if self._work("its start"):
            self._facts[Key(AT_START, "files")] = self._file_changes()
            self._upstream_requests = self._services.answered(self._plan.ready_s)
        for sending in [each for scenario in scenarios for each in self._send_all(scenario)]:
            self._send(sending, LAST_REPEAT)
        if work := self._work("the last request"):
            work = self._with_limits(work)
            if not self._problems:  # the facts would lack what other requests did and used
                self._facts |= self._facts_at_end(work)
        self._facts = self._api_description() | self._facts
        return work

    def _facts_at_end(self, work: Work) -> dict[Key, str]:
        limit = f"limit_concurrency: {self._server.target.limit_concurrency}"
        conditions = (f"{name}: {value}" for name, value in work.conditions.items())
        return {
            Key(AT_END, "final database"): self._databases_at_end(work),
            Key(AT_END, "settings"): "\n".join([*conditions, limit, *work.settings]),
        }

    def _databases_at_end(self, work: Work) -> str:
        target = self._server.target
        if not uses_postgres(self._plan.target(target.name)):
            return contents(work.sqlite_files)
        with self._databases.connection(target) as connection:
            return contents(work.sqlite_files) + postgres_contents(connection)

    def _send_all(self, scenario: Scenario) -> Iterator[_Sending]:
        """Send the requests of `scenario`, and yield those that are to be sent once more.

        A draw that is not answered as the plan expects is not repeated.
        """
        if scenario.locustfile:
            self._run_locustfile(scenario)
            return
        users = self._send_setup(scenario)
        if users is None:
            return
        draws = [self._draws(scenario, number, users) for number in range(len(scenario.requests))]
        # A sequence as a whole: its requests may need what earlier ones have done.
        each = [(sending,) for sendings in draws for sending in sendings]
        for group in zip(*draws, strict=True) if scenario.sequence else each:
            if all(self._send(sending, repeat) for repeat in REPEATS for sending in group):
                yield from group

    def _draws(self, scenario: Scenario, number: int, users: Sequence[Captures]) -> list[_Sending]:
        """Return different draws of a request, for `users` in turn; of a sequence, equally many.

        Fewer where its range has fewer.
        """
        request, of = scenario.requests[number], scenario.requests
        has_range = any(r.has_range for r in of) if scenario.sequence else request.has_range
        count = max(DRAWS if has_range else 1, len(users))
        payloads = [self._payload(request, users[draw % len(users)]) for draw in range(count)]
        if not scenario.sequence:
            payloads = list(dict.fromkeys(payloads))
        is_drawn = request.has_range or len(payloads) > 1
        return [
            _sending(scenario, request, payload, f"requests[{number}]" + f", draw {n}" * is_drawn)
            for n, payload in enumerate(payloads, 1)
        ]

    def _send_setup(self, scenario: Scenario) -> list[Captures] | None:
        """Send the setup requests, unless an earlier scenario has the same; return users' values.

        A server that is measured is sent them once, too; for each user, if they are per user. None
        if one of them has a problem: the requests of the scenario would have others.
        """
        key = scenario.setup, scenario.feed
        for sent, users in self._users:
            if sent == key:
                return users
        users = self._sent_setup(scenario)
        self._users.append((key, users))
        return users

    def _sent_setup(self, scenario: Scenario) -> list[Captures] | None:
        server: dict[str, str] = {}
        own = rows_of_users(scenario.feed, USERS if scenario.feed or scenario.identities else 1)
        for number, request in enumerate(scenario.setup):
            per_user = request.per == "user"
            for user, values in enumerate(own if per_user else [server], 1):
                payload = self._payload(request, server | values)
                sending = _sending(scenario, request, payload, f"setup[{number}]")
                label = sending.label + f" of user {user}" * per_user
                response = self._send(sending._replace(label=label))
                if response is None:
                    return None
                try:
                    values.update(capture(request, response))
                except ExchangeError as error:
                    self._problems.append(Problem(f"{self._who},", str(error)))
                    return None
        return [server | values for values in own]

    def _payload(self, request: BaseRequest, values: Captures) -> bytes:
        # Without the port of this server, which an app may write into its links.
        request = request.with_vars(self._server.target.vars)
        return render(request, self._server.host, self._rng, values).whole

    def _send(self, sending: _Sending, repeat: str = "") -> Response | None:
        """Send a request, collect its facts, and return the response.

        None if it is not as the plan expects. Raises _EndedError.
        """
        response, as_expected = self._exchange(sending, is_repeat=bool(repeat))
        where = f"{sending.label} ({sending.place}{repeat})"
        facts = self._facts_of(where, sending.scenario, response, str(response.status))
        if not as_expected:
            return None
        self._facts |= facts
        return response

    def _run_locustfile(self, scenario: Scenario) -> None:
        """Run one user of each class. Raises PlanError."""
        place = f"scenario '{scenario.name}'"
        longest_s = PATIENCE * self._plan.collapse_s
        trial = LocustTrial(
            scenario, self._server.url, self._plan.seed, longest_s, self._generator_cores
        )
        try:
            with contextlib.closing(trial.requests()) as requests:
                for request, response in requests:
                    self._check_duration(f"{place}: {request.label}", request.took_s)
                    # The label may hold a value that changes at every start: it is no key.
                    where = f"{place}: {request.place}"
                    status = f"{response.status} {request.label}"
                    self._facts |= self._facts_of(where, scenario.name, response, status)
        except TrialFailedError as error:
            output = f"; the server's last output: {self._server.last_output()}"
            self._problems.append(
                Problem(self._who, f"the locustfile: {error}", f"{place}:", output)
            )
        if trial.not_run:
            tasks = ", ".join(trial.not_run)
            self._unobserved["bytes"] = f"those of tasks that a trial did not reach: {tasks}"

    def _facts_of(
        self, where: str, scenario: str, response: Response, status: str
    ) -> dict[Key, str]:
        """Return the facts about a response, and about the work of the server for it."""
        facts: dict[Aspect, str] = {
            "status": status,
            "bytes": _body_text(response.body),
            "headers": "\n".join(header_lines(response.headers, response.body)),
        }
        if work := self._work(where):
            before = self._upstream_requests
            self._upstream_requests = self._services.answered(self._plan.ready_s)
            lines = (f"{sql}\n    with {parameters}" for sql, parameters in work.statements)
            facts |= {
                "SQL": "\n".join(lines),
                "commits": f"{work.commits} commits, {work.rollbacks} rollbacks",
                "upstream requests": f"{self._upstream_requests - before} upstream requests",
                "files": self._file_changes(),
            }
        self._requests += 1
        return {Key(where, aspect, scenario): text for aspect, text in facts.items()}

    def _exchange(self, sending: _Sending, *, is_repeat: bool) -> tuple[Response, bool]:
        """Send a request; return its response, and whether it is as the plan expects.

        A repeat may be answered with another status than the plan expects (a name exists by
        then), if all targets respond alike. Raises _EndedError if there is no response.
        """
        request, place = sending.request, sending.label
        collapse_s, is_load = self._plan.collapse_s, isinstance(request, Request)
        timeout_s = PATIENCE * collapse_s if is_load else self._plan.ready_s
        began = time.monotonic()
        try:
            response = exchange(sending.payload, self._server.address, self._server.port, timeout_s)
        except EndlessError as error:
            limit = "collapse_s" if is_load else "ready_s"
            longer = f" sooner, set a longer {limit}," * error.timed_out
            what = (
                f"was answered with {error}: end it{longer} or leave this request out of the plan"
            )
            raise _EndedError(Problem(self._who, what, place)) from None
        except ExchangeError as error:
            raise _EndedError(self._unexpected(request, str(error), place)) from None
        took_s = time.monotonic() - began
        if isinstance(request, SetupRequest) and request.per == "user":
            self._setup_s.append(took_s)
        if response.status != request.expect and not is_repeat:
            self._problems.append(self._unexpected(request, str(response.status), place))
            return response, False
        if is_load:
            self._check_duration(place, took_s)
        return response, True

    def _check_duration(self, place: str, took_s: float) -> None:
        """Note a problem if a response took so long that it would look like a collapse."""
        collapse_s = self._plan.collapse_s
        known = any(problem.place == place for problem in self._problems)
        if took_s > MAX_SHARE_OF_COLLAPSE * collapse_s and not known:
            what = (
                f"took {took_s:.1f} s, too near to collapse_s = {collapse_s:g}:"
                f" set collapse_s = {2 * took_s / MAX_SHARE_OF_COLLAPSE:.0f} in the plan"
            )
            self._problems.append(Problem(self._who, what, place))

    def _unexpected(self, request: BaseRequest, received: str, place: str) -> Problem:
        self._server.wait_for_output()
        return Problem(
            self._who,
            f"was answered with {received}, the plan expects {request.expect}",
            place,
            f"; the server's last output: {self._server.last_output()}",
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
            raise _EndedError(Problem(self._who, str(error), f"{after}:")) from None
        what = (
            f"was still busy {self._plan.ready_s:g} s (ready_s) after {after}, so that"
            " its work cannot be compared; end that work sooner or set a longer ready_s"
        )
        raise _EndedError(Problem(self._who, what))

    def _file_changes(self) -> str:
        before, self._files = self._files, read_files(self._server.folder)
        return file_changes(before, self._files)

    def _with_limits(self, work: Work) -> Work:
        """Return `work` with the databases to compare, and with what cannot be observed."""
        own = [file for file in work.opened_databases if not self._foreign_folders([file])]
        databases = list(dict.fromkeys([*work.sqlite_files, *own]))
        unobserved = dict(work.unobserved)
        uncounted, databases_at = self._services.uncounted, self._databases.places
        addresses = {
            each
            for each in {*work.connections, *self._server.connected_to()} - self._services.counted
            if not each.startswith(databases_at)
        }
        if elsewhere := [*uncounted.values(), *sorted(addresses - uncounted.keys())]:
            unobserved["upstream requests"] = f"those to {', '.join(elsewhere)} are not counted"
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
        server = self._server
        payload = render(Request(path=OPENAPI_PATH), server.host, self._rng).whole
        try:
            response = exchange(payload, server.address, server.port, self._plan.ready_s)
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
            named.append((name, OF_THE_BYTES))
        elif name not in IGNORED_HEADERS:
            named.append((name, value))
    named += [(name, ", ".join(sorted(members))) for name, members in sets.items()]
    return [f"{name}: {value}" for name, value in sorted(named, key=lambda header: header[0])]


def _sending(scenario: Scenario, request: BaseRequest, payload: bytes, place: str) -> _Sending:
    label = f"scenario '{scenario.name}': {request.label}"
    return _Sending(request, payload, label, place, scenario.name)


def _body_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"<{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}>"
