"""Results of a sweep over threads and pool, whose collapses and p99 are given."""

from collections.abc import Collection, Mapping

import numpy as np

from tests.support import factories
from twinbench.analyse.curves import curves
from twinbench.analyse.results import CellResult, CellStatus, Results
from twinbench.analyse.sweep import sweep_result
from twinbench.analyse.window import AnalysedCell
from twinbench.plan import Cell, Plan, cells
from twinbench.plan.sweep import with_sweep

THREADS, POOL = "BLOG_WORKER_THREADS", "BLOG_POOL_SIZE"
AXES = {THREADS: [10, 40], POOL: [5, 40]}
SYNC = {"name": "sync", "app": "apps.sync_app.main:app", "env": {"BLOG_MAX_OVERFLOW": "0"}}
FAST_MS = 20.0


def sweep_plan(**changes: object) -> Plan:
    """Return a sweep of four targets, sync-10-5 to sync-40-40, under 8 and 64 users."""
    plan = {
        "sweep": {"env": AXES},
        "targets": [SYNC],
        "scenarios": [factories.scenario(closed=[8, 64])],
    }
    return with_sweep(factories.plan(**(plan | changes)))


def sweep_results(
    plan: Plan | None = None,
    collapsed: Collection[tuple[str, int]] = (),
    p99_ms: Mapping[tuple[str, int], float] | None = None,
) -> Results:
    """Return results; `collapsed` and `p99_ms` are by name of the target and load."""
    plan = plan or sweep_plan()
    made = [_cell(cell, collapsed, p99_ms or {}) for cell in cells(plan)]
    of_targets = curves(plan, [AnalysedCell(c, np.empty(0), np.empty(0)) for c in made])
    sweep = sweep_result(plan, of_targets)
    return factories.results(plan, cells=made, curves=of_targets, sweep=sweep)


def _cell(
    cell: Cell, collapsed: Collection[tuple[str, int]], p99_ms: Mapping[tuple[str, int], float]
) -> CellResult:
    key = cell.target, cell.load.value
    # As a deadlock does: some blocks pass.
    status: CellStatus = "collapsed" if key in collapsed and cell.block > 1 else "valid"
    return factories.cell_result(
        cell.target,
        cell.block,
        load=cell.load,
        scenario=cell.scenario,
        status=status,
        p99_ms=p99_ms.get(key, FAST_MS),
    )
