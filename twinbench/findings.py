"""What calibration found before a run: whether the instrument reads known answers right, and its
floor.

Whoever found it writes it, a run folder keeps it, analysis and reports read it.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

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
