"""What was found before a run: by the preflight, whether the targets do the same work; by
calibration, whether the instrument reads known answers right, and its floor.

Whoever found it writes it, a run folder keeps it, analysis and reports read it.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from twinbench.plan import ASPECTS, Aspect

Verdict = Literal["PASS", "FAIL", "SKIP"]


# Beyond what is measured, in any unit; sums and squares of such figures are finite.
MOST_FIGURE = 1e15
Figure = Annotated[float, Field(allow_inf_nan=False, ge=-MOST_FIGURE, le=MOST_FIGURE)]
Amount = Annotated[float, Field(allow_inf_nan=False, ge=0, le=MOST_FIGURE)]
Number = Annotated[int, Field(ge=0, le=int(MOST_FIGURE))]


class Finding(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Check(Finding):
    """One figure that was read off, and between which bounds it must lie to be right. Where it
    must only not be too high, 0 is the lower bound, and the upper one what is expected."""

    what: str
    unit: str
    measured: Figure
    expected: Figure
    low: Figure
    high: Figure

    @property
    def at_most(self) -> bool:
        return self.low == 0 and self.expected == self.high

    @property
    def ok(self) -> bool:
        return self.low <= self.measured <= self.high


# Drawn into an SVG, which cannot hold control characters.
Label = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Series(Finding):
    """Points of a picture; `kind`: how they are drawn."""

    name: Label
    kind: Literal["points", "line", "steps"]
    x: list[Figure]
    y: list[Figure]

    @model_validator(mode="after")
    def _as_many_x_as_y(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"{len(self.x)} values of x, {len(self.y)} of y")
        return self


class Picture(Finding):
    title: Label
    x_label: Label
    y_label: Label
    log_x: bool = False
    log_y: bool = False
    series: list[Series]


class Item(Finding):
    """One known answer. `said`: what was done and found, or why it was skipped, in a sentence."""

    number: Number
    name: str
    verdict: Verdict
    said: str
    checks: list[Check] = []
    picture: Picture | None = None


class Floor(Finding):
    """What this machine shows where there is nothing to see. `latency_*`: a server that does
    nothing, one user. `lag_*`: how late a bare timer loop on the generator's core wakes up, at
    1,000 arrivals a second."""

    latency_p50_ms: Amount
    latency_p99_ms: Amount
    lag_p50_ms: Amount
    lag_p99_ms: Amount


class Calibration(Finding):
    """`form`: `short` before each run, `full` by `make calibrate`. `capacity_rps`: what the
    generator sends to a server that does nothing."""

    form: Literal["short", "full"]
    started: str
    took_s: Amount
    floor: Floor
    capacity_rps: Amount
    items: list[Item]

    @property
    def failed(self) -> list[Item]:
        return [item for item in self.items if item.verdict == "FAIL"]


class PreflightPair(Finding):
    """A target against its baseline, by their answers to `requests` of `scenarios`. They are equal
    in the aspects `equal`, except for `volatile` values (a count), which change at every start.
    `missing`: what could not be compared, and why; `declared`: in what they are meant to differ,
    and why. With `expected_differences` nothing was compared: they differ altogether.
    `conditions` decide the speed of both and are no work: name and value, two values where they
    differ."""

    baseline: str
    candidate: str
    scenarios: list[str] = []
    requests: int
    expected_differences: str = ""
    missing: dict[Aspect, str] = {}
    declared: dict[Aspect, str] = {}
    volatile: int = 0
    conditions: dict[str, str] = {}

    @property
    def equal(self) -> list[Aspect]:
        if self.expected_differences:
            return []
        return [a for a in ASPECTS if a not in self.missing and a not in self.declared]

    @property
    def sentence(self) -> str:
        who = f"{self.candidate} against {self.baseline}"
        if self.expected_differences:
            return f"{who}: not compared, meant to differ: {self.expected_differences}"
        said = f"{who}: {_count(self.requests, 'request')}: {', '.join(self.equal)}: equal"
        if self.volatile:
            said += f" but for what changes at every start ({_count(self.volatile, 'value')})"
        return ". Not compared: ".join([said, *grouped(self.not_compared)])

    @property
    def not_compared(self) -> dict[Aspect, str]:
        meant = {aspect: f"meant to differ: {why}" for aspect, why in self.declared.items()}
        return self.missing | meant


def grouped(reasons: Mapping[Aspect, str]) -> Iterable[str]:
    """The aspects that share a reason, together; nothing if there is none."""
    by_reason: dict[str, list[str]] = {}
    for aspect, reason in reasons.items():
        by_reason.setdefault(reason, []).append(aspect)
    if by_reason:
        yield "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason.items())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"
