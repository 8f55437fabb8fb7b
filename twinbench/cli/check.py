"""`twinbench check`."""

import time

from twinbench.cli.console import Only, PlanFile, Remote, chosen_plan, out


def check(
    plan: PlanFile = None,
    only: Only = [],  # noqa: B006  # typer copies it
    remote: Remote = False,
) -> None:
    """Check that all targets of a plan start, respond and do the same work. Measure nothing."""
    from twinbench.run import check_only
    from twinbench.text import duration

    began_s = time.monotonic()
    printed: dict[str, str] = {}
    for pair in check_only(chosen_plan(plan), out, only, remote=remote):
        out.print(pair.summary, markup=False)
        if pair.conditions not in ({}, printed):
            printed = pair.conditions
            out.print("Settings of both (two values where they differ):")
            for name, value in printed.items():
                out.print(f"  {name}: {value}", markup=False)
    out.print("Every target starts, and responds to every request as the plan expects.")
    out.print(f"The check took {duration(time.monotonic() - began_s)}.")
