"""`twinbench run`."""

from typing import Annotated

import typer

from twinbench.cli.console import Only, PlanFile, Remote, RunsFolder, chosen_plan, out
from twinbench.cli.report import make_report, report_lost
from twinbench.paths import RUNS


def run(
    plan: PlanFile = None,
    only: Only = [],  # noqa: B006  # typer copies it
    resume: Annotated[
        bool, typer.Option("--resume", help="Finish the newest unfinished run of this plan.")
    ] = False,
    blocks: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Number of repetitions. Default: the plan's, which has 5."
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Fit the run into this time, such as 10m: chooses blocks and seconds. Default:"
            " the plan's.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="Add blocks until every interval is as narrow as this, such as 5%, or TIME is"
            " over. Default: the plan's.",
        ),
    ] = None,
    runs: RunsFolder = RUNS,
    remote: Remote = False,
) -> None:
    """Measure a plan and write the report. The last line printed is its path."""
    from twinbench.measure.busy import BusyWatch

    watch = BusyWatch()  # it needs a second, in which the rest is imported
    from twinbench.run import run_plan

    wishes = {"blocks": blocks, "time": time, "precision": precision}
    store = run_plan(
        chosen_plan(plan),
        runs,
        wishes,
        only=only,
        resume=resume,
        remote=remote,
        console=out,
        watch=watch,
    )
    make_report(store)
    raise typer.Exit(report_lost(store))
