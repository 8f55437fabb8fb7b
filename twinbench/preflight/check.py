"""Preflight of a plan: every target against the baseline of its scenarios.

Unless they do the same work, a ratio between two apps says which of them does less.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence

from twinbench.interruption import interruptible
from twinbench.measure.rig import Rig
from twinbench.measure.server import ServerFailedError
from twinbench.plan import Aspect, Plan, PlanError, Scenario
from twinbench.preflight.collect import Observation, collect
from twinbench.preflight.compare import DifferenceError, Restart, compare
from twinbench.preflight.result import PreflightError, PreflightPair

OnStatus = Callable[[str], None]

# Between first and second starts: times in whole seconds must have changed.
RESTART_PAUSE_S = 1.1


def check(plan: Plan, plan_file: str, rig: Rig, on_status: OnStatus) -> list[PreflightPair]:
    """Start the targets, send each every request, and compare it with its baseline.

    Scenarios that are measured on the same targets share their servers, which run at once if
    they do when they are measured. Raises PlanError where the plan names what does not exist,
    PreflightError where a target does not start, does not respond as the plan expects, or does
    not do the same work as its baseline.
    """
    groups: dict[tuple[str, ...], list[Scenario]] = {}
    for scenario in plan.scenarios:
        groups.setdefault(tuple(plan.targets_of(scenario)), []).append(scenario)
    with _services(plan, plan_file, rig, on_status):
        return [
            pair
            for targets, scenarios in groups.items()
            for pair in _check_group(plan, plan_file, rig, on_status, targets, scenarios)
        ]


@contextlib.contextmanager
def _services(plan: Plan, plan_file: str, rig: Rig, on_status: OnStatus) -> Iterator[None]:
    """Have the services run meanwhile. Raises PlanError or PreflightError if one does not."""
    if plan.services:
        on_status(f"starting {', '.join(service.name for service in plan.services)}")
    try:
        rig.services.start()
    except ServerFailedError as error:
        kind = PlanError if error.app_not_found else PreflightError
        raise kind(f"{plan_file}: {error}") from None
    try:
        yield
    except PreflightError as error:
        # What a target does without it explains less.
        raise _died(plan_file, rig) or error from None
    if died := _died(plan_file, rig):
        raise died


def _died(plan_file: str, rig: Rig) -> PreflightError | None:
    why = rig.services.why_died()
    return PreflightError(f"{plan_file}: {why}") if why else None


def _check_group(
    plan: Plan,
    plan_file: str,
    rig: Rig,
    on_status: OnStatus,
    targets: Sequence[str],
    scenarios: Sequence[Scenario],
) -> list[PreflightPair]:
    """Compare `targets` by all `scenarios`, which are measured on them."""

    def observe(names: Sequence[str]) -> list[Observation]:
        on_status(f"checking {', '.join(names)}")
        return collect(plan, plan_file, scenarios, names, rig)

    at_once = [targets] if plan.schedule == "alternating" else [[name] for name in targets]
    baseline, *others = [found for names in at_once for found in observe(names)]
    restart_at = time.monotonic() + RESTART_PAUSE_S

    @functools.cache
    def restart(name: str, start: int) -> Observation:
        on_status(f"checking target '{name}', start {start}: what changes at each?")
        with interruptible():
            time.sleep(max(0.0, restart_at - time.monotonic()))
        [observation] = collect(plan, plan_file, scenarios, [name], rig)
        return observation

    names = [scenario.name for scenario in scenarios]
    pairs = [_compare(plan, plan_file, baseline, other, restart) for other in others]
    return [pair.model_copy(update={"scenarios": names}) for pair in pairs]


def _compare(
    plan: Plan, plan_file: str, one: Observation, other: Observation, restart: Restart
) -> PreflightPair:
    expected: dict[Aspect, str] = {}
    # Differences may be declared at the baseline: it is then the one that differs from all others.
    for target in (other.target, one.target):
        if isinstance(target.expected_differences, str):
            return PreflightPair(
                baseline=one.target.name,
                candidate=other.target.name,
                requests=one.requests,
                expected_differences=target.expected_differences,
            )
        expected |= target.expected_differences or {}
    try:
        return compare(one, other, restart, expected)
    except DifferenceError as error:
        target = plan.target(error.unstable_target or other.target.name)
        # What to do stands after the diff: the first line is cut to a length.
        raise PreflightError(
            f"{plan_file}: targets[{plan.targets.index(target)}]: {error}\n{error.diff}\n"
            "Make them do the same, or declare it in the plan, with a reason:"
            f' expected_differences = {{ "{error.aspect}" = "..." }}'
        ) from None
