"""Plans of a calibration: ordinary plans whose targets are the servers with known answers.

Each window is as long as its known answer needs, about two minutes in all.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twinbench.paths import ROOT
from twinbench.plan import MAX_RATE, Plan

SERVERS = [sys.executable, "-m", "tests.instrument.servers", "{port}"]
WARM_UP_S = 0.2

# Connections of an open load: as many arrive in the longest stall that a busy machine is likely
# to have (0.25 s at 1,000 requests/s), and hundreds of idle ones cost nothing.
IN_FLIGHT = 256
IN_FLIGHT_FAST = 1024

# Item 2: one user, delays in random order, so that a slow moment slows all of them.
DELAYS_MS = (1, 2, 5, 10, 20, 50, 100)
# Items 3 and 4: the floor of a wait, from services sent like those of the queues but not queued.
UNQUEUED_MS, UNQUEUED_RATE = 2, 400
# Services short enough for thousands of them in a window, and long against the floor. The
# heaviest load gets the service whose mean wait settles soonest: with exponential services a
# queue at 85 % would leave +-20 % to chance in these 8 s, with constant ones about half of that.
QUEUE_S = 8.0
SERVICE_MS = 2.0
# Time of a service beyond what was drawn: the response has to be written. Only to come near the
# nominal load; checks compare with what the server recorded.
OVERHEAD_MS = 0.06
SERIAL = {50: "exponential", 70: "two_points", 85: "constant"}
# Like the thread pool of the sync app: 40 slots. At 90 % load the wait is a tenth of the service,
# 4 ms: enough to be read to a twentieth above a floor of 0.2.
SLOTS, POOL_SERVICE_MS, POOL_RATE = 40, 40.0, 900
# Item 5: when the freeze begins, how long it and the stop of the generator last (the latter a
# hundred arrivals, far below what ends a measurement), and the load.
FREEZE_AFTER_S, FREEZE_S, STOP_S = 0.8, 1.0, 0.5
STALL_RATE, STALL_USERS = 200, 8
# Item 6: five pairs, as a plan has them by default. 16 users at different phases give a thousand
# responses in a window, whose edges add or cut off one of them: 0.1 %.
BLOCKS, PLANTED_S = 5, 0.6
PLANTED_MS = {"base": 10.0, "same": 10.0, "plus5": 10.5, "plus20": 12.0}
USERS = 16
MANY_USERS = 32
WAIT_MS = 10
# Item 7: alternations with the bare timer loop, at this rate.
ALTERNATIONS, ARRIVALS_S = 5, 0.6
RATE = 1000
# Item 9: every tenth response is wrong.
ERRING_EVERY, ERRING_MS, ERRING_USERS = 10, 5, 4

Scenario = dict[str, Any]


class Setting(NamedTuple):
    """What the plans of one calibration share.

    `folder` gets the logs of the servers; `highest` is the rate that the generator must be able
    to send twice.
    """

    folder: Path
    seed: int
    highest: int
    processes: int


def log_of(target: str, folder: Path) -> Path:
    """Return the path, less its ending, of the logs of the servers of `target`."""
    return folder / f"server-{target}"


def plans(setting: Setting, *, wrk: bool) -> list[Plan]:
    """Return the plans of all items; that of item 10 if wrk is installed."""
    limit = min(2 * setting.highest, MAX_RATE)
    planted = _scenario("planted", *PLANTED_MS, closed=[USERS])
    poisson = _scenario("poisson", "null", open=[RATE])
    limits = _scenario("limits", "null", open=[limit], in_flight=IN_FLIGHT_FAST)
    beside_wrk = _scenario("beside_wrk", "delay", closed=[USERS], ms=[WAIT_MS])
    return [
        _plan(setting, "waits", 4.0, _waits()),
        _plan(setting, "queues", QUEUE_S, _queues()),
        # Longer than the freeze, which is no collapse.
        _plan(setting, "stalls", 2.4, _stalls(), collapse_s=3 * FREEZE_S),
        _plan(setting, "planted", PLANTED_S, [planted], blocks=BLOCKS),
        _plan(setting, "arrivals", ARRIVALS_S, [poisson], blocks=ALTERNATIONS),
        _plan(setting, "limits", 1.5, [limits]),
        _plan(setting, "responses", 1.5, _responses()),
        *[_plan(setting, "wrk", 1.0, [beside_wrk], blocks=BLOCKS)] * wrk,
    ]


def _servers(seed: int) -> dict[str, tuple[object, ...]]:
    """Return the arguments of the server of each target."""
    serial = {
        f"serial_{load}": ("queue", 1, service, SERVICE_MS, seed + load)
        for load, service in SERIAL.items()
    }
    planted = {name: ("waiting", wait_ms) for name, wait_ms in PLANTED_MS.items()}
    return {
        **serial,
        **planted,
        "pool": ("queue", SLOTS, "exponential", POOL_SERVICE_MS, seed),
        "delay": ("delay",),
        "erring": ("erring", ERRING_EVERY),
        "frozen": ("frozen", FREEZE_AFTER_S, FREEZE_S),
        "stopped": ("null",),
        "null": ("null",),
    }


def _waits() -> list[Scenario]:
    return [
        _scenario("delays", "delay", closed=[1], ms=DELAYS_MS),
        _scenario("unqueued", "delay", open=[UNQUEUED_RATE], ms=[UNQUEUED_MS]),
    ]


def _queues() -> list[Scenario]:
    rates = {f"serial_{load}": load / 100 / (SERVICE_MS + OVERHEAD_MS) * 1e3 for load in SERIAL}
    rates["pool"] = POOL_RATE
    return [_scenario(name, name, open=[round(rate)]) for name, rate in rates.items()]


def _stalls() -> list[Scenario]:
    opened: Scenario = {"open": [STALL_RATE], "arrivals": "constant", "in_flight": 2 * STALL_RATE}
    return [
        _scenario("frozen_open", "frozen", **opened),
        _scenario("frozen_closed", "frozen", closed=[STALL_USERS]),
        _scenario("stopped", "stopped", **opened),
    ]


def _responses() -> list[Scenario]:
    return [
        _scenario("crowd", "delay", closed=[MANY_USERS], ms=[WAIT_MS]),
        _scenario("erring", "erring", closed=[ERRING_USERS], ms=[ERRING_MS]),
        _scenario("constant", "null", open=[RATE], arrivals="constant"),
    ]


def _scenario(name: str, *targets: str, ms: Sequence[float] = (0,), **loads: Any) -> Scenario:
    requests = [{"path": f"/wait?ms={wait_ms}"} for wait_ms in ms]
    table = {"name": name, "targets": list(targets), "requests": requests}
    return table | {"in_flight": IN_FLIGHT} | loads


def _plan(
    setting: Setting, name: str, measure_s: float, scenarios: list[Scenario], **more: Any
) -> Plan:
    used = {target for scenario in scenarios for target in scenario["targets"]}
    targets = [
        {
            "name": target,
            "command": [*SERVERS, str(log_of(target, setting.folder)), *map(str, arguments)],
            "cwd": ROOT,
        }
        for target, arguments in _servers(setting.seed).items()
        if target in used
    ]
    table = {"name": name, "seed": setting.seed, "processes": setting.processes, "blocks": 1}
    table |= {"measure_s": measure_s, "warmup_s": WARM_UP_S}
    return Plan.model_validate(table | {"targets": targets, "scenarios": scenarios} | more)
