"""Result of a self-check: floor of the machine, capacity of the generator, checks.

A run folder keeps it; analysis and reports read it.
"""

from twinbench.models import Amount, Figure, FrozenModel
from twinbench.text import figure

# Bounds that are no further apart than this share of the upper one: an exact figure.
EXACTLY = 1e-5


class Check(FrozenModel):
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


class Floor(FrozenModel):
    """Times that this machine adds to every measurement.

    `latency_*`: response time of one user of a server that does nothing. `lag_*`: how late a bare
    timer loop on the generator's cores wakes up, at 1,000 arrivals a second.
    """

    latency_p50_ms: Amount
    latency_p99_ms: Amount
    lag_p50_ms: Amount
    lag_p99_ms: Amount


class SelfCheck(FrozenModel):
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
