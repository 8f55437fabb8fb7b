"""Result of the preflight, as run folders hold it and reports show it."""

from twinbench.models import FrozenModel
from twinbench.plan import ASPECTS, Aspect
from twinbench.text import count


class PreflightError(Exception):
    """Reason why nothing is measured: a message of one line, then a diff where there is one."""


class PreflightPair(FrozenModel):
    """Comparison of a target with its baseline, by their responses to `requests` of `scenarios`.

    They are equal in the aspects `equal`, except for `volatile` values (a count), which change at
    every start. `missing`: aspects that could not be compared, or not completely, and why;
    `declared`: expected differences, and why. With `expected_differences` nothing was compared.
    `conditions` decide the speed of both and are not work: one value, or two where they differ.
    """

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
        """Aspects in which they are equal."""
        if self.expected_differences:
            return []
        return [a for a in ASPECTS if a not in self.missing and a not in self.declared]

    @property
    def not_compared(self) -> str:
        """Aspects that were not compared, by reason; empty if there are none."""
        by_reason: dict[str, list[str]] = {}
        for aspect, reason in self.missing.items():
            by_reason.setdefault(reason, []).append(aspect)
        for aspect, reason in self.declared.items():
            by_reason.setdefault(f"expected to differ: {reason}", []).append(aspect)
        return "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason.items())

    @property
    def summary(self) -> str:
        """What was compared, what not and why, in one line."""
        pair = f"{self.candidate} against {self.baseline}"
        if self.expected_differences:
            return f"{pair}: not compared, expected to differ: {self.expected_differences}"
        text = f"{pair}: {count(self.requests, 'request')}: {', '.join(self.equal)}: equal"
        if self.volatile:
            text += f" except for what changes at every start ({count(self.volatile, 'value')})"
        return f"{text}. Not compared: {self.not_compared}" if self.not_compared else text
