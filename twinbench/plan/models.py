"""Plans and their scenarios."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from twinbench.plan.feed import Feed
from twinbench.plan.fields import (
    REQUEST_ASPECTS,
    AtMost100,
    AtMost1000,
    Blocks,
    ExpectedDifferences,
    Identifier,
    Label,
    LocustLabel,
    Memory,
    Milliseconds,
    Name,
    Note,
    NotEmpty,
    Processes,
    Rate,
    Seconds,
    Seed,
    Users,
    WarmUp,
    Windows,
    check_unique,
)
from twinbench.plan.names import check_names
from twinbench.plan.requests import BaseRequest, Request, SetupRequest, Strict, SystemPath
from twinbench.plan.sweep import Sweep
from twinbench.plan.targets import SERVICE_ADDRESS, Compare, Service, Target, check_addresses
from twinbench.text import did_you_mean, duration, parse_duration, parse_percent

Arrivals = Literal["poisson", "constant"]
Schedule = Literal["alternating", "sequential"]
# Keys of a scenario that a locustfile replaces.
NOT_WITH_LOCUSTFILE = {
    "requests": "its users send theirs",
    "setup": "its users prepare themselves in on_start",
    "feed": "its users read files themselves",
    "sequence": "its users have tasks",
    "open": "its users send at their own times; give closed loads",
    "arrivals": "it is for open loads",
    "in_flight": "it is for open loads",
}
# Users that log in before open loads, whose arrivals take their values in turn: enough that a lock
# or a cache for each user is not always the same one.
OPEN_IDENTITIES = 100
MAX_CELLS = 100_000  # of 3.5 s each they take four days
MAX_ARRIVALS = 10_000_000  # of one measurement; prepared ahead, they take 0.4 GB


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
    expected_failures: Annotated[list[LocustLabel], AtMost1000] = Field(
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

    def with_vars(self, values: Mapping[str, str]) -> Self:
        """Return it with the vars of a target filled in."""
        if not values:
            return self
        return self.model_copy(
            update={
                "setup": [request.with_vars(values) for request in self.setup],
                "requests": [request.with_vars(values) for request in self.requests],
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
    compare: Compare | None = Field(
        default=None, description="for 'twinbench compare': environments of the versions"
    )
    sweep: Sweep | None = Field(
        default=None, description="settings whose values are combined: a target for each"
    )
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
        check_unique(known, "target")
        check_unique([scenario.name for scenario in self.scenarios], "scenario")
        for scenario in self.scenarios:
            check_unique(scenario.targets, f"scenario '{scenario.name}' names target")
            for name in scenario.targets:
                if name not in known:
                    raise ValueError(
                        f"scenario '{scenario.name}' names an unknown target '{name}'"
                        f"{did_you_mean(name, known)}"
                    )
        return self

    @model_validator(mode="after")
    def _services_are_known(self) -> Self:
        check_unique([service.name for service in self.services], "service")
        for number, service in enumerate(self.services):
            check_addresses(service, f"service '{service.name}'", self.services[:number])
        for target in self.targets:
            check_addresses(target, f"target '{target.name}'", self.services)
        for request in self._requests if self.services else ():
            # Without services, braces are the app's own business.
            if found := SERVICE_ADDRESS.search(request.model_dump_json()):
                raise ValueError(
                    f"'{request.label}' holds {found[0]}: addresses of services are filled in in"
                    " env, command and prepare only"
                )
        return self

    @property
    def _requests(self) -> Iterator[BaseRequest]:
        for scenario in self.scenarios:
            yield from (*scenario.setup, *scenario.requests)

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
