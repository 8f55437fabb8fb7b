"""The plans of a calibration, driven as a run is: rig, campaign, store."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from twinbench import campaign
from twinbench.calibrate import RUNS, beside
from twinbench.measure import machine
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, cells
from twinbench.store import CellRecord, Manifest, Session, Store, now

Watch = Callable[[CellRecord], None]


def drive(plans: Sequence[Plan], rig: Rig, folder: Path, watch: Watch) -> None:
    """Measure all of `plans`, and beside them what belongs to them, into `folder`."""
    for plan in plans:
        store = Store.create(_manifest(plan, rig), folder / RUNS)
        with _meanwhile(plan, folder):
            measure = functools.partial(rig.measure, plan=plan)
            campaign.run(store, cells(plan), measure, _between(plan, rig, folder, watch))


def _between(plan: Plan, rig: Rig, folder: Path, watch: Watch) -> Watch:
    """`watch`, and what takes turns with the cells of `plan`."""

    def told(record: CellRecord) -> None:
        watch(record)
        if record.scenario == "poisson":
            beside.bare_timer(rig, plan.measure_s, folder, record.block)
        if record.scenario == "beside_wrk":
            path = plan.scenario(record.scenario).requests[0].path
            beside.wrk(rig, plan.target(record.target), path, folder, record.block)

    return told


def _meanwhile(plan: Plan, folder: Path) -> contextlib.AbstractContextManager[None]:
    """What happens to the generator during a cell of `plan`."""
    if any(scenario.name == "held" for scenario in plan.scenarios):
        return beside.holding_generator(folder, "held")
    return contextlib.nullcontext()


def _manifest(plan: Plan, rig: Rig) -> Manifest:
    return Manifest(
        plan=plan,
        plan_file="twinbench/calibrate/plans.py",
        cells=len(cells(plan)),
        machine=machine.describe(rig.cores),
        versions=machine.versions(),
        sessions=[Session(started=now())],
    )
