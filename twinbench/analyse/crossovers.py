"""Where the candidate overtakes the baseline as the load grows."""

from collections.abc import Sequence

from twinbench.analyse.results import Comparison, Crossover
from twinbench.plan import Plan


def crossovers(plan: Plan, compared: Sequence[Comparison]) -> list[Crossover]:
    """One for each scenario, kind of load, candidate and metric."""
    raise NotImplementedError
