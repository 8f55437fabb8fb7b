"""How good a comparison of versions is: planted slowdowns that it finds, and its false alarms.

Not a test: it measures for hours. `make compare-power` measures for an hour and adds what it
found to reports/power, where the report counts all runs that are there. A run holds one comparison
of each planted slowdown and one without (`power_plan`), and all are decided as those of users are
(`power_analysis`). Before the first run it measures what a request costs, so as to know how much a
share of it is; what was really planted is in the report.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.benchmarks.power_plan import (
    LEVELS,
    RUN_NAME,
    SCENARIOS,
    Planted,
    calibration_plan,
    ci_plan,
    costs_of,
    plan_text,
    power_plan,
)
from tests.benchmarks.power_report import write_report
from twinbench import campaign
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse, write_results
from twinbench.interruption import EXIT_CODE, check_interrupted
from twinbench.paths import PLANS
from twinbench.plan import Plan
from twinbench.preflight.result import PreflightError
from twinbench.run import InterruptedRunError, run_plan
from twinbench.store import Store, atomic_write, runs_of
from twinbench.text import UserError

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Measure and report; return the exit code that twinbench would have."""
    options = _options()
    try:
        if options.hours:
            slowdowns = [Planted(kind, level) for kind in SCENARIOS for level in options.levels]
            measure(options.folder, ci_plan(options.plan, options.time), slowdowns, options.hours)
        print(
            write_report([_results(store) for store in _finished(options.folder)], options.folder)
        )
    except (InterruptedRunError, KeyboardInterrupt):
        kept = f"Interrupted: what was measured is kept in {options.folder}"
        return _fail(f"{kept}; the same command goes on from there.", EXIT_CODE)
    except PreflightError as error:
        return _fail(str(error), 3)
    except UserError as error:
        return _fail(str(error), 2)
    return 0


def measure(folder: Path, ci: Plan, slowdowns: Sequence[Planted], hours: float) -> None:
    """Make runs for `hours`, one at least, after the calibration. Raises what `run_plan` raises."""
    costs = costs_of(_calibration(folder, ci))
    console.print(f"Without a slowdown: {costs}", markup=False)
    end_s, longest_s = time.monotonic() + hours * 3600, 0.0
    while time.monotonic() + longest_s < end_s:
        began_s = time.monotonic()
        # Another order of measurements in every run; that of an interrupted one does not change.
        seed = ci.seed + len(_finished(folder))
        _run(power_plan(ci, costs, slowdowns, seed), folder)
        check_interrupted()
        longest_s = max(longest_s, time.monotonic() - began_s)


def _calibration(folder: Path, ci: Plan) -> Results:
    """Return the results of the calibration, which is made once."""
    plan = calibration_plan(ci)
    done = [store for store in runs_of(folder / "runs", plan.name) if not campaign.pending(store)]
    return _results(done[0] if done else _run(plan, folder))


def _run(plan: Plan, folder: Path) -> Store:
    """Measure a plan, or the rest of its unfinished run."""
    folder.mkdir(parents=True, exist_ok=True)
    file, runs = folder / f"{plan.name}.toml", folder / "runs"
    atomic_write(file, plan_text(plan))
    resume = campaign.unfinished(runs, plan.name, console.print) is not None
    store = run_plan(file, runs, resume=resume, console=console)
    write_results(store, analyse(store))
    return store


def _finished(folder: Path) -> list[Store]:
    """Return the runs without a missing measurement, the oldest first."""
    runs = runs_of(folder / "runs", RUN_NAME)[::-1]
    return [store for store in runs if not campaign.pending(store)]


def _results(store: Store) -> Results:
    """Return the results of a finished run, from results.json if it can be read."""
    try:
        return Results.model_validate_json((store.folder / "results.json").read_bytes())
    except (OSError, ValueError):  # of another version, or interrupted before it was written
        return analyse(store)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="0: only the report")
    parser.add_argument("--levels", type=int, nargs="+", choices=LEVELS, default=LEVELS)
    parser.add_argument("--time", help="of a comparison, such as 20m, instead of the plan's")
    parser.add_argument("--plan", type=Path, default=PLANS / "ci.toml")
    parser.add_argument("--folder", type=Path, default=Path("reports/power"))
    return parser.parse_args()


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
