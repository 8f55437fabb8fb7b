"""Plans of `compare_power`: the CI plan without a change, and with slowdowns planted in it.

A comparison of the CI plan has three targets, `base`, `head` and `base_again`. Here the head of
all its scenarios is `same`, which is no other app. Beside them, each slowdown has a scenario of
its own with a head of its own, at one load of the CI plan, so that three targets take turns there
too. A comparison with a planted slowdown is the CI plan with this scenario in the place of its
original (`power_analysis`): a commit that slows one route.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from twinbench.analyse.results import Results
from twinbench.plan import Plan, PlanError, Scenario, Target, read_plan
from twinbench.plan.duration import USUAL_NOISE, all_loads, fitted
from twinbench.store import StoreError
from twinbench.text import parse_duration, toml
from twinbench.versions.result import BASE, BASE_AGAIN

Kind = Literal["busy", "wait"]
# The scenario that is slowed, whose requests hardly cost anything beside what is planted.
SCENARIOS: dict[Kind, str] = {"busy": "read_post", "wait": "wait"}
# And which of its closed loads: the most users keep the server busy, so that its CPU time decides;
# with the fewest it has time left, so that waits are not hidden by computing.
USERS: dict[Kind, Callable[[Iterable[int]], int]] = {"busy": max, "wait": min}
# In percent of the time that a request takes: of 10 % slower requests there are 1 / 1.1 as many.
LEVELS = (3, 5, 10, 20, 30)
SAME = "same"  # the head without a change
RUN_NAME, CALIBRATION_NAME = "power", "power_calibration"  # of plans
CI_APP, PLANTED_APP = "apps.async_app.main:app", "tests.benchmarks.planted_app:app"
# Start of a server (docs/decisions/0019-targets-take-turns.md: a pair starts in 1.3 s), and an
# allowance for the preflight, self-check and report of a comparison of the CI plan.
START_S, CHECKS_S = 0.7, 45.0
# Heads of the calibration. As many loops double the CPU time of a request, or nearly.
LOOPS, WAITS, CALIBRATION_LOOPS, CALIBRATION_WAIT_MS = "loops", "waits", 100_000, 10.0
CALIBRATION_BLOCKS = 6  # which know a mean within some percent


@dataclass(frozen=True, slots=True)
class Planted:
    """Slowdown of each request; its target and its scenario have its name."""

    kind: Kind
    percent: int

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.percent}"


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of a request without a slowdown, of a round of the planted loop, and of a wait.

    A wait takes `timer_ms` longer than asked for.
    """

    cpu_ms: float
    loop_ms: float
    response_ms: float
    timer_ms: float

    def settings(self, planted: Planted) -> dict[str, str]:
        """Return the environment of the planted app."""
        share = planted.percent / 100
        if planted.kind == "busy":
            return {"PLANTED_LOOPS": str(round(share * self.cpu_ms / self.loop_ms))}
        wait_ms = max(0.0, share * self.response_ms - self.timer_ms)
        return {"PLANTED_WAIT_MS": f"{wait_ms:.3f}"}


def planted_of(plan: Plan) -> list[Planted]:
    """Return the slowdowns that a plan has."""
    every = [Planted(kind, percent) for kind in SCENARIOS for percent in LEVELS]
    names = [target.name for target in plan.targets]
    return [planted for planted in every if planted.name in names]


def ci_plan(file: Path, time: str | None = None) -> Plan:
    """Return the CI plan without a change: `base`, `same` and `base_again` at all its loads.

    `time` replaces that of the plan. Raises PlanError.
    """
    plan = read_plan(file, {"time": time})
    apps = [target for target in plan.targets if target.app == CI_APP]
    if not apps:
        raise PlanError(f"{file}: no target has the app {CI_APP}, whose slowdowns are planned")
    for name in SCENARIOS.values():
        if not any(scenario.name == name and scenario.closed for scenario in plan.scenarios):
            raise PlanError(f"{file}: there is no scenario '{name}' with closed loads")
    targets = [_target(apps[0], name) for name in (BASE, SAME, BASE_AGAIN)]
    scenarios = [each.model_copy(update={"targets": []}) for each in plan.scenarios]
    plan = plan.model_copy(update={"targets": targets, "scenarios": scenarios})
    if not plan.time:
        return plan
    seconds = parse_duration(plan.time) - CHECKS_S
    try:
        plan = fitted(plan, seconds, START_S, USUAL_NOISE, among=all_loads(plan))
    except ValueError as error:
        raise PlanError(f"{file}: time = {plan.time}: {error}: give more time") from None
    return plan.model_copy(update={"time": None, "precision": None})


def calibration_plan(ci: Plan) -> Plan:
    """Return the plan that measures what `Costs` holds."""
    app = ci.targets[0]
    heads = {
        "busy": _target(app, LOOPS, {"PLANTED_LOOPS": str(CALIBRATION_LOOPS)}),
        "wait": _target(app, WAITS, {"PLANTED_WAIT_MS": str(CALIBRATION_WAIT_MS)}),
    }
    return _plan(
        ci,
        name=CALIBRATION_NAME,
        blocks=CALIBRATION_BLOCKS,
        targets=[app, *heads.values()],
        scenarios=[
            _slowed(ci, kind).model_copy(update={"targets": [BASE, heads[kind].name]})
            for kind in SCENARIOS
        ],
    )


def costs_of(calibration: Results) -> Costs:
    """Return the costs that a calibration found. Raises StoreError if it found none."""
    cpu_ms, loops_ms = _median_costs(calibration, "busy", LOOPS)
    response_ms, wait_ms = _median_costs(calibration, "wait", WAITS)
    if min(cpu_ms, loops_ms, response_ms, wait_ms) <= 0:
        raise StoreError(
            f"{calibration.run}: the calibration has too few valid measurements; remove its folder"
            " and start again on a quiet machine"
        )
    return Costs(
        cpu_ms=cpu_ms,
        loop_ms=loops_ms / CALIBRATION_LOOPS,
        response_ms=response_ms,
        timer_ms=wait_ms - CALIBRATION_WAIT_MS,
    )


def _median_costs(calibration: Results, kind: Kind, head: str) -> tuple[float, float]:
    """Return the cost of a request of base, and what one of `head` costs more; 0 if not known.

    Both are medians over blocks, in which base and head were measured together.
    """
    costs: dict[str, dict[int, float]] = {BASE: {}, head: {}}
    for cell in calibration.cells:
        cost_ms = cell.server_cpu_ms if kind == "busy" else cell.service_ms.mean
        if (cell.scenario, cell.status) == (SCENARIOS[kind], "valid") and cost_ms:
            costs[cell.target][cell.block] = cost_ms
    pairs = [(ms, costs[head][block]) for block, ms in costs[BASE].items() if block in costs[head]]
    if not pairs:
        return 0.0, 0.0
    return median(base for base, _ in pairs), median(slowed - base for base, slowed in pairs)


def power_plan(ci: Plan, costs: Costs, slowdowns: Sequence[Planted], seed: int) -> Plan:
    """Return the CI plan with a scenario for each of `slowdowns`."""
    app = ci.targets[0]
    unchanged = [target.name for target in ci.targets]
    slowed = [_target(app, planted.name, costs.settings(planted)) for planted in slowdowns]
    return _plan(
        ci,
        name=RUN_NAME,
        seed=seed,
        # Heads with one scenario only are as fresh as the base that they are compared with.
        fresh_servers="scenario",
        targets=[*ci.targets, *slowed],
        scenarios=[
            *(scenario.model_copy(update={"targets": unchanged}) for scenario in ci.scenarios),
            *_planted_scenarios(ci, slowdowns),
        ],
    )


def _planted_scenarios(ci: Plan, slowdowns: Sequence[Planted]) -> Iterator[Scenario]:
    for planted in slowdowns:
        title = f"{SCENARIOS[planted.kind]}, {planted.kind} {planted.percent} %"
        targets = [BASE, planted.name, BASE_AGAIN]
        update = {"name": planted.name, "title": title, "targets": targets}
        yield _slowed(ci, planted.kind).model_copy(update=update)


def _slowed(ci: Plan, kind: Kind) -> Scenario:
    """Return the scenario that is slowed, at one load."""
    scenario = ci.scenario(SCENARIOS[kind])
    return scenario.model_copy(update={"closed": [USERS[kind](scenario.closed)], "open": []})


def _target(app: Target, name: str, slowdown: Mapping[str, str] | None = None) -> Target:
    update: dict[str, object] = {"name": name, "title": "", "app": PLANTED_APP}
    if slowdown:
        update["env"] = app.env | dict(slowdown)
        update["expected_differences"] = {"environment": "a planted slowdown"}
    return app.model_copy(update=update)


def _plan(ci: Plan, **changes: object) -> Plan:
    return Plan.model_validate({**dict(ci), "about": "", **changes})


def plan_text(plan: Plan) -> str:
    """Return a plan as TOML, complete: no key refers to another file's place."""
    table = plan.model_dump(mode="json", exclude_defaults=True)
    return "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
