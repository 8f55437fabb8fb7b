"""The short form, before each run: what decides whether its figures can be believed today."""

import sys
from datetime import datetime
from pathlib import Path

from twinbench.calibrate import LOGS, NoEvidenceError, plans
from twinbench.calibrate.beside import output
from twinbench.calibrate.drive import drive
from twinbench.calibrate.highest import highest_rate
from twinbench.findings import Calibration
from twinbench.measure.machine import has_timerfd
from twinbench.measure.rig import Rig
from twinbench.scratch import scratch
from twinbench.store import now

JUDGE_S = 5.0  # most of it to import scipy


def calibrate_short(rig: Rig, runs: Path) -> Calibration:
    """With the very processes that will measure. Raises NoEvidenceError."""
    if not has_timerfd():
        raise NoEvidenceError("it sends open loads, which need Linux (timerfd)")
    started = now()
    with scratch() as folder:
        highest = highest_rate(rig.plan, runs)
        setting = plans.Setting(folder / LOGS, rig.plan.seed, highest, rig.plan.processes)
        drive(plans.short(setting), rig, folder, lambda record: None)
        return _judged(rig, folder, started)


def _judged(rig: Rig, folder: Path, started: datetime) -> Calibration:
    """Judged in a process of its own: scipy shall not take the memory of the one that measures."""
    command = [sys.executable, "-m", "twinbench.calibrate.judge", str(folder), started.isoformat()]
    return Calibration.model_validate_json(output(command, rig.cores.generator, folder, JUDGE_S))


def line(found: Calibration) -> str:
    """All of it in a line."""
    passed = len(found.items) - len(found.failed)
    floor = found.floor
    return (
        f"Calibration: floor {floor.latency_p50_ms:.2f} ms,"
        f" generator {found.capacity_rps:,.0f} requests/s, lag {_lag(found):.2f} ms:"
        f" {passed} of {len(found.items)} pass"
    )


def warnings(found: Calibration) -> list[str]:
    return [f"Calibration: {item.name}: {item.said}" for item in found.failed]


def _lag(found: Calibration) -> float:
    """The generator's own, where it was read; else the machine's."""
    checks = [check for item in found.items for check in item.checks]
    own = (check.measured for check in checks if check.what.startswith("lag median"))
    return next(own, found.floor.lag_p50_ms)
