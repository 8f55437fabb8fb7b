"""`twinbench calibrate` and `twinbench generators`."""

import typer

from twinbench.cli.console import PlanFile, out
from twinbench.paths import PLANS, RUNS


def calibrate(plan: PlanFile = PLANS / "bench.toml") -> None:
    """Check the load generator against known answers. Exits with 1 if anything is wrong."""
    from twinbench.calibrate.full import calibrate as calibrate_for
    from twinbench.calibrate.full import lines
    from twinbench.run import machine_lock, read_plan_here

    with machine_lock():
        found, folder = calibrate_for(read_plan_here(plan), RUNS.parent, out)
    for line in lines(found.items):
        out.print(line, markup=False)
    out.print(f"{folder / 'calibration.json'} ({found.took_s:.0f} s)", markup=False)
    raise typer.Exit(1 if found.failed else 0)


def generators() -> None:
    """Our client, Locust's FastHttpUser and wrk against the same nginx: requests a second."""
    from twinbench.calibrate.generators import compare_generators
    from twinbench.run import machine_lock

    with machine_lock():
        compare_generators(out)
