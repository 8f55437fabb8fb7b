"""Preflight of a plan: every target against the baseline of its scenarios.

Unless they do the same work, a ratio between two apps says which of them does less.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from twinbench.interruption import interruptible
from twinbench.measure.postgres import uses_postgres
from twinbench.measure.rig import Rig
from twinbench.measure.server import ServerFailedError
from twinbench.plan import REQUEST_ASPECTS, Aspect, Plan, PlanError, Scenario
from twinbench.preflight.collect import Observation, collect
from twinbench.preflight.compare import MAX_STARTS, Restart, compare
from twinbench.preflight.findings import (
    DECLARE,
    Difference,
    Problem,
    difference_lines,
    lines_to_declare,
    problem_lines,
    summary,
)
from twinbench.preflight.result import (
    DeclaredDifference,
    DifferentError,
    PreflightError,
    PreflightPair,
)

OnStatus = Callable[[str], None]

# Between first and second starts: times in whole seconds must have changed.
RESTART_PAUSE_S = 1.1
# Where a start with all requests takes long (background tasks of seconds), there are fewer than
# MAX_STARTS: a value of few that is random is then more often taken for a difference.
RESTARTS_S = 60.0
AFTER_PROBLEMS = "Differences may follow from the problems above:"


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found of a plan so far."""

    pairs: list[PreflightPair] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class VersionNames:
    """Names of targets that are versions of one target of the plan file.

    `target`: its name, where differences of all are declared: also of base again, as what an app
    seeds at random differs from folder to folder. `labels`: how errors name each of them.
    """

    target: str
    labels: Mapping[str, str]


class _UnstableError(Exception):
    """Target that started well, and not when it was started again."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].sentence)
        self.problems = problems


def check(
    plan: Plan,
    plan_file: str,
    rig: Rig,
    on_status: OnStatus,
    versions: VersionNames | None = None,
) -> list[PreflightPair]:
    """Start the targets, send each every request, and compare it with its baseline.

    Scenarios that are measured on the same targets share their servers, which run at once if
    they do when they are measured. Raises PlanError where the plan names what does not exist,
    PreflightError with everything that was found where a target does not start, does not respond
    as the plan expects, or does not do the same work as its baseline.
    """
    groups: dict[tuple[str, ...], list[Scenario]] = {}
    for scenario in plan.scenarios:
        groups.setdefault(tuple(plan.targets_of(scenario)), []).append(scenario)
    found = _Found()
    labels = versions.labels if versions else _places(plan, plan_file)
    with _services(plan, plan_file, rig, on_status):
        for targets, scenarios in groups.items():
            _check_group(plan, labels, rig, on_status, targets, scenarios, found)
        _refuse(plan, plan_file, found, versions)
    return found.pairs


def _places(plan: Plan, plan_file: str) -> dict[str, str]:
    """Return how errors name targets, by their places in the plan file."""
    return {
        target.name: f"{plan_file}: targets[{number}]: '{target.name}'"
        for number, target in enumerate(plan.targets)
    }


@contextlib.contextmanager
def _services(plan: Plan, plan_file: str, rig: Rig, on_status: OnStatus) -> Iterator[None]:
    """Have the services run meanwhile. Raises PlanError or PreflightError if one does not."""
    if plan.services:
        on_status(f"starting {', '.join(service.name for service in plan.services)}")
    try:
        rig.services.start()
        if any(map(uses_postgres, plan.targets)):
            on_status("starting PostgreSQL")
        rig.databases.start()
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
    why = rig.services.why_died() or rig.databases.why_died()
    return PreflightError(f"{plan_file}: {why}") if why else None


def _check_group(
    plan: Plan,
    labels: Mapping[str, str],
    rig: Rig,
    on_status: OnStatus,
    targets: Sequence[str],
    scenarios: Sequence[Scenario],
    found: _Found,
) -> None:
    """Compare `targets` by all `scenarios`, which are measured on them."""
    began_s = time.monotonic()

    def observe(names: Sequence[str]) -> list[Observation]:
        on_status(f"checking {', '.join(names)}")
        return collect(plan, labels, scenarios, names, rig)

    at_once = [targets] if plan.schedule == "alternating" else [[name] for name in targets]
    observed = [each for names in at_once for each in observe(names)]
    found.problems.extend(problem for each in observed for problem in each.problems)
    restart_at = time.monotonic() + RESTART_PAUSE_S
    again = int(RESTARTS_S / (time.monotonic() - began_s))
    starts = min(MAX_STARTS, max(2, 1 + again))
    first = {each.target.name: each for each in observed}

    @functools.cache
    def restart(name: str, start: int) -> Observation:
        on_status(f"checking target '{name}', start {start}: what changes at each?")
        with interruptible():
            time.sleep(max(0.0, restart_at - time.monotonic()))
        [observation] = collect(plan, labels, scenarios, [name], rig)
        if new := _new_problems(first[name], observation):
            raise _UnstableError(new)
        return observation

    baseline, *others = observed
    pairs = []
    for other in others:
        try:
            pairs.append(_compare(scenarios, baseline, other, restart, starts, found))
        except _UnstableError as error:
            found.problems.extend(error.problems)
    shared = {"scenarios": [each.name for each in scenarios], "took_s": time.monotonic() - began_s}
    found.pairs.extend(pair.model_copy(update=shared) for pair in pairs)


def _new_problems(first: Observation, again: Observation) -> list[Problem]:
    known = {problem.place for problem in first.problems}
    return [problem for problem in again.problems if problem.place not in known]


def _compare(
    scenarios: Sequence[Scenario],
    one: Observation,
    other: Observation,
    restart: Restart,
    starts: int,
    found: _Found,
) -> PreflightPair:
    # Differences may be declared at the baseline: it is then the one that differs from all others.
    for target in (other.target, one.target):
        if isinstance(target.expected_differences, str):
            return PreflightPair(
                baseline=one.target.name,
                candidate=other.target.name,
                requests=one.requests,
                expected_differences=target.expected_differences,
            )
    pair, differences = compare(one, other, restart, list(_declared(scenarios, one, other)), starts)
    found.differences.extend(differences)
    return pair


def _declared(
    scenarios: Sequence[Scenario], one: Observation, other: Observation
) -> Iterator[DeclaredDifference]:
    """Yield the differences that the plan declares for a pair and its scenarios."""
    seen: set[Aspect] = set()
    for target in (other.target, one.target):
        expected = target.expected_differences
        for aspect, reason in expected.items() if isinstance(expected, dict) else ():
            if aspect not in seen:
                yield DeclaredDifference(aspect=aspect, target=target.name, reason=reason)
            seen.add(aspect)
    for scenario in scenarios:
        reasons = scenario.expected_differences or {}
        if isinstance(reasons, str):
            reasons = dict.fromkeys(REQUEST_ASPECTS, reasons)
        for aspect, reason in reasons.items():
            yield DeclaredDifference(aspect=aspect, scenario=scenario.name, reason=reason)


def _refuse(plan: Plan, plan_file: str, found: _Found, versions: VersionNames | None) -> None:
    """Raise what was found, if anything: PlanError if the plan is all that is wrong.

    What a version lacks is no fault of the plan.
    """
    problems, differences = list(dict.fromkeys(found.problems)), found.differences
    if versions:  # base again has those of base, with other paths in their texts
        problems = list({each.whole_place: each for each in reversed(problems)}.values())[::-1]
    if not problems and not differences:
        return
    of_plan = not versions and all(problem.is_plan_error for problem in problems)
    if not differences and of_plan:
        raise PlanError("; ".join(problem.sentence for problem in problems))
    if not differences and len({problem.whole_place for problem in problems}) == 1:
        raise PreflightError(problems[0].sentence)
    lines = [f"{plan_file}: {summary(problems, differences)}", *problem_lines(problems)]
    if problems and differences:
        lines += ["", AFTER_PROBLEMS]
    if differences:
        lines += difference_lines(differences)
        declared_at = dict.fromkeys(versions.labels, versions.target) if versions else {}
        lines += ["", DECLARE, *lines_to_declare(plan, differences, declared_at)]
    message = "\n".join(lines)
    if problems:
        raise PreflightError(message)
    raise DifferentError(message, frozenset(each.target for each in differences))
