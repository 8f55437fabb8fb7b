"""`make calibrate`: two minutes, everything."""

import contextlib
from pathlib import Path

from rich.console import Console

from twinbench.calibrate import LOGS, beside, plans
from twinbench.calibrate.drive import drive
from twinbench.calibrate.highest import highest_rate
from twinbench.findings import Calibration, Item
from twinbench.interruption import interruptible
from twinbench.measure.machine import has_timerfd
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, cells
from twinbench.progress import RunProgress
from twinbench.scratch import scratch
from twinbench.store import STAMP, Store, StoreError, now

# Of plan seeds: new draws for each calibration, and the same ones if they are to be seen again.
SEEDS = 1_000_000_000


def calibrate(plan: Plan, reports: Path, console: Console) -> tuple[Calibration, Path]:
    """Calibrate for `plan`: its processes and cores, its highest rate. What was found, and the
    folder in `reports`/calibration where everything that was measured is kept. Raises
    NoEvidenceError and StoreError."""
    if not has_timerfd():
        raise StoreError("calibration sends open loads, which need Linux (timerfd)")
    started = now()
    folder = _new_folder(reports / "calibration", started.strftime(STAMP))
    highest = highest_rate(plan, reports / "runs")
    seed = int(started.timestamp()) % SEEDS
    setting = plans.Setting((folder / LOGS).resolve(), seed, highest, plan.processes)
    todo = plans.full(setting) + [plans.with_wrk(setting)] * beside.has_wrk()
    with contextlib.ExitStack() as stack:
        logs = stack.enter_context(scratch())
        rig = stack.enter_context(Rig(plan, logs))
        progress = RunProgress(console, sum(len(cells(one)) for one in todo), 0)
        with progress:
            drive(todo, rig, folder, progress.update)
    # Not before: what measures does not hold scipy.
    from twinbench.calibrate import judge
    from twinbench.calibrate.evidence import Evidence

    with interruptible():
        found = judge.full(Evidence(folder), started)
    store = Store(folder)
    store.write_calibration(found)
    store.update_latest_link(folder.parent / "latest")
    return found, folder


def lines(items: list[Item]) -> list[str]:
    """A line for each item; what an item says of a FAIL is what it means, and what to do."""
    return [f"{item.verdict:4} {item.number:2}  {item.name}: {item.said}" for item in items]


def _new_folder(calibrations: Path, stamp: str) -> Path:
    folder = calibrations / stamp
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror})") from None
    return folder
