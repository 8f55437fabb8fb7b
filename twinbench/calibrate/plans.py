"""What calibration drives: ordinary plans, whose targets are the servers with known answers.

Every window is as long as its answer needs, and no longer: about two minutes in all.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twinbench.paths import ROOT
from twinbench.plan import MAX_RATE, Plan

SERVERS = [sys.executable, "-m", "twinbench.calibrate.servers", "{port}"]
WARM_UP_S, SHORT_WARM_UP_S = 0.2, 0.1

# Connections of an open load: so many arrive in the longest stall that a busy machine is likely
# to see (0.25 s at 1,000 a second), and hundreds of idle ones cost nothing.
IN_FLIGHT = 256
IN_FLIGHT_FAST = 1024

# Item 2: one user, who is given these in random order, so that a slow minute slows all of them.
DELAYS_MS = (1, 2, 5, 10, 20, 50, 100)
SHORT_DELAYS_MS = (1, 10, 50)
# Items 3 and 4: the waits without a queue, sent as the queues are: their floor.
UNQUEUED_MS, UNQUEUED_RATE = 2, 400
# Services short enough for thousands of them in a window, and long against the floor. The
# heaviest load gets the service whose mean wait settles soonest: with exponential services a
# queue at 85 % would leave +-20 % to chance in these 8 s, with constant ones about half of that.
QUEUE_S = 8.0
SERVICE_MS = 2.0
# What a service takes beyond what was drawn: the answer has to be written. Only to come near the
# load that is named; what is compared is what was noted.
OVERHEAD_MS = 0.06
SERIAL = {50: "exponential", 70: "two_points", 85: "constant"}
# As the thread pool of the sync twin: 40 places. At 90 % load the wait is a tenth of the service,
# 4 ms: enough to be read off to a twentieth above a floor of 0.2.
PLACES, POOL_SERVICE_MS, POOL_RATE = 40, 40.0, 900
# Item 5: what stands still, when, for how long; the load beside it.
FREEZE_AFTER_S, FREEZE_S = 0.8, 1.0
STALL_RATE, STALL_USERS = 200, 8
# Item 6: five pairs, as a plan has them by default. 16 users who come at different moments give a
# thousand answers in a window, and its edges cut off or add one of them: 0.1 %.
BLOCKS, PLANTED_S = 5, 0.6
PLANTED_MS = {"base": 10.0, "same": 10.0, "plus5": 10.5, "plus20": 12.0}
USERS = 16
MANY_USERS = 32
WAIT_MS = 10
# Item 7: alternations with the bare timer loop, at this rate.
ALTERNATIONS, ARRIVALS_S = 5, 0.6
RATE = 1000
# Item 9: every tenth answer is wrong.
ERRING_EVERY, ERRING_MS, ERRING_USERS = 10, 5, 4


class Setting(NamedTuple):
    """What the plans of one calibration share: where its servers log, the seed of its draws, the
    rate that the generator must send twice, and the processes of the generator."""

    logs: Path
    seed: int
    highest: int
    processes: int

    def plan(
        self,
        name: str,
        measure_s: float,
        targets: list[dict[str, Any]],
        scenarios: list[dict[str, Any]],
        **more: Any,
    ) -> Plan:
        table = {"name": name, "seed": self.seed, "processes": self.processes, "blocks": 1}
        table |= {"measure_s": measure_s, "warmup_s": WARM_UP_S}
        return Plan.model_validate(table | {"targets": targets, "scenarios": scenarios} | more)

    def target(self, name: str, *serve: object) -> dict[str, Any]:
        """The server `serve`, which logs to a folder of its name."""
        command = [*SERVERS, str(self.logs / name), *(str(part) for part in serve)]
        return {"name": name, "command": command, "cwd": ROOT}


def full(setting: Setting) -> list[Plan]:
    return [
        _waits(setting),
        _queues(setting),
        _stalls(setting),
        _planted(setting),
        _arrivals(setting, ALTERNATIONS, ARRIVALS_S),
        _limits(setting, 1.5),
        _answers(setting),
    ]


def short(setting: Setting) -> list[Plan]:
    """What can be asked before each run, in five seconds: eight answers of each delay, 800
    arrivals in two alternations."""
    scenarios = [_delays(SHORT_DELAYS_MS)]
    found = [
        setting.plan("waits", 0.5, [setting.target("delay", "delay")], scenarios),
        _limits(setting, 0.3),
        _arrivals(setting, 2, 0.4),
    ]
    return [plan.model_copy(update={"warmup_s": SHORT_WARM_UP_S}) for plan in found]


def with_wrk(setting: Setting) -> Plan:
    """Item 10, where wrk is installed: the same waits by turns."""
    scenarios = [_scenario("beside_wrk", ["delay"], closed=[USERS], ms=[WAIT_MS])]
    return setting.plan("wrk", 1.0, [setting.target("delay", "delay")], scenarios, blocks=BLOCKS)


def _waits(setting: Setting) -> Plan:
    scenarios = [
        _delays(DELAYS_MS),
        _scenario("unqueued", ["delay"], open=[UNQUEUED_RATE], ms=[UNQUEUED_MS]),
    ]
    return setting.plan("waits", 4.0, [setting.target("delay", "delay")], scenarios)


def _delays(delays: Sequence[int]) -> dict[str, Any]:
    return _scenario("delays", ["delay"], closed=[1], ms=delays)


def _queues(setting: Setting) -> Plan:
    targets, scenarios = [], []
    for load, service in SERIAL.items():
        name, rate = f"serial_{load}", round(load / 100 / (SERVICE_MS + OVERHEAD_MS) * 1e3)
        queue = ("queue", 1, service, SERVICE_MS, setting.seed + load)
        targets.append(setting.target(name, *queue))
        scenarios.append(_scenario(name, [name], open=[rate]))
    queue = ("queue", PLACES, "exponential", POOL_SERVICE_MS, setting.seed)
    targets.append(setting.target("pool", *queue))
    scenarios.append(_scenario("pool", ["pool"], open=[POOL_RATE]))
    return setting.plan("queues", QUEUE_S, targets, scenarios)


def _stalls(setting: Setting) -> Plan:
    targets = [
        setting.target("frozen", "frozen", FREEZE_AFTER_S, FREEZE_S),
        setting.target("held", "null"),
    ]
    spread: dict[str, Any] = {
        "open": [STALL_RATE],
        "arrivals": "constant",
        "in_flight": 2 * STALL_RATE,
    }
    scenarios = [
        _scenario("frozen_open", ["frozen"], **spread),
        _scenario("frozen_closed", ["frozen"], closed=[STALL_USERS]),
        _scenario("held", ["held"], **spread),
    ]
    # Longer than the freeze, which is no collapse.
    return setting.plan("stalls", 2.4, targets, scenarios, collapse_s=3 * FREEZE_S)


def _planted(setting: Setting) -> Plan:
    """Targets that are the same server, asked alike, but for what is planted."""
    targets = [setting.target(name, "waiting", wait_ms) for name, wait_ms in PLANTED_MS.items()]
    scenarios = [_scenario("planted", list(PLANTED_MS), closed=[USERS])]
    return setting.plan("planted", PLANTED_S, targets, scenarios, blocks=BLOCKS)


def _arrivals(setting: Setting, alternations: int, measure_s: float) -> Plan:
    scenarios = [_scenario("poisson", ["null"], open=[RATE])]
    targets = [setting.target("null", "null")]
    return setting.plan("arrivals", measure_s, targets, scenarios, blocks=alternations)


def _limits(setting: Setting, measure_s: float) -> Plan:
    """The floor and the ceiling: one user, as many as keep it busy, twice the highest rate."""
    loads: dict[str, Any] = {
        "closed": [1, USERS],
        "open": [min(2 * setting.highest, MAX_RATE)],
        "in_flight": IN_FLIGHT_FAST,
    }
    targets = [setting.target("null", "null")]
    return setting.plan("limits", measure_s, targets, [_scenario("limits", ["null"], **loads)])


def _answers(setting: Setting) -> Plan:
    targets = [
        setting.target("delay", "delay"),
        setting.target("erring", "erring", ERRING_EVERY),
        setting.target("null", "null"),
    ]
    scenarios = [
        _scenario("crowd", ["delay"], closed=[MANY_USERS], ms=[WAIT_MS]),
        _scenario("erring", ["erring"], closed=[ERRING_USERS], ms=[ERRING_MS]),
        _scenario("constant", ["null"], open=[RATE], arrivals="constant"),
    ]
    return setting.plan("answers", 1.5, targets, scenarios)


def _scenario(
    name: str, targets: list[str], *, ms: Sequence[float] = (0,), **loads: Any
) -> dict[str, Any]:
    table = {"name": name, "targets": targets, "in_flight": IN_FLIGHT} | loads
    return table | {"requests": [{"path": f"/wait?ms={wait_ms}"} for wait_ms in ms]}
