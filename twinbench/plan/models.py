"""Plans: targets, scenarios and loads, and the measurements (cells) they expand to."""

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from twinbench.plan.feed import Feed
from twinbench.plan.names import check_names
from twinbench.plan.requests import (
    PLACEHOLDER,
    Count,
    Request,
    SetupRequest,
    Status,
    Strict,
    SystemPath,
    SystemText,
    UrlPath,
    ValueName,
    VarValue,
    Whole,
)
from twinbench.plan.servers import (
    HTTP_SERVERS,
    Option,
    ServerName,
    check_server,
    options_of,
)
from twinbench.text import did_you_mean, duration, parse_duration, parse_percent

T = TypeVar("T")

Arrivals = Literal["poisson", "constant"]
LoadKind = Literal["closed", "open"]
Schedule = Literal["alternating", "sequential"]
# What the preflight compares of two targets.
Aspect = Literal[
    "OpenAPI",
    "status",
    "headers",
    "bytes",
    "SQL",
    "commits",
    "upstream requests",
    "files",
    "final database",
    "settings",
    "environment",
]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
# Those of a request; the others are of a target as a whole.
REQUEST_ASPECTS: tuple[Aspect, ...] = (
    *("status", "headers", "bytes", "SQL", "commits"),
    *("upstream requests", "files"),
)

OK = 200
# Keys of a scenario that a locustfile replaces.
NOT_WITH_LOCUSTFILE = {
    "requests": "its users send theirs",
    "setup": "its users prepare themselves in on_start",
    "open": "its users send at their own times; give closed loads",
    "arrivals": "it is for open loads",
    "in_flight": "it is for open loads",
}
MAX_USERS = 10_000  # a socket each; beyond it a Linux box runs out of ports on loopback
# Users that log in before open loads, whose arrivals take their values in turn: enough that a lock
# or a cache for each user is not always the same one.
OPEN_IDENTITIES = 100
MAX_RATE = 100_000  # arrivals a second; more than a generator of this kind sends on one core
MAX_CELLS = 100_000  # of 3.5 s each they take four days
MAX_ARRIVALS = 10_000_000  # of one measurement; prepared ahead, they take 0.4 GB
LEAST_S, MAX_S = 1e-3, 86_400.0  # the resolution of timers; a day
URL_FORM = "write it as http://HOST:PORT"
# Keys of a server that twinbench starts, and of those the ones of a server with an import string.
OF_STARTED = ("cwd", "python", "env", "workers", "limit_concurrency")
OF_APP = ("server", "server_options", "loop", "http")
CONTROL_FREE = r"^[^\x00-\x1f\x7f-\x9f]*$"
# In env, command and prepare of targets and services: the address of a service that runs.
SERVICE_ADDRESS = re.compile(r"\{services\.([^{}]*)\}")
SERVICE_PARTS = ("url", "host", "port")
# `ready` of a service: the port, if it names one (a free one: {port}), and the path.
READY = re.compile(r"(?:http://(?:127\.0\.0\.1|localhost):(\{port\}|\d{1,5}))?(/[!\"$-z|~]*)?")
MAX_PORT = 65_535


def _variable_name(name: str) -> str:
    if not name or "=" in name:
        raise ValueError("the name of a variable must not be empty or hold '='")
    return name


def _as_text(expected: str | Mapping[Aspect, str] | None) -> str:
    if isinstance(expected, Mapping):
        return "; ".join(f"{aspect}: {why}" for aspect, why in expected.items())
    return expected or ""


def _import_string(app: str) -> str:
    module, colon, attribute = app.partition(":")
    if not colon or not all(map(str.isidentifier, [*module.split("."), *attribute.split(".")])):
        raise ValueError("write it as module:attribute, such as shop.main:app")
    return app


def _server_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # such as a port of six digits
        raise ValueError(f"'{url}' is no URL; {URL_FORM}") from None
    if parts.scheme != "http" or not parts.hostname or port == 0 or "@" in parts.netloc:
        raise ValueError(URL_FORM)
    if ":" in parts.hostname:
        raise ValueError("an IPv6 address; give one that has an IPv4 address too")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"has a path, which belongs to the path of each request; {URL_FORM}")
    return f"http://{parts.netloc}"


def _option(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:  # one for each type that it might have
        raise ValueError("an option is a text, a number, true or a list of texts") from None


def _with_reasons(value: Any) -> Any:
    if value is None:
        return None
    reasons = list(value.values()) if isinstance(value, dict) else [value]
    for aspect in value if isinstance(value, dict) else ():
        if aspect not in ASPECTS:
            raise ValueError(f"unknown aspect '{aspect}'{did_you_mean(aspect, ASPECTS)}")
    if not reasons or not all(isinstance(why, str) and why.strip() for why in reasons):
        raise ValueError('give reasons: expected_differences = "..." or { bytes = "..." }')
    return value


# Limits that no real plan reaches: a value beyond them is a typing error, and would fill the memory
# or never end.
Seconds = Annotated[float, Field(strict=True, ge=LEAST_S, le=MAX_S)]
WarmUp = Annotated[float, Field(strict=True, ge=0, le=MAX_S)]
Milliseconds = Annotated[float, Field(strict=True, ge=1e3 * LEAST_S, le=1e3 * MAX_S)]
Users = Annotated[Count, Field(le=MAX_USERS)]
Rate = Annotated[Count, Field(le=MAX_RATE)]
Blocks = Annotated[Count, Field(le=10_000)]
Windows = Annotated[Count, Field(le=100)]  # a millisecond each of the default measure_s
Processes = Annotated[Count, Field(le=64)]  # more cores than one machine gives to one program
Connections = Annotated[Count, Field(le=1_000_000)]  # more than a system opens
Memory = Annotated[Count, Field(le=2**30)]  # a pebibyte, in MiB
Seed = Annotated[Whole, Field(ge=0, le=2**53 - 1)]  # the same number for every reader of JSON
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
Label = Annotated[str, StringConstraints(pattern=CONTROL_FREE, max_length=60)]
Note = Annotated[str, StringConstraints(pattern=CONTROL_FREE, max_length=120)]
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)]
ServerUrl = Annotated[SystemText, AfterValidator(_server_url)]
ImportString = Annotated[SystemText, AfterValidator(_import_string)]
# One reason for all aspects, or a reason for each.
ExpectedDifferences = Annotated[str | dict[Aspect, str] | None, BeforeValidator(_with_reasons)]
VariableName = Annotated[SystemText, AfterValidator(_variable_name)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
AtMost100 = Field(max_length=100)
AtMost1000 = Field(max_length=1000)
NotEmpty = Field(min_length=1)


class Target(Strict):
    """App under test: an import string, a command that serves on `{port}`, or a running server."""

    name: Name
    title: Label = Field(default="", description="shown in reports; left out: the name")
    note: Note = Field(default="", description="what a reader should know beside the title")
    app: ImportString | None = None
    command: Annotated[list[SystemText], NotEmpty] | None = None
    url: ServerUrl | None = Field(
        default=None, description="of a server that runs already: it is neither started nor ended"
    )
    pid: Count | None = Field(
        default=None, description="of a running server: its process, for telemetry from outside"
    )
    server: ServerName | None = Field(
        default=None, description="that serves the app; left out: uvicorn"
    )
    server_options: dict[OptionName, Annotated[Option, WrapValidator(_option)]] = Field(
        default={},
        description="of uvicorn: arguments of uvicorn.Config; of others: options of their command"
        " line, without the dashes",
    )
    loop: SystemText | None = Field(default=None, description="the server's event loop")
    http: SystemText | None = Field(default=None, description="the server's HTTP implementation")
    cwd: SystemPath | None = Field(
        default=None,
        description="where it runs and is imported from; left out: it runs in a fresh, empty"
        " folder, and is imported from where twinbench was started",
    )
    python: SystemPath | None = Field(
        default=None,
        description="the interpreter of its environment, whose programs are found first by command"
        " and prepare",
    )
    env: dict[VariableName, SystemText] = Field(
        default={}, description="{scratch} in a value: a fresh folder for every server"
    )
    prepare: list[SystemText] = Field(
        default=[],
        description="a command that is run to its end before each fresh server, in its folder and"
        " environment, such as a migration of the database in {scratch}",
    )
    vars: dict[ValueName, VarValue] = Field(
        default={}, description="values of names in braces, in requests and setup of its scenarios"
    )
    ready: UrlPath | None = Field(
        default=None,
        description="a path that is requested until the response has `ready_status`; left out: any"
        " response to GET / will do, of an app with one worker its start",
    )
    ready_status: Status = OK
    workers: Processes = 1
    limit_concurrency: Connections | None = None
    backlog: Connections | None = Field(
        default=None,
        description="of a command or a running server: connections that may wait to be accepted;"
        " left out: 5",
    )
    telemetry: bool = Field(
        default=True,
        strict=True,
        description="sample event loop, threads and connections while it is measured",
    )
    expected_differences: ExpectedDifferences = Field(
        default=None,
        description="why it differs from the baseline: altogether, which is not compared then,"
        " or in the aspects that are named (settings: environment too)",
    )

    @model_validator(mode="after")
    def _starts_in_one_way(self) -> Self:
        given = [way for way in (self.app, self.command, self.url) if way is not None]
        if len(given) != 1:
            raise ValueError("give one of app, command and url")
        if self.ready_status != OK and not self.ready:
            raise ValueError("ready_status needs ready, the path that is requested")
        if self.backlog and self.app:
            raise ValueError("backlog is for a command or a url; that of an app is known")
        return self

    @model_validator(mode="after")
    def _keys_are_of_its_kind(self) -> Self:
        if self.pid and not self.url:
            raise ValueError("pid is for a url; that of other servers is known")
        of_others = (OF_STARTED if self.url else ()) + (() if self.app else OF_APP)
        for key in of_others:
            if getattr(self, key) != type(self).model_fields[key].default:
                kind = "an app" if key in OF_APP else "a server that twinbench starts"
                raise ValueError(f"{key} is for {kind}; leave it out")
        if self.server_name:
            check_server(self.server_name, self._chosen, self.server_options)
        if self.limit_concurrency and self.server_name not in ("", "uvicorn"):
            raise ValueError(f"limit_concurrency is of uvicorn; {self.server} has server_options")
        return self

    @field_validator("ready")
    @classmethod
    def _ready_is_a_path(cls, path: str | None) -> str | None:
        if path and PLACEHOLDER.search(path):
            raise ValueError("placeholders are not filled in here")
        return path

    @property
    def server_name(self) -> ServerName | Literal[""]:
        """The server that serves its app; empty if it has none."""
        return (self.server or "uvicorn") if self.app else ""

    @property
    def all_server_options(self) -> dict[str, Option]:
        """Options of its server, those of `loop` and `http` among them."""
        if not self.server_name:
            return {}
        return options_of(self.server_name, self._chosen, self.server_options)

    @property
    def known_backlog(self) -> int | None:
        """Connections that may wait to be accepted, as far as the plan says."""
        if not self.server_name:
            return self.backlog
        given = self.server_options.get("backlog")
        return given if isinstance(given, int) else HTTP_SERVERS[self.server_name].backlog

    @property
    def telemetry_from(self) -> Literal["inside", "outside", "none"]:
        """Where its telemetry is from: inside one process with uvicorn, or its process tree."""
        if self.url and not self.pid:
            return "none"
        inside = self.server_name == "uvicorn" and self.workers == 1 and self.telemetry
        return "inside" if inside else "outside"

    @property
    def _chosen(self) -> dict[str, str | None]:
        return {"loop": self.loop, "http": self.http}

    @property
    def expected_differences_text(self) -> str:
        """`expected_differences` as text; empty if none are declared."""
        return _as_text(self.expected_differences)


class Service(Strict):
    """Helper process that runs before the targets start and until the run ends."""

    name: Name
    app: ImportString | None = None
    command: Annotated[list[SystemText], NotEmpty] | None = Field(
        default=None, description="{port}, here or in env: a free port on which it listens"
    )
    cwd: SystemPath | None = Field(
        default=None, description="where it runs and is imported from; left out: as for a target"
    )
    python: SystemPath | None = Field(
        default=None, description="the interpreter of its environment"
    )
    env: dict[VariableName, SystemText] = Field(
        default={}, description="{scratch} in a value: a fresh folder"
    )
    ready: SystemText | None = Field(
        default=None,
        description="a path that is requested until the response has `ready_status`, or a URL for a"
        " command whose port is fixed; left out: a command must accept connections, an app start",
    )
    ready_status: Status = OK

    @model_validator(mode="after")
    def _starts_in_one_way(self) -> Self:
        if (self.app is None) == (self.command is None):
            raise ValueError("give either app or command")
        if self.ready_status != OK and not self.ready:
            raise ValueError("ready_status needs ready, the path that is requested")
        if self.app and self.fixed_port:
            raise ValueError("an app is served at a free port: give a path as ready")
        if self.ready and not self.has_address:
            raise ValueError(
                "its port is not known: write {port} in command or env, or ready ="
                ' "http://127.0.0.1:PORT/..." if it is fixed'
            )
        return self

    @field_validator("ready")
    @classmethod
    def _ready_is_a_path_or_url(cls, ready: str | None) -> str | None:
        if ready is not None and not (ready and READY.fullmatch(ready)):
            raise ValueError('write it as "/path" or "http://127.0.0.1:PORT/path"')
        if _port(ready) > MAX_PORT:
            raise ValueError(f"a port is at most {MAX_PORT}")
        return ready

    @property
    def fixed_port(self) -> int:
        """The port that `ready` names; 0 if a free one is chosen."""
        return _port(self.ready)

    @property
    def has_address(self) -> bool:
        """Whether it listens on a port that is known."""
        texts = [*(self.command or ()), *self.env.values()]
        return bool(self.app or self.fixed_port or any("{port}" in text for text in texts))

    def as_target(self) -> Target:
        """Return a target that is started in the same way."""
        found = READY.fullmatch(self.ready) if self.ready else None
        return Target(
            name=self.name,
            app=self.app,
            command=self.command,
            cwd=self.cwd,
            python=self.python,
            env=self.env,
            ready=(found[2] or "/") if found else None,
            ready_status=self.ready_status,
            telemetry=False,
        )


def _port(ready: str | None) -> int:
    found = READY.fullmatch(ready or "")
    return int(found[1]) if found and found[1] and found[1].isdigit() else 0


class Scenario(Strict):
    """Request mix, and the loads under which it is measured."""

    name: Name
    title: Label = Field(default="", description="shown in reports; left out: the name")
    group: Label = Field(default="", description="the heading above its row in reports")
    note: Note = Field(default="", description="what a reader should know beside the title")
    about: str = ""
    setup: Annotated[list[SetupRequest], AtMost1000] = Field(
        default=[], description="sent to each fresh server, before the load"
    )
    feed: Feed | None = Field(
        default=None, description="CSV file whose rows are values for each user, or each request"
    )
    # The load sends 4,096 prepared ones in turn: each of a thousand comes up a few times.
    requests: Annotated[list[Request], AtMost1000] = Field(
        default=[], description="left out only where a locustfile is given"
    )
    sequence: bool = Field(
        default=False, strict=True, description="send the requests in their order, not by weight"
    )
    locustfile: SystemPath | None = Field(
        default=None,
        description="a file of Locust whose users send the requests, instead of `requests`; closed"
        " loads only; relative to the TOML file in which it is written",
    )
    users: Annotated[list[Identifier], AtMost1000] = Field(
        default=[], description="user classes of the locustfile; left out: all"
    )
    expected_failures: Annotated[list[str], AtMost1000] = Field(
        default=[],
        description="requests of the locustfile that it counts as failed, and that count as right:"
        ' method and name, as in "GET /missing"',
    )
    closed: Annotated[list[Users], AtMost1000] = Field(
        default=[], description="users, each with one request in flight"
    )
    open: Annotated[list[Rate], AtMost1000] = Field(
        default=[],
        description="requests a second, sent whether or not earlier ones were answered",
    )
    arrivals: Arrivals = Field(default="poisson", description="how open loads are spread in time")
    in_flight: Users | None = Field(
        default=None,
        description="limit of open loads: further arrivals are dropped while it is reached; left"
        " out: as many as arrive in collapse_s",
    )
    measure_s: Seconds | None = Field(default=None, description="left out: the plan's")
    windows: Windows | None = Field(default=None, description="left out: the plan's")
    targets: list[str] = Field(default=[], description="left out: all of the plan's")
    expected_differences: ExpectedDifferences = Field(
        default=None,
        description="why its requests differ between targets: altogether, or in the aspects that"
        " are named",
    )

    @field_validator("expected_differences")
    @classmethod
    def _aspects_are_of_requests(cls, value: ExpectedDifferences) -> ExpectedDifferences:
        for aspect in value if isinstance(value, dict) else ():
            if aspect not in REQUEST_ASPECTS:
                raise ValueError(
                    f"'{aspect}' is of a target, not of requests: write it under [[targets]]"
                )
        return value

    @property
    def expected_differences_text(self) -> str:
        """`expected_differences` as text; empty if none are declared."""
        return _as_text(self.expected_differences)

    @model_validator(mode="after")
    def _has_one_source_of_requests(self) -> Self:
        if not self.locustfile:
            if not self.requests:
                raise ValueError("give requests, or a locustfile")
            for name in ("users", "expected_failures"):
                if getattr(self, name):
                    raise ValueError(f"{name} needs a locustfile")
            return self
        for name, why in NOT_WITH_LOCUSTFILE.items():
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"a scenario with a locustfile takes no {name}: {why}")
        return self

    @model_validator(mode="after")
    def _loads_differ(self) -> Self:
        if not self.closed and not self.open:
            raise ValueError("give loads: closed (users), open (requests a second), or both")
        for name, loads in (("closed", self.closed), ("open", self.open)):
            if len(set(loads)) < len(loads):
                raise ValueError(f"a load is given twice in {name}")
        return self

    @model_validator(mode="after")
    def _has_timed_request(self) -> Self:
        if self.requests and all(request.background for request in self.requests):
            raise ValueError("every request is in the background: leave one that is timed")
        return self

    @model_validator(mode="after")
    def _sequence_has_no_weights(self) -> Self:
        if self.sequence and any(request.weight != 1 for request in self.requests):
            raise ValueError("a sequence sends each request once in turn: remove the weights")
        return self

    @property
    def identities(self) -> int:
        """Number of users with values of their own; 0: all users are alike."""
        rows = self.feed.rows if self.feed and self.feed.per == "user" else 0
        if any(request.per == "user" for request in self.setup):
            of_open = min(OPEN_IDENTITIES, rows or OPEN_IDENTITIES)
            return max(self.closed, default=of_open)
        return max([*self.closed, rows]) if rows else 0

    @property
    def rows_for_requests(self) -> int:
        """Number of rows that the requests of a load take in turn."""
        return self.feed.rows if self.feed and self.feed.per == "request" else 0

    @property
    def own_names(self) -> set[str]:
        """Names of values that are not the same for all users."""
        captured = {name for each in self.setup if each.per == "user" for name in each.capture}
        return captured | {*(self.feed.columns if self.feed else ())}

    @property
    def cycle(self) -> int:
        """Number of requests that are sent in a fixed order."""
        return len(self.requests) if self.sequence else 1

    def filled(self, values: Mapping[str, str]) -> Self:
        """Return it with the vars of a target filled in."""
        if not values:
            return self
        return self.model_copy(
            update={
                "setup": [request.filled(values) for request in self.setup],
                "requests": [request.filled(values) for request in self.requests],
            }
        )


class Plan(Strict):
    """What is measured: targets and scenarios, how often and for how long."""

    name: Name
    about: str = ""
    seed: Seed = 1
    blocks: Blocks = 5
    time: str | None = Field(
        default=None, description='time of the run, such as "10m": chooses blocks and measure_s'
    )
    precision: str | None = Field(
        default=None,
        description='half width of every interval, such as "5%": blocks are added until it is'
        " reached, or `time` is over",
    )
    warmup_s: WarmUp = 0.5
    measure_s: Seconds = 3.0
    schedule: Schedule = Field(
        default="alternating",
        description="the targets of a scenario run at once and take turns at each load; or one"
        " after the other, where they cannot run at once",
    )
    fresh_servers: Literal["scenario", "block"] = Field(
        default="scenario",
        description="each scenario of a block has fresh servers; or each block, which is quicker,"
        " for scenarios that leave nothing behind in a server or its data",
    )
    windows: Windows | None = Field(
        default=None,
        description="number of windows that a measurement is divided into, in turns with those of"
        " the other targets (A B, B A, ...); left out: chosen at each load, 1 for open loads",
    )
    slo_ms: Milliseconds = Field(
        default=200.0, description="the p99 that users are promised, at the highest load possible"
    )
    collapse_s: Seconds = Field(
        default=2.0,
        description="time without any response to requests in flight that counts as a collapse",
    )
    timeout_s: Seconds = Field(
        default=30.0, description="a response that is not complete by then is an error"
    )
    processes: Processes = Field(
        default=1, description="of the generator; they share the users and the arrivals"
    )
    memory_mib: Memory | None = Field(
        default=None,
        description="a server that uses more is ended; left out: half of what is free",
    )
    ready_s: Seconds = Field(default=20.0, description="a server must answer within")
    services: Annotated[list[Service], AtMost100] = Field(
        default=[], description="started in this order, before the targets"
    )
    targets: Annotated[list[Target], NotEmpty, AtMost100]
    scenarios: Annotated[list[Scenario], NotEmpty, AtMost1000]

    @field_validator("time", "precision")
    @classmethod
    def _wish_is_understood(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            (parse_duration if info.field_name == "time" else parse_percent)(value)
        return value

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        known = [target.name for target in self.targets]
        _check_unique(known, "target")
        _check_unique([scenario.name for scenario in self.scenarios], "scenario")
        for scenario in self.scenarios:
            _check_unique(scenario.targets, f"scenario '{scenario.name}' names target")
            for name in scenario.targets:
                if name not in known:
                    raise ValueError(
                        f"scenario '{scenario.name}' names an unknown target '{name}'"
                        f"{did_you_mean(name, known)}"
                    )
        return self

    @model_validator(mode="after")
    def _services_are_known(self) -> Self:
        _check_unique([service.name for service in self.services], "service")
        for number, service in enumerate(self.services):
            _check_addresses(service, f"service '{service.name}'", self.services[:number])
        for target in self.targets:
            _check_addresses(target, f"target '{target.name}'", self.services)
        return self

    @model_validator(mode="after")
    def _names_in_braces_have_values(self) -> Self:
        for scenario in self.scenarios:
            try:
                check_names(scenario, [self.target(name) for name in self.targets_of(scenario)])
            except ValueError as error:
                raise ValueError(f"scenario '{scenario.name}': {error}") from None
        return self

    @model_validator(mode="after")
    def _can_be_measured(self) -> Self:
        # Counted, not listed: there may be too many.
        if (count := self.count_cells()) > MAX_CELLS:
            in_block = sum(self.count_in_block(s) * self._load_s(s) for s in self.scenarios)
            seconds = self.blocks * in_block
            raise ValueError(
                f"{count:,} measurements (blocks x loads x targets), which take"
                f" {duration(seconds)}; a plan has at most {MAX_CELLS:,}"
            )
        for scenario in self.scenarios:
            arrivals = max(scenario.open, default=0) * self._load_s(scenario)
            if arrivals > MAX_ARRIVALS:
                raise ValueError(
                    f"scenario '{scenario.name}': {arrivals:,.0f} arrivals in one measurement"
                    f" (open x seconds); at most {MAX_ARRIVALS:,}"
                )
        return self

    def count_cells(self) -> int:
        """Return the number of cells, without listing them."""
        return self.blocks * sum(map(self.count_in_block, self.scenarios))

    def target(self, name: str) -> Target:
        """Return the target of that name."""
        return next(target for target in self.targets if target.name == name)

    def scenario(self, name: str) -> Scenario:
        """Return the scenario of that name."""
        return next(scenario for scenario in self.scenarios if scenario.name == name)

    def measure_s_of(self, name: str) -> float:
        """Return how long the cells of a scenario are measured, in seconds."""
        return self.scenario(name).measure_s or self.measure_s

    def windows_of(self, name: str) -> int | None:
        """Return the number of windows of the cells of a scenario; None: chosen at each load."""
        return self.scenario(name).windows or self.windows

    def targets_of(self, scenario: Scenario) -> list[str]:
        """Return the names of the targets of `scenario`; the first is its baseline."""
        return scenario.targets or [target.name for target in self.targets]

    def servers_at_once(self, scenario: Scenario) -> int:
        """Return how many servers of `scenario` run at the same time."""
        return len(self.targets_of(scenario)) if self.schedule == "alternating" else 1

    def count_in_block(self, scenario: Scenario) -> int:
        """Return the number of cells of `scenario` in a block."""
        return (len(scenario.closed) + len(scenario.open)) * len(self.targets_of(scenario))

    def _load_s(self, scenario: Scenario) -> float:
        return self.warmup_s + (scenario.measure_s or self.measure_s)


@dataclass(frozen=True, slots=True)
class Load:
    """Load on a server: `value` users (closed) or requests a second (open)."""

    kind: LoadKind
    value: int

    @property
    def label(self) -> str:
        """The load with its unit."""
        users = "user" if self.value == 1 else "users"
        return f"{self.value} {users if self.kind == 'closed' else 'requests/s'}"


class Cell(NamedTuple):
    """One measurement, and its place in the order of measuring."""

    number: int
    block: int
    scenario: str
    target: str
    load: Load


class AddedBlock(Strict):
    """Scenario measured once more than planned, at `loads`, as block number `block`.

    `reason`: a measurement was `disturbed` by the machine, or an interval was wider than the
    plan's `precision`.
    """

    block: Count
    scenario: Name
    loads: Annotated[list[Load], NotEmpty]
    reason: Literal["disturbed", "precision"]


def cells(plan: Plan, added: Sequence[AddedBlock] = ()) -> list[Cell]:
    """Return every cell of `plan` and of `added` blocks, in the order of measuring.

    Within a block the scenarios come in random order. In the alternating schedule their loads
    follow, and at each load the targets, which take turns; in the sequential one the targets,
    each at all loads. All are in random order, which depends on the plan's seed alone.
    """
    rng = random.Random(plan.seed)
    order: list[tuple[int, str, str, Load]] = []
    for block in range(1, plan.blocks + 1):
        for scenario in _scenarios_in_order(plan, rng):
            order += _in_order(plan, block, scenario, loads_of(scenario), rng)
    for each in added:
        rng = random.Random(f"{plan.seed} {each.block} {each.scenario}")
        order += _in_order(plan, each.block, plan.scenario(each.scenario), each.loads, rng)
    return [Cell(number, *cell) for number, cell in enumerate(order, start=1)]


def _scenarios_in_order(plan: Plan, rng: random.Random) -> list[Scenario]:
    """Return the scenarios in random order; those that share servers one after the other."""
    order = _shuffled(plan.scenarios, rng)
    if plan.fresh_servers == "scenario":
        return order
    first: dict[tuple[str, ...], int] = {}
    for number, scenario in enumerate(order):
        first.setdefault(tuple(plan.targets_of(scenario)), number)
    return sorted(order, key=lambda scenario: first[tuple(plan.targets_of(scenario))])


def _in_order(
    plan: Plan, block: int, scenario: Scenario, loads: Sequence[Load], rng: random.Random
) -> list[tuple[int, str, str, Load]]:
    loads, targets = _shuffled(loads, rng), plan.targets_of(scenario)
    if plan.schedule == "alternating":
        found = [(target, load) for load in loads for target in _shuffled(targets, rng)]
    else:
        found = [(target, load) for target in _shuffled(targets, rng) for load in loads]
    return [(block, scenario.name, target, load) for target, load in found]


def measured_together(plan: Plan, of: Sequence[Cell]) -> list[list[Cell]]:
    """Return the cells that take turns, in groups; each alone in the sequential schedule."""

    def key(cell: Cell) -> tuple[object, ...]:
        alone = cell.target if plan.schedule == "sequential" else ""
        return cell.block, cell.scenario, cell.load, alone

    return [list(group) for _, group in groupby(of, key=key)]


def loads_of(scenario: Scenario) -> list[Load]:
    """Return closed loads, then open ones, each from the lowest to the highest."""
    closed = [Load("closed", users) for users in sorted(scenario.closed)]
    return closed + [Load("open", rate) for rate in sorted(scenario.open)]


def _shuffled(items: Sequence[T], rng: random.Random) -> list[T]:
    return rng.sample(items, len(items))


def _check_unique(names: Sequence[str], what: str) -> None:
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ValueError(f"{what} '{name}' is given twice; names must differ")


def _check_addresses(of: Target | Service, who: str, before: Sequence[Service]) -> None:
    """Refuse an address in `of` that no service has which is started before it."""
    prepare = of.prepare if isinstance(of, Target) else ()
    known = [
        f"{{services.{service.name}.{part}}}"
        for service in before
        if service.has_address
        for part in SERVICE_PARTS
    ]
    for text in (*(of.command or ()), *prepare, *of.env.values()):
        for found in SERVICE_ADDRESS.finditer(text):
            if found[0] not in known:
                raise ValueError(
                    f"{who} holds {found[0]}, which is no address of a service that is started"
                    f" before it{did_you_mean(found[0], known)}"
                )
