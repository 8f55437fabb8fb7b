"""Findings before a run: of the preflight on the targets, of the self-check on the generator.

A run folder keeps them; analysis and reports read them.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from twinbench.plan import ASPECTS, Aspect
from twinbench.text import figure

# Beyond what is measured, in any unit; sums and squares of such figures are finite.
MOST_FIGURE = 1e15
Figure = Annotated[float, Field(allow_inf_nan=False, ge=-MOST_FIGURE, le=MOST_FIGURE)]
Amount = Annotated[float, Field(allow_inf_nan=False, ge=0, le=MOST_FIGURE)]
Number = Annotated[int, Field(ge=0, le=int(MOST_FIGURE))]
# Bounds that are no further apart than this share of the upper one: an exact figure.
EXACTLY = 1e-5


class Finding(BaseModel):
    """Immutable model without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(Finding):
    """A measured figure and its bounds; `advice` says what a failure means and what to do."""

    name: str
    unit: str
    measured: Figure
    low: Figure
    high: Figure
    advice: str = ""

    @property
    def ok(self) -> bool:
        """Whether the figure is within its bounds."""
        return self.low <= self.measured <= self.high

    @property
    def allowed(self) -> str:
        """The bounds as text: `at most 0.2`, `0.995 to 1.005`, or an exact figure."""
        if self.high - self.low <= EXACTLY * abs(self.high):
            return figure(self.high)
        if self.low == 0:
            return f"at most {figure(self.high)}"
        return f"{figure(self.low)} to {figure(self.high)}"


class Floor(Finding):
    """Times that this machine adds to every measurement.

    `latency_*`: response time of one user of a server that does nothing. `lag_*`: how late a bare
    timer loop on the generator's cores wakes up, at 1,000 arrivals a second.
    """

    latency_p50_ms: Amount
    latency_p99_ms: Amount
    lag_p50_ms: Amount
    lag_p99_ms: Amount


class SelfCheck(Finding):
    """Short check of the load generator before a run.

    `capacity_rps` is the throughput of the generator and a server that does nothing.
    """

    started: str
    took_s: Amount
    floor: Floor
    capacity_rps: Amount
    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[Check]:
        """The checks whose figure is out of bounds."""
        return [check for check in self.checks if not check.ok]


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
