"""`python -m tests.instrument [PLAN]`: calibrate for the rates and cores of a plan.

Exit codes: 0 passed, 1 an item failed, 2 usage or plan error, 130 interrupted.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.instrument.measure import has_wrk, measure
from tests.instrument.plans import Setting, plans
from twinbench.cli.console import out
from twinbench.measure.machine import has_timerfd
from twinbench.measure.rig import Rig
from twinbench.paths import PLANS, RUNS
from twinbench.plan import Plan
from twinbench.progress import run_progress
from twinbench.run import machine_lock, read_plan_here
from twinbench.scratch import scratch
from twinbench.selfcheck.check import highest_rate
from twinbench.text import UserError, figure

if TYPE_CHECKING:
    from tests.instrument.answers import Outcome

# For plan seeds: other random numbers in each calibration.
SEEDS = 1_000_000_000


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.instrument")
    arguments.add_argument("plan", nargs="?", type=Path, default=PLANS / "bench.toml")
    arguments.add_argument("--keep", type=Path, help="a new folder for all that is measured")
    options = arguments.parse_args()
    try:
        if not has_timerfd():
            raise UserError("calibration sends open loads, which need Linux (timerfd)")
        with machine_lock(), _folder(options.keep) as folder:
            return calibrate(read_plan_here(options.plan), folder)
    except UserError as error:
        out.print(str(error), markup=False)
        return 2
    except KeyboardInterrupt:
        out.print("Interrupted.")
        return 130


def _folder(keep: Path | None) -> contextlib.AbstractContextManager[Path]:
    if keep is None:
        return scratch()
    try:
        keep.mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"{keep}: exists; name another folder") from None
    return contextlib.nullcontext(keep.resolve())


def calibrate(plan: Plan, folder: Path) -> int:
    """Measure, print a table, and return the exit code."""
    began = time.monotonic()
    wrk = has_wrk()
    highest = highest_rate(plan, RUNS)
    setting = Setting(folder, int(time.time()) % SEEDS, highest, plan.processes)
    todo = plans(setting, wrk=wrk)
    progress = run_progress(out, sum(one.count_cells() for one in todo), 0)
    with scratch() as logs, Rig(plan, logs) as rig, progress as on_record:
        measure(todo, rig, folder, on_record)
    # Not before: the process that measures must not hold scipy.
    from tests.instrument.answers import evaluate_all
    from tests.instrument.recording import Recording

    with out.status("checking"):
        outcomes = list(evaluate_all(Recording(folder), wrk=wrk))
    for line in table(outcomes):
        out.print(line, markup=False)
    failed = [outcome for outcome in outcomes if outcome.verdict == "FAIL"]
    took_s = time.monotonic() - began
    out.print(f"{len(failed)} of {len(outcomes)} items failed ({took_s:.0f} s)")
    return 1 if failed else 0


def table(outcomes: Iterable["Outcome"]) -> Iterator[str]:
    """Yield a line for each item, and one for each of its checks: measured, and what is allowed."""
    for outcome in outcomes:
        yield f"{outcome.verdict} {outcome.number:2}  {outcome.name}"
        for check in outcome.checks:
            verdict = "" if check.ok else "FAIL"
            measured = f"{figure(check.measured)} {check.unit}"
            yield f"{verdict:4}       {check.name:<60} {measured:>12}   {check.allowed}"
        if outcome.message:
            yield f"           {outcome.message}"


if __name__ == "__main__":
    sys.exit(main())
