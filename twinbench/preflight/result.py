"""Result of the preflight, as run folders hold it and reports show it."""

from collections.abc import Iterable

from twinbench.models import Amount, FrozenModel
from twinbench.plan import ASPECTS, Aspect
from twinbench.text import count


class PreflightError(Exception):
    """Reason why nothing is measured: a message of one line, then all findings in lines."""


class DifferentError(PreflightError):
    """Reason that is no failure: targets do not do the same work.

    `targets`: those that differ from their baseline, or from start to start.
    """

    def __init__(self, message: str, targets: frozenset[str]) -> None:
        super().__init__(message)
        self.targets = targets


class DeclaredDifference(FrozenModel):
    """Aspect in which the plan expects a difference of `target`, or in requests of `scenario`."""

    aspect: Aspect
    target: str = ""
    scenario: str = ""
    reason: str

    @property
    def where(self) -> str:
        """Target or scenario that declares it."""
        return f"scenario '{self.scenario}'" if self.scenario else f"'{self.target}'"


class PreflightPair(FrozenModel):
    """Comparison of a target with its baseline, by their responses to `requests` of `scenarios`.

    They are equal in the aspects `equal`, except for `volatile` values (a count), which change at
    every start. `missing`: aspects that could not be compared, or not completely, and why;
    `declared`: expected differences, and why. With `expected_differences` nothing was compared.
    `conditions` decide the speed of both and are not work: one value, or two where they differ.
    `took_s`: with all pairs of the same scenarios, whose servers it shares.
    """

    baseline: str
    candidate: str
    scenarios: list[str] = []
    requests: int
    expected_differences: str = ""
    missing: dict[Aspect, str] = {}
    declared: list[DeclaredDifference] = []
    volatile: int = 0
    conditions: dict[str, str] = {}
    took_s: Amount = 0.0

    @property
    def equal(self) -> list[Aspect]:
        """Aspects in which they are equal, in at least one scenario."""
        if self.expected_differences:
            return []
        return [a for a in ASPECTS if a not in self.missing and not self._is_declared(a)]

    def _is_declared(self, aspect: Aspect) -> bool:
        """Return whether nothing is left to compare in `aspect`."""
        scenarios = {each.scenario for each in self.declared if each.aspect == aspect}
        return "" in scenarios or (bool(scenarios) and scenarios >= set(self.scenarios))

    @property
    def missing_text(self) -> str:
        """Aspects that could not be compared, by reason; empty if there are none."""
        return _by_reason((aspect, reason) for aspect, reason in self.missing.items())

    @property
    def declared_text(self) -> str:
        """Aspects that are expected to differ, by target or scenario and reason."""
        if self.expected_differences:
            return f"everything ({self.expected_differences})"
        return _by_reason((each.aspect, f"{each.where}: {each.reason}") for each in self.declared)

    @property
    def summary(self) -> str:
        """What was compared, what not and why, in one line."""
        pair = f"{self.candidate} against {self.baseline}"
        if self.expected_differences:
            return f"{pair}: not compared, expected to differ: {self.expected_differences}"
        text = f"{pair}: {count(self.requests, 'request')}: {', '.join(self.equal)}: equal"
        if self.volatile:
            text += f" except for what changes at every start ({count(self.volatile, 'value')})"
        text += f". Not compared: {self.missing_text}" if self.missing else ""
        text += f". Expected to differ: {self.declared_text}" if self.declared else ""
        return text


def _by_reason(aspects: Iterable[tuple[Aspect, str]]) -> str:
    found: dict[str, list[str]] = {}
    for aspect, reason in aspects:
        found.setdefault(reason, []).append(aspect)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in found.items())
