"""The same work, or no measurement: every target against the baseline of its scenarios.

Otherwise a ratio between two apps would say which of them does less.
"""

import time
from collections.abc import Callable, Sequence

from twinbench.findings import PreflightPair
from twinbench.interruption import interruptible
from twinbench.measure.rig import Rig
from twinbench.plan import Aspect, Plan, Scenario
from twinbench.preflight.collect import PreflightError, collect
from twinbench.preflight.facts import Seen
from twinbench.preflight.pair import UnequalError, compare

OnStatus = Callable[[str], None]

# Between the first starts and the second: times in whole seconds must have moved on.
APART_S = 1.1


def check(plan: Plan, plan_file: str, rig: Rig, on_status: OnStatus) -> list[PreflightPair]:
    """Start each target, send it every request, and compare it with its baseline.

    Scenarios that are measured on the same targets share their servers. Raises PlanError where
    the plan names what is not there, PreflightError where a target does not start, does not
    answer as the plan expects, or does not do the same work as its baseline.
    """
    groups: dict[tuple[str, ...], list[Scenario]] = {}
    for scenario in plan.scenarios:
        groups.setdefault(tuple(plan.targets_of(scenario)), []).append(scenario)
    return [
        pair
        for targets, scenarios in groups.items()
        for pair in _Group(plan, plan_file, rig, on_status, scenarios).pairs(targets)
    ]


class _Group:
    """Scenarios that are measured on the same targets."""

    def __init__(
        self,
        plan: Plan,
        plan_file: str,
        rig: Rig,
        on_status: OnStatus,
        scenarios: Sequence[Scenario],
    ) -> None:
        self._plan, self._plan_file, self._rig, self._on_status = plan, plan_file, rig, on_status
        self._scenarios = scenarios
        self._first_ended = 0.0
        self._later: dict[tuple[str, int], Seen] = {}

    def pairs(self, targets: Sequence[str]) -> list[PreflightPair]:
        seen = [self._collect(name, f"checking target '{name}'") for name in targets]
        self._first_ended = time.monotonic()
        names = [scenario.name for scenario in self._scenarios]
        pairs = [self._compare(seen[0], other) for other in seen[1:]]
        return [pair.model_copy(update={"scenarios": names}) for pair in pairs]

    def _compare(self, one: Seen, other: Seen) -> PreflightPair:
        meant: dict[Aspect, str] = {}
        # Also where the baseline is the one that is meant to differ from all others.
        for target in (self._plan.target(other.target), self._plan.target(one.target)):
            if isinstance(target.expected_differences, str):
                return PreflightPair(
                    baseline=one.target,
                    candidate=other.target,
                    requests=one.requests,
                    expected_differences=target.expected_differences,
                )
            meant |= target.expected_differences or {}
        try:
            return compare(one, other, self._again, meant)
        except UnequalError as error:
            about = self._plan.target(error.unsteady or other.target)
            # Below the diff: the sentence is cut to a length, and shall keep where they differ.
            remedy = "Make them do the same, or say in the plan why they do not:"
            raise PreflightError(
                f"{self._plan_file}: targets[{self._plan.targets.index(about)}]: {error}\n"
                f'{error.diff}\n{remedy} expected_differences = {{ "{error.aspect}" = "..." }}'
            ) from None

    def _again(self, name: str, start: int) -> Seen:
        if (name, start) not in self._later:
            with interruptible():
                time.sleep(max(0.0, self._first_ended + APART_S - time.monotonic()))
            what = f"checking target '{name}' again: what does it not do twice alike?"
            self._later[name, start] = self._collect(name, what)
        return self._later[name, start]

    def _collect(self, name: str, what: str) -> Seen:
        self._on_status(what)
        return collect(self._plan, self._plan_file, self._scenarios, name, self._rig)
