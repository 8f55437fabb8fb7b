"""`twinbench run`."""

from pathlib import Path
from typing import Annotated

import typer

from twinbench.cli.console import PlanFile, Remote, err, out
from twinbench.cli.report import make_report
from twinbench.paths import PLANS, RUNS


def run(
    plan: PlanFile = PLANS / "bench.toml",
    resume: Annotated[
        bool, typer.Option("--resume", help="Finish the newest unfinished run of this plan.")
    ] = False,
    time: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Fit the run into this time, such as 10m."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="Add blocks until every interval is as narrow as this, such as 5%, or TIME is"
            " over.",
        ),
    ] = None,
    runs: Annotated[Path, typer.Option(help="The folder that run folders are kept in.")] = RUNS,
    remote: Remote = False,
) -> None:
    """Measure a plan and write the report. The last line printed is its path."""
    from twinbench.measure.busy import BusyWatch

    watch = BusyWatch()  # it needs a second, in which the rest is imported
    from twinbench.run import run_plan

    wishes = {"time": time, "precision": precision}
    store = run_plan(plan, runs, wishes, resume=resume, console=out, watch=watch, remote=remote)
    page = make_report(store)
    if lost := [record for record in store.records() if record.outcome == "lost"]:
        first = f"{lost[0].label}: {lost[0].reason}"
        err.print(f"{len(lost)} measurements were lost: {first}", markup=False)
    out.print(str(page), markup=False)
    raise typer.Exit(1 if lost else 0)
