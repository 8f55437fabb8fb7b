"""Types of keys of plans, with their limits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from twinbench.plan.requests import Count, Whole
from twinbench.text import did_you_mean

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
MAX_USERS = 10_000  # a socket each; beyond it a Linux box runs out of ports on loopback
MAX_RATE = 100_000  # arrivals a second; more than a generator of this kind sends on one core
LEAST_S, MAX_S = 1e-3, 86_400.0  # the resolution of timers; a day
CONTROL_FREE = r"^[^\x00-\x1f\x7f-\x9f]*$"


def differences_text(expected: str | Mapping[Aspect, str] | None) -> str:
    """Return the `expected_differences` of a target or scenario as text; empty if it has none."""
    if isinstance(expected, Mapping):
        return "; ".join(f"{aspect}: {why}" for aspect, why in expected.items())
    return expected or ""


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


def _locust_label(text: str) -> str:
    method, _, name = text.partition(" ")
    if not method or not name.strip():
        raise ValueError('write method and name of a request, as in "GET /missing"')
    return text


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
# One reason for all aspects, or a reason for each.
ExpectedDifferences = Annotated[str | dict[Aspect, str] | None, BeforeValidator(_with_reasons)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
# Method and name of a request, of which Locust's users may choose both.
LocustLabel = Annotated[str, AfterValidator(_locust_label)]
AtMost100 = Field(max_length=100)
AtMost1000 = Field(max_length=1000)
NotEmpty = Field(min_length=1)


def check_unique(names: Sequence[str], what: str) -> None:
    """Raise ValueError if a name occurs twice."""
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ValueError(f"{what} '{name}' is given twice; names must differ")
