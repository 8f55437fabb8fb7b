"""Self-check before a run: floor, arrival lag and headroom of the load generator.

It takes five seconds and is measured by the processes that measure the run, on the same
cores, with a server that does nothing.
"""

import functools
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twinbench import campaign
from twinbench.interruption import interruptible
from twinbench.measure import machine
from twinbench.measure.processes import Child
from twinbench.measure.rig import Rig
from twinbench.plan import MAX_RATE, Plan, cells
from twinbench.scratch import scratch
from twinbench.selfcheck.evaluate import evaluate
from twinbench.selfcheck.null_server import BACKLOG
from twinbench.selfcheck.result import SelfCheck
from twinbench.store import CellRecord, StoreError, atomic_write, now, runs_of
from twinbench.text import UserError

HERE = Path(__file__).parent
WARM_UP_S = 0.1
# Users that keep the null server busy.
USERS = 16
# Connections of an open load: as many arrive in the longest stall that a busy machine is likely
# to have (0.25 s at 1,000 requests/s), and hundreds of idle ones cost nothing.
IN_FLIGHT, IN_FLIGHT_FAST = 256, 1024
LIMITS_S = 0.3
# Generator and timer loop in turns: 800 arrivals of each.
LAG_RATE, LAG_S, ALTERNATIONS = 1000, 0.4, 2
# Throughput of `noop` in the async app with many users, on the class of machine that this was
# made on (`make bench` measures it): taken where nothing is known.
USUAL_RPS = 6_000
SLACK_S = 20.0


class SelfCheckError(UserError):
    """A self-check that could not be carried out: one sentence."""


def run_self_check(rig: Rig, runs: Path) -> SelfCheck:
    """Measure and evaluate, with the processes of `rig`. Raises SelfCheckError."""
    if not machine.has_timerfd():
        raise SelfCheckError("it sends open loads, which need Linux (timerfd)")
    started = now()
    with scratch() as folder:
        limits, arrivals = plans(rig.plan, highest_rate(rig.plan, runs))
        measure_plan(limits, rig, folder / "runs")

        def alternate(record: CellRecord) -> None:
            bare_timer(rig, LAG_RATE, LAG_S, folder, record.block)

        measure_plan(arrivals, rig, folder / "runs", alternate)
        try:
            return evaluate(folder, started)
        except ValueError as error:
            raise SelfCheckError(str(error)) from None


def plans(plan: Plan, highest: int) -> tuple[Plan, Plan]:
    """Return the plans of the limits (floor, capacity, headroom) and of the arrival lag."""
    command = [sys.executable, str(HERE / "null_server.py"), "{port}"]
    null = {"name": "null", "command": command, "backlog": BACKLOG}
    common = {
        "seed": plan.seed,
        "processes": plan.processes,
        "warmup_s": WARM_UP_S,
        "targets": [null],
    }

    def plan_of(name: str, blocks: int, measure_s: float, **loads: Any) -> Plan:
        scenario = {"name": name, "requests": [{"path": "/"}], **loads}
        own = {"name": name, "blocks": blocks, "measure_s": measure_s, "scenarios": [scenario]}
        return Plan.model_validate(common | own)

    twice = min(2 * highest, MAX_RATE)
    return (
        plan_of("limits", 1, LIMITS_S, closed=[1, USERS], open=[twice], in_flight=IN_FLIGHT_FAST),
        plan_of("arrivals", ALTERNATIONS, LAG_S, open=[LAG_RATE], in_flight=IN_FLIGHT),
    )


def measure_plan(
    plan: Plan, rig: Rig, runs: Path, on_record: Callable[[CellRecord], None] = lambda _: None
) -> None:
    """Measure all cells of `plan` into a run folder under `runs`."""
    store = campaign.new_run(plan, "", rig.cores, runs)
    campaign.run(store, cells(plan), functools.partial(rig.measure, plan=plan), on_record)


def bare_timer(rig: Rig, rate: int, seconds: float, folder: Path, number: int) -> None:
    """Keep the lags of a bare timer loop on the generator's cores in `timer-<number>.json`."""
    command = [sys.executable, str(HERE / "bare_timer.py"), str(rate), str(seconds), str(number)]
    text = output(command, rig.cores.generator, folder, seconds)
    atomic_write(folder / f"timer-{number}.json", text)


def output(command: Sequence[str], cores: Sequence[int], folder: Path, seconds: float) -> str:
    """Return what `command`, which takes `seconds`, prints on `cores`; its log is in `folder`.

    Raises SelfCheckError if it prints nothing.
    """
    name = Path(command[0]).name
    child = Child(command, log=folder / f"{name}.log", cores=cores, piped=True)
    limit = threading.Timer(seconds + SLACK_S, child.stop)
    limit.start()
    try:
        with interruptible():
            text = child.stdout.read().decode()
    finally:
        limit.cancel()
        limit.join()
        child.stop()
    if not text:
        raise SelfCheckError(f"{name} printed nothing; its last output: {child.last_output()}")
    return text


def highest_rate(plan: Plan, runs: Path) -> int:
    """Return the highest rate that `plan` will ask of the generator, as far as it is known.

    That of its open loads; for closed loads, which ask for as much as they get, the highest
    throughput of the newest run of a plan of this name.
    """
    declared = max((rate for scenario in plan.scenarios for rate in scenario.open), default=0)
    if not any(scenario.closed for scenario in plan.scenarios):
        return declared
    return max(declared, _highest_throughput(plan, runs) or USUAL_RPS)


def _highest_throughput(plan: Plan, runs: Path) -> int:
    """Return that of the newest run that has any; 0 if there is none."""
    for store in runs_of(runs, plan.name):
        try:
            rates = [round(r.good / r.window_s) for r in store.records() if r.window_s]
        except StoreError:
            continue  # of another version
        if highest := max(rates, default=0):
            return highest
    return 0


def summary(found: SelfCheck) -> str:
    """Return the result in one line."""
    passed = len(found.checks) - len(found.failed)
    floor = found.floor
    return (
        f"Self-check: {passed} of {len(found.checks)} pass"
        f" (empty server {floor.latency_p50_ms:.2f} ms, timer {floor.lag_p50_ms:.2f} ms late,"
        f" generator {found.capacity_rps:,.0f} requests/s)"
    )


def warnings(found: SelfCheck) -> list[str]:
    """Return a sentence for each check that failed."""
    return [
        f"Self-check failed: {check.name}: {check.measured:.4g} {check.unit}".rstrip()
        + f" ({check.allowed}). {check.advice}"
        for check in found.failed
    ]
