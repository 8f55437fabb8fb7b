"""What calibration drives: ordinary plans, whose targets are the servers with known answers.

Every window is as long as its answer needs, and no longer: about two minutes in all.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twinbench.plan import ROOT, Plan

SERVERS = [sys.executable, "-m", "twinbench.calibrate.servers", "{port}"]
WARM_UP_S = 0.2

# Item 2: one user, who is given these in random order, so that a slow minute slows all of them.
DELAYS_MS = (1, 2, 5, 10, 20, 50, 100)
SHORT_DELAYS_MS = (1, 5, 20)
# Items 3 and 4: the waits without a queue, sent as the queues are: their floor.
UNQUEUED_MS, UNQUEUED_RATE = 2, 400
# Services short enough for thousands of them in a window, and long against the floor. The
# heaviest load gets the service whose mean wait settles soonest: with exponential services a
# queue at 85 % would leave +-20 % to chance in these 8 s, with constant ones about half of that.
QUEUE_S = 8.0
SERVICE_MS = 2.0
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
# Item 7: three alternations with the bare timer loop, of a second each, at this rate.
ALTERNATIONS, ARRIVALS_S = 3, 1.0
RATE = 1000
# Item 9: every tenth answer is wrong.
ERRING_EVERY, ERRING_MS, ERRING_USERS = 10, 5, 4


def full(logs: Path, seed: int, highest: int, processes: int) -> list[Plan]:
    """All plans; `highest` is the rate that the generator must send twice."""
    return [
        _waits(logs, seed, 4.0, DELAYS_MS),
        _queues(logs, seed),
        _stalls(logs, seed),
        _planted(logs, seed),
        _arrivals(logs, seed, ALTERNATIONS),
        _limits(logs, seed, 1.5, highest, processes),
        _answers(logs, seed),
    ]


def short(logs: Path, seed: int, highest: int, processes: int) -> list[Plan]:
    """What can be asked before each run: 20 answers of each delay, a thousand arrivals."""
    scenarios = [_delays(SHORT_DELAYS_MS)]
    return [
        _plan("waits", seed, 0.6, [_target(logs, "delay", "delay")], scenarios),
        _limits(logs, seed, 0.5, highest, processes),
        _arrivals(logs, seed, 1),
    ]


def with_wrk(logs: Path, seed: int) -> Plan:
    """Item 10, where wrk is installed: the same waits by turns."""
    scenarios = [_scenario("beside_wrk", ["delay"], closed=[USERS], ms=[10])]
    return _plan("wrk", seed, 1.0, [_target(logs, "delay", "delay")], scenarios, blocks=BLOCKS)


def _waits(logs: Path, seed: int, measure_s: float, delays: Sequence[int]) -> Plan:
    scenarios = [
        _delays(delays),
        _scenario("unqueued", ["delay"], open=[UNQUEUED_RATE], ms=[UNQUEUED_MS]),
    ]
    return _plan("waits", seed, measure_s, [_target(logs, "delay", "delay")], scenarios)


def _delays(delays: Sequence[int]) -> dict[str, Any]:
    return _scenario("delays", ["delay"], closed=[1], ms=delays)


def _queues(logs: Path, seed: int) -> Plan:
    targets, scenarios = [], []
    for load, service in SERIAL.items():
        name = f"serial_{load}"
        queue = ("queue", 1, service, SERVICE_MS, seed + load)
        targets.append(_target(logs, name, *queue))
        scenarios.append(_scenario(name, [name], open=[round(load / 100 / SERVICE_MS * 1e3)]))
    targets.append(_target(logs, "pool", "queue", PLACES, "exponential", POOL_SERVICE_MS, seed))
    scenarios.append(_scenario("pool", ["pool"], open=[POOL_RATE]))
    return _plan("queues", seed, QUEUE_S, targets, scenarios)


def _stalls(logs: Path, seed: int) -> Plan:
    targets = [
        _target(logs, "frozen", "frozen", FREEZE_AFTER_S, FREEZE_S),
        _target(logs, "held", "null"),
    ]
    spread = {"open": [STALL_RATE], "arrivals": "constant"}
    scenarios = [
        _scenario("frozen_open", ["frozen"], **spread),
        _scenario("frozen_closed", ["frozen"], closed=[STALL_USERS]),
        _scenario("held", ["held"], **spread),
    ]
    # Longer than the freeze, which is no collapse.
    return _plan("stalls", seed, 2.4, targets, scenarios, collapse_s=3 * FREEZE_S)


def _planted(logs: Path, seed: int) -> Plan:
    """Targets that are the same server, asked alike, but for what is planted."""
    targets = [_target(logs, name, "waiting", wait_ms) for name, wait_ms in PLANTED_MS.items()]
    scenarios = [_scenario("planted", list(PLANTED_MS), closed=[USERS])]
    return _plan("planted", seed, PLANTED_S, targets, scenarios, blocks=BLOCKS)


def _arrivals(logs: Path, seed: int, alternations: int) -> Plan:
    scenarios = [_scenario("poisson", ["null"], open=[RATE])]
    targets = [_target(logs, "null", "null")]
    return _plan("arrivals", seed, ARRIVALS_S, targets, scenarios, blocks=alternations)


def _limits(logs: Path, seed: int, measure_s: float, highest: int, processes: int) -> Plan:
    """The floor and the ceiling: one user, as many as keep it busy, twice the highest rate."""
    scenarios = [_scenario("limits", ["null"], closed=[1, USERS], open=[2 * highest])]
    targets = [_target(logs, "null", "null")]
    return _plan("limits", seed, measure_s, targets, scenarios, processes=processes)


def _answers(logs: Path, seed: int) -> Plan:
    targets = [
        _target(logs, "delay", "delay"),
        _target(logs, "erring", "erring", ERRING_EVERY),
        _target(logs, "null", "null"),
    ]
    scenarios = [
        _scenario("crowd", ["delay"], closed=[MANY_USERS], ms=[10]),
        _scenario("erring", ["erring"], closed=[ERRING_USERS], ms=[ERRING_MS]),
        _scenario("constant", ["null"], open=[RATE], arrivals="constant"),
    ]
    return _plan("answers", seed, 1.5, targets, scenarios)


def _plan(
    name: str,
    seed: int,
    measure_s: float,
    targets: list[dict[str, Any]],
    scenarios: list[dict[str, Any]],
    **more: Any,
) -> Plan:
    table = {"name": name, "seed": seed, "measure_s": measure_s, "warmup_s": WARM_UP_S}
    table |= {"blocks": 1, "targets": targets, "scenarios": scenarios}
    return Plan.model_validate(table | more)


def _target(logs: Path, name: str, *serve: object) -> dict[str, Any]:
    """The server `serve`, which logs to a folder of its name."""
    command = [*SERVERS, str(logs / name), *(str(part) for part in serve)]
    return {"name": name, "command": command, "cwd": ROOT}


def _scenario(
    name: str, targets: list[str], *, ms: Sequence[float] = (0,), **loads: Any
) -> dict[str, Any]:
    requests = [{"path": f"/wait?ms={wait_ms}"} for wait_ms in ms]
    return {"name": name, "kind": "io", "targets": targets, "requests": requests} | loads
