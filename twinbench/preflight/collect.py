"""One target, started fresh and sent every request: what it answered, and what it did."""

import hashlib
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from twinbench.exchange import EndlessError, ExchangeError, Response, capture, exchange
from twinbench.measure.control import Work
from twinbench.measure.rig import Rig
from twinbench.measure.server import HOST, Server, ServerFailedError
from twinbench.plan import (
    Aspect,
    BaseRequest,
    Plan,
    PlanError,
    Request,
    Scenario,
    SetupRequest,
    Target,
    render,
)
from twinbench.preflight.database import DatabaseError, contents
from twinbench.preflight.facts import Key, Seen
from twinbench.preflight.files import Files

# The answer to one request, alone, must come within this share of collapse_s: otherwise an
# honest but slow server would be taken for a collapsed one.
SLOWEST_SHARE = 0.5
# A request that holds a range is not one request: a lookup that fails, the first and the last
# row, a page without a successor are different work. Three of them are a sample, no proof.
DRAWS = 3
# When it was answered, which is not what it did.
UNLIKE_HEADERS = {"date"}
# Lists whose order means nothing (RFC 9110 for the first two, the Fetch standard): frameworks keep
# them in sets, whose order changes with Python's hash seed. Names of headers are not
# case-sensitive, names of methods are.
LISTS_OF_METHODS = {"allow", "access-control-allow-methods"}
LISTS_OF_HEADERS = {"vary", "access-control-allow-headers", "access-control-expose-headers"}
# Where FastAPI describes the API, unless it is told otherwise.
DESCRIPTION = "/openapi.json"
OK = 200
# A server that does not answer because it is ending has ended by then.
ENDS_S = 5.0
AT_THE_START, AT_THE_END = "at its start", "after the last request"
# Each request is sent so often, and once more after all others: an answer that is remembered
# needs no SQL the second time.
TIMES = ("", ", again")


class PreflightError(Exception):
    """Why nothing was measured: one sentence, and a diff where there is one."""


def collect(plan: Plan, plan_file: str, scenarios: Sequence[Scenario], name: str, rig: Rig) -> Seen:
    """All that is seen of target `name` when it is sent the requests of `scenarios`.

    Raises PlanError where the plan names what is not there, PreflightError where the target does
    not start or does not answer as the plan expects.
    """
    target = plan.target(name)
    where = f"{plan_file}: targets[{plan.targets.index(target)}]"
    try:
        server = rig.start(target, observe=True)
    except ServerFailedError as error:
        if error.app_not_found:
            raise PlanError(f"{where}.app = '{target.app}': {error}") from None
        raise PreflightError(f"{where}: {error}") from None
    try:
        return _Visit(plan, f"{where}: '{name}'", target, server, rig.upstream).all_of(scenarios)
    except DatabaseError as error:
        raise PreflightError(f"{where}: '{name}': {error}") from None
    finally:
        server.stop(at_once=True)


class _Sent(NamedTuple):
    """A request as it is sent, and what errors call it."""

    request: BaseRequest
    payload: bytes
    what: str
    place: str


class _Visit:
    """One server from its start to its last request."""

    def __init__(
        self, plan: Plan, who: str, target: Target, server: Server, upstream: Server
    ) -> None:
        self._plan, self._who, self._target, self._server = plan, who, target, server
        self._upstream, self._upstream_answered = upstream, 0
        self._files = Files(server.folder)
        self._sent: list[_Sent] = []
        # Every target draws the same.
        self._rng = random.Random(plan.seed)
        self._facts: dict[Key, str] = {}
        self._requests = 0
        self._captures: dict[str, str] = {}
        self._prepared: list[tuple[list[SetupRequest], dict[str, str]]] = []

    def all_of(self, scenarios: Sequence[Scenario]) -> Seen:
        # What it did to start is not compared; what that left is in files and final database.
        if work := self._work("its start"):
            self._facts[Key(AT_THE_START, "files")] = self._files.changes()
            self._upstream_answered = self._upstream.answered(self._plan.ready_s)
        for scenario in scenarios:
            work = self._prepare(scenario) or work
            for number, request in enumerate(scenario.requests):
                work = self._send(scenario, request, f"requests[{number}]")
        for sent in self._sent:
            work = self._send_payload(sent, ", after the others")
        if work:
            files = self._databases(work)
            self._facts[Key(AT_THE_END, "final database")] = contents(files)
            limit = f"limit_concurrency: {self._target.limit_concurrency}"
            conditions = [f"{name}: {value}" for name, value in work.conditions.items()]
            settings = "\n".join([*conditions, limit, *work.settings])
            self._facts[Key(AT_THE_END, "settings")] = settings
        return Seen(
            self._target.name,
            self._requests,
            self._description() | self._facts,
            blind="" if work else _why_blind(self._target),
            uses_sql=bool(work and work.observed),
            styles=tuple(work.styles) if work else (),
            files=len(files) if work else 0,
            others=tuple(work.others) if work else (),
            partly=self._partly(work) if work else {},
            conditions=work.conditions if work else {},
            env=self._target.env,
            options=_options(self._target),
            unseen=work.unseen if work else {},
        )

    def _databases(self, work: Work) -> list[str]:
        """The SQLite files to compare: those used through SQLAlchemy, and others of this server."""
        others = (file for file in work.databases if not self._outside([file]))
        return list(dict.fromkeys([*work.files, *others]))

    def _partly(self, work: Work) -> dict[Aspect, str]:
        """In what more was done than was seen, and what."""
        unread = set(work.databases).difference(self._databases(work))
        found = dict(work.partly)
        if addresses := self._connected_to(work):
            found["upstream requests"] = f"those to {', '.join(addresses)} are not counted"
        opened: dict[Aspect, Iterable[str]] = {"files": work.written, "final database": unread}
        for aspect, paths in opened.items():
            if folders := self._outside(paths):
                found[aspect] = f"those outside {{scratch}}, in {', '.join(folders)}"
        return found

    def _connected_to(self, work: Work) -> list[str]:
        """The addresses that the server has connected to, the upstream API's apart."""
        open_ones = self._server.connected_to()
        own = f"{HOST}:{self._upstream.port}"
        return sorted({*work.connected, *open_ones} - {own})

    def _outside(self, paths: Iterable[str]) -> list[str]:
        """The folders of the files `paths` outside the folder that was made for them."""
        own = self._server.folder.resolve()
        folders = (Path(path).resolve().parent for path in paths)
        return sorted({str(folder) for folder in folders if not folder.is_relative_to(own)})

    def _description(self) -> dict[Key, str]:
        """What the app says of its own API, if it does. Asked last: a server that answers every
        path without end is refused at a request of the plan."""
        get = render(Request(path=DESCRIPTION), HOST, self._rng).whole
        try:
            answer = exchange(get, HOST, self._server.port, self._plan.ready_s)
        except ExchangeError:
            return {}
        if answer.status == OK and b'"openapi":' in answer.body:  # and not a page for every path
            return {Key(DESCRIPTION, "OpenAPI"): answer.body.decode(errors="replace")}
        return {}

    def _prepare(self, scenario: Scenario) -> Work | None:
        """Send what comes before; what another scenario has sent already (register, log in) is
        not sent twice, as no server is when it is measured."""
        for before, captures in self._prepared:
            if before == scenario.setup:
                self._captures = captures
                return None
        work, self._captures = None, {}
        for number, request in enumerate(scenario.setup):
            work = self._send(scenario, request, f"before[{number}]")
        self._prepared.append((scenario.setup, self._captures))
        return work

    def _send(self, scenario: Scenario, request: BaseRequest, place: str) -> Work | None:
        """Send `request`, in different draws if it has a range; what the server did last."""
        what = f"scenario '{scenario.name}': {request.label}"
        for draw, payload in enumerate(self._payloads(request), 1):
            number = f", draw {draw}" if request.has_range else ""
            sent = _Sent(request, payload, what, f"{place}{number}")
            if isinstance(request, SetupRequest):
                return self._send_payload(sent)
            self._sent.append(sent)
            for time_sent in TIMES:
                work = self._send_payload(sent, time_sent)
        return work

    def _send_payload(self, sent: _Sent, time_sent: str = "") -> Work | None:
        """Send it, and keep what came of it. What is sent again (a name that is taken by then)
        may be answered with another status than the plan expects, if all targets answer alike."""
        answer = self._exchange(sent, again=bool(time_sent))
        if isinstance(sent.request, SetupRequest):
            self._captures |= self._values(sent.request, answer)
        where = f"{sent.what} ({sent.place}{time_sent})"
        work = self._work(where)
        self._keep(where, answer, work)
        return work

    def _payloads(self, request: BaseRequest) -> list[bytes]:
        """Different draws; fewer where the range has fewer, one of what is sent once."""
        drawn: dict[bytes, None] = {}
        for _ in range(DRAWS if request.has_range and isinstance(request, Request) else 1):
            # Not with the port of this server, which an app may write into its links.
            drawn[render(request, HOST, self._rng, self._captures).whole] = None
        return list(drawn)

    def _exchange(self, sent: _Sent, *, again: bool) -> Response:
        request, what = sent.request, f"{self._who}, {sent.what}"
        collapse_s, under_load = self._plan.collapse_s, isinstance(request, Request)
        patience_s = 5 * collapse_s if under_load else self._plan.ready_s
        began = time.monotonic()
        try:
            answer = exchange(sent.payload, HOST, self._server.port, patience_s)
            said: int | str = request.expect if again else answer.status
        except EndlessError as error:
            limit = "collapse_s" if under_load else "ready_s"
            longer = f" sooner, set a longer {limit}," * error.timed_out
            raise PreflightError(
                f"{what} was answered with {error}: end it{longer} or leave this request out of"
                " the plan"
            ) from None
        except ExchangeError as error:
            said = str(error)
        took_s = time.monotonic() - began
        if said != request.expect:
            raise PreflightError(
                f"{what} was answered with {said}, the plan expects {request.expect};"
                f" the server's last output: {self._server.child.last_output()}"
            )
        if under_load and took_s > SLOWEST_SHARE * collapse_s:
            raise PreflightError(
                f"{what} took {took_s:.1f} s, too near to collapse_s = {collapse_s:g}:"
                f" set collapse_s = {2 * took_s / SLOWEST_SHARE:.0f} in the plan"
            )
        return answer

    def _values(self, request: SetupRequest, answer: Response) -> dict[str, str]:
        try:
            return dict(capture(request, answer))
        except ExchangeError as error:
            raise PreflightError(f"{self._who}, {error}") from None

    def _work(self, after: str) -> Work | None:
        """What the server did; None if it is not one that can be asked."""
        if not self._server.has_control:
            return None
        if work := self._server.work(self._plan.ready_s):
            return work
        try:
            self._server.child.exit_reason(ENDS_S)
            self._server.check_alive()
        except ServerFailedError as error:
            raise PreflightError(f"{self._who}, {after}: {error}") from None
        raise PreflightError(
            f"{self._who} was still busy {self._plan.ready_s:g} s (ready_s) after {after}:"
            " what it does cannot be compared; end its work sooner or set a longer ready_s"
        )

    def _keep(self, where: str, answer: Response, work: Work | None) -> None:
        self._requests += 1
        self._facts[Key(where, "status")] = str(answer.status)
        self._facts[Key(where, "bytes")] = _text_of(answer.body)
        self._facts[Key(where, "headers")] = "\n".join(header_lines(answer.headers, answer.body))
        if work:
            lines = (f"{sql}\n    with {parameters}" for sql, parameters in work.statements)
            self._facts[Key(where, "SQL")] = "\n".join(lines)
            ended = f"{work.commits} commits, {work.rollbacks} rollbacks"
            self._facts[Key(where, "commits")] = ended
            before, self._upstream_answered = (
                self._upstream_answered,
                self._upstream.answered(self._plan.ready_s),
            )
            asked = self._upstream_answered - before
            self._facts[Key(where, "upstream requests")] = f"{asked} upstream requests"
            self._facts[Key(where, "files")] = self._files.changes()


def header_lines(headers: Sequence[tuple[str, str]], body: bytes = b"") -> list[str]:
    """Return what is compared of `headers`, ordered by their names; lists without order as sets,
    be they in one line or in several. A length is that of the `body`, or it is shown."""
    sets: dict[str, set[str]] = {}
    named: list[tuple[str, str]] = []
    for name, value in ((name.lower(), value) for name, value in headers):
        if name in LISTS_OF_METHODS | LISTS_OF_HEADERS:
            members = value.lower() if name in LISTS_OF_HEADERS else value
            sets.setdefault(name, set()).update(part.strip() for part in members.split(","))
        elif (name, value) == ("content-length", str(len(body))):
            named.append((name, "that of the bytes"))
        elif name not in UNLIKE_HEADERS:
            named.append((name, value))
    named += [(name, ", ".join(sorted(members))) for name, members in sets.items()]
    return [f"{name}: {value}" for name, value in sorted(named, key=lambda header: header[0])]


def _text_of(body: bytes) -> str:
    """A body as text; what is no text by its size and digest."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"<{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}>"


def _options(target: Target) -> dict[str, int | None]:
    if target.command:
        return {}
    return {"workers": target.workers, "limit_concurrency": target.limit_concurrency}


def _why_blind(target: Target) -> str:
    if target.command:
        return f"'{target.name}' is a command, which cannot be asked"
    return f"'{target.name}' has {target.workers} workers, which cannot be asked"
