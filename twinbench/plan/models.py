"""Targets, scenarios, loads: what a plan may say."""

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from twinbench.plan.requests import (
    Count,
    Request,
    SetupRequest,
    Strict,
    SystemPath,
    SystemText,
    Whole,
)

# Names become file names and anchors.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
# Shown on pages and in charts, which cannot hold control characters.
Label = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=60)]
Note = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=120)]
Arrivals = Literal["poisson", "constant"]
# In what a target is compared with its baseline before anything is measured.
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
MOST_USERS = 10_000  # a socket each; beyond it a Linux box runs out of ports on loopback
MOST_RATE = 100_000  # arrivals a second; more than any generator of this kind sends on one core
MOST_PROCESSES = 64  # of a generator or a server: more cores than one machine gives to one of them
# Bounds that no real plan comes near; beyond them a plan is a slip of the finger, and what is made
# of it would fill the memory or never end.
MOST_S = 86_400.0  # a day
LEAST_S = 1e-3  # the resolution of timers; a window of less holds nothing
MOST_BLOCKS = 10_000
MOST_CELLS = 100_000  # of 3.5 s each they take four days
MOST_TARGETS = 100
MOST_SCENARIOS = 1000
MOST_LOADS = 1000  # of one curve
MOST_REQUESTS = 1000  # of one scenario, which draws 4,096 for a load: each comes up a few times
MOST_CONNECTIONS = 1_000_000  # of a server; a limit above what a system opens limits nothing
MOST_ARRIVALS = 10_000_000  # of one measurement; drawn ahead, they take 0.4 GB
MOST_SEED = 2**53 - 1  # as a number in JSON it is the same for every reader
MOST_MEMORY_MIB = 2**30  # a pebibyte


def _name_of_variable(name: str) -> str:
    if not name or "=" in name:
        raise ValueError("the name of a variable must not be empty or hold '='")
    return name


def _import_string(app: str) -> str:
    module, colon, attribute = app.partition(":")
    if not colon or not all(map(str.isidentifier, [*module.split("."), *attribute.split(".")])):
        raise ValueError("write it as module:attribute, such as shop.main:app")
    return app


ImportString = Annotated[SystemText, AfterValidator(_import_string)]
Seconds = Annotated[float, Field(strict=True, ge=LEAST_S, le=MOST_S)]
VariableName = Annotated[SystemText, AfterValidator(_name_of_variable)]


class Target(Strict):
    """One app under test: an import string, or a command that serves on `{port}`."""

    name: Name
    title: Label = Field(default="", description="shown in reports; left out: the name")
    note: Note = Field(default="", description="what a reader should know beside the title")
    app: ImportString | None = None
    command: list[SystemText] | None = Field(default=None, min_length=1)
    cwd: SystemPath | None = Field(
        default=None,
        description="where it runs and is imported from; left out: it runs in a fresh, empty"
        " folder, and is imported from where twinbench was started",
    )
    python: SystemPath | None = Field(
        default=None, description="the interpreter of its environment"
    )
    env: dict[VariableName, SystemText] = Field(
        default={}, description="{scratch} in a value: a fresh folder for every server"
    )
    workers: Annotated[Count, Field(le=MOST_PROCESSES)] = 1
    limit_concurrency: Annotated[Count, Field(le=MOST_CONNECTIONS)] | None = None
    telemetry: bool = Field(
        default=True,
        strict=True,
        description="look into the server while it is measured: loop, threads, connections",
    )
    expected_differences: str | dict[Aspect, str] | None = Field(
        default=None,
        description="why it is meant to differ from the baseline: altogether, which is not"
        " compared then, or in the aspects that are named (settings: environment too)",
    )

    @model_validator(mode="after")
    def _one_way_to_start(self) -> Self:
        if (self.app is None) == (self.command is None):
            raise ValueError("give either app or command")
        return self

    @field_validator("expected_differences", mode="before")
    @classmethod
    def _differences_have_reasons(cls, value: Any) -> Any:
        if value is None:
            return None
        reasons = list(value.values()) if isinstance(value, dict) else [value]
        for aspect in value if isinstance(value, dict) else ():
            if aspect not in ASPECTS:
                raise ValueError(f"unknown aspect '{aspect}'{nearest(aspect, ASPECTS)}")
        if not reasons or not all(isinstance(why, str) and why.strip() for why in reasons):
            raise ValueError('give reasons: expected_differences = "..." or { settings = "..." }')
        return value

    @property
    def expected_differences_text(self) -> str:
        """`expected_differences` as text; empty if none are declared."""
        if isinstance(self.expected_differences, dict):
            return "; ".join(
                f"{aspect}: {why}" for aspect, why in self.expected_differences.items()
            )
        return self.expected_differences or ""


class Scenario(Strict):
    """A request mix, and the loads that the plan puts on it."""

    name: Name
    title: Label = Field(default="", description="shown in reports; left out: the name")
    group: Label = Field(default="", description="the heading above its row in reports")
    note: Note = Field(default="", description="what a reader should know beside the title")
    about: str = ""
    setup: list[SetupRequest] = Field(
        default=[], max_length=MOST_REQUESTS, description="sent once to each fresh server"
    )
    requests: list[Request] = Field(min_length=1, max_length=MOST_REQUESTS)
    closed: list[Annotated[Count, Field(le=MOST_USERS)]] = Field(
        default=[], max_length=MOST_LOADS, description="users, each with one request in flight"
    )
    open: list[Annotated[Count, Field(le=MOST_RATE)]] = Field(
        default=[],
        max_length=MOST_LOADS,
        description="requests a second, which arrive whether or not others are answered",
    )
    arrivals: Arrivals = Field(default="poisson", description="how open loads are spread in time")
    in_flight: Annotated[Count, Field(le=MOST_USERS)] | None = Field(
        default=None,
        description="arrivals of open loads that find so many requests in flight are dropped; left"
        " out: as many as arrive in collapse_s",
    )
    measure_s: Seconds | None = Field(default=None, description="left out: the plan's")
    targets: list[str] = Field(default=[], description="left out: all of the plan's")

    @model_validator(mode="after")
    def _loads_differ(self) -> Self:
        if not self.closed and not self.open:
            raise ValueError("give loads: closed (users), open (requests a second), or both")
        for name, loads in (("closed", self.closed), ("open", self.open)):
            if len(set(loads)) < len(loads):
                raise ValueError(f"a load is named twice in {name}")
        return self

    @model_validator(mode="after")
    def _has_timed_request(self) -> Self:
        if all(request.background for request in self.requests):
            raise ValueError("every request is a background: leave one whose latency counts")
        return self

    @model_validator(mode="after")
    def _names_are_taken(self) -> Self:
        """Without `before` nothing is filled in, and braces are the app's own business."""
        taken: list[str] = []
        for request in (*self.setup, *self.requests) if self.setup else ():
            for name in request.names():
                if name not in taken:
                    near = nearest(name, taken) if taken else ""
                    raise ValueError(
                        f"'{request.label}' holds {{{name}}}, which no setup request ahead of it"
                        f" takes{near}"
                    )
            taken += request.capture if isinstance(request, SetupRequest) else ()
        return self


class Plan(Strict):
    name: Name
    about: str = ""
    seed: Annotated[Whole, Field(ge=0, le=MOST_SEED)] = 1
    blocks: Annotated[Count, Field(le=MOST_BLOCKS)] = 5
    warmup_s: float = Field(default=0.5, strict=True, ge=0, le=MOST_S)
    measure_s: Seconds = 3.0
    slo_ms: float = Field(
        default=200.0,
        strict=True,
        ge=1e3 * LEAST_S,
        le=1e3 * MOST_S,
        description="the p99 that users are promised, at the highest load possible",
    )
    collapse_s: Seconds = Field(
        default=2.0, description="so long without any answer, requests in flight: collapsed"
    )
    timeout_s: Seconds = Field(
        default=30.0, description="an answer that is not whole by then is an error"
    )
    processes: Annotated[Count, Field(le=MOST_PROCESSES)] = Field(
        default=1, description="of the generator; they share the users and the arrivals"
    )
    memory_mib: Annotated[Count, Field(le=MOST_MEMORY_MIB)] | None = Field(
        default=None,
        description="a server that uses more is ended; left out: half of what is free",
    )
    ready_s: Seconds = Field(default=20.0, description="a server must answer within")
    targets: list[Target] = Field(min_length=1, max_length=MOST_TARGETS)
    scenarios: list[Scenario] = Field(min_length=1, max_length=MOST_SCENARIOS)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        known = _unique([target.name for target in self.targets], "target")
        _unique([scenario.name for scenario in self.scenarios], "scenario")
        for scenario in self.scenarios:
            _unique(scenario.targets, f"scenario '{scenario.name}' names target")
            for name in scenario.targets:
                if name not in known:
                    raise ValueError(
                        f"scenario '{scenario.name}' names an unknown target '{name}'"
                        f"{nearest(name, known)}"
                    )
        return self

    @model_validator(mode="after")
    def _cells_can_be_measured(self) -> Self:
        """They are counted here, and listed only where there are not too many."""
        if (count := self.count_cells()) > MOST_CELLS:
            seconds = sum(self._count_cells_of(s) * self._load_s(s) for s in self.scenarios)
            raise ValueError(
                f"{count:,} cells (blocks x loads x targets), which take"
                f" {seconds / MOST_S:,.0f} days; a plan has at most {MOST_CELLS:,}"
            )
        return self

    @model_validator(mode="after")
    def _arrivals_can_be_drawn(self) -> Self:
        for scenario in self.scenarios:
            arrivals = max(scenario.open, default=0) * self._load_s(scenario)
            if arrivals > MOST_ARRIVALS:
                raise ValueError(
                    f"scenario '{scenario.name}': {arrivals:,.0f} arrivals in one measurement"
                    f" (open x seconds); at most {MOST_ARRIVALS:,}"
                )
        return self

    def count_cells(self) -> int:
        return sum(map(self._count_cells_of, self.scenarios))

    def _count_cells_of(self, scenario: Scenario) -> int:
        loads = len(scenario.closed) + len(scenario.open)
        return self.blocks * loads * len(self.targets_of(scenario))

    def _load_s(self, scenario: Scenario) -> float:
        """How long one load of `scenario` lasts, in seconds."""
        return self.warmup_s + (scenario.measure_s or self.measure_s)

    def target(self, name: str) -> Target:
        return next(target for target in self.targets if target.name == name)

    def scenario(self, name: str) -> Scenario:
        return next(scenario for scenario in self.scenarios if scenario.name == name)

    def measure_s_of(self, name: str) -> float:
        """How long the cells of a scenario are measured, in seconds."""
        return self.scenario(name).measure_s or self.measure_s

    def targets_of(self, scenario: Scenario) -> list[str]:
        """Names of the targets that `scenario` is measured on; the first is its baseline."""
        return scenario.targets or [target.name for target in self.targets]


def nearest(word: str, known: Sequence[str]) -> str:
    """The end of an error sentence: what `word` was perhaps meant to be."""
    if near := difflib.get_close_matches(word, known, n=1):
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(known)}"


def _unique(names: list[str], what: str) -> list[str]:
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ValueError(f"{what} '{name}' stands twice; give each a name of its own")
    return names
