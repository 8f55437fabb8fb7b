"""The highest rate that a plan will ask of the generator, as far as it can be known before."""

from pathlib import Path

from twinbench.plan import Plan
from twinbench.store import StoreError, runs_of

# What `noop` reaches in the async app with many users on the class of machine that this was made
# on (`make bench` measures it): taken where nothing is known.
USUAL_RPS = 6_000


def highest_rate(plan: Plan, runs: Path) -> int:
    """Of the open loads as declared; of the closed ones, which ask for as much as they get, as in
    the newest run of a plan of this name."""
    declared = max((rate for scenario in plan.scenarios for rate in scenario.open), default=0)
    if not any(scenario.closed for scenario in plan.scenarios):
        return declared
    return max(declared, _reached(plan, runs) or USUAL_RPS)


def _reached(plan: Plan, runs: Path) -> int:
    """The highest throughput of the newest run that has any; 0 if there is none."""
    for store in runs_of(runs, plan.name):
        try:
            records = store.records()
        except StoreError:
            continue  # of another version: its figures are not known
        rates = [record.good / record.window_s for record in records if record.window_s]
        if rates and max(rates) >= 1:
            return round(max(rates))
    return 0
