"""The cells of a plan, in the order in which they are measured."""

import random
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

from twinbench.plan.models import Plan

T = TypeVar("T")


class Load(NamedTuple):
    kind: Literal["closed"]
    value: int


class Cell(NamedTuple):
    """One measurement: its place in the order, and what is measured there."""

    number: int
    block: int
    scenario: str
    target: str
    load: Load


def cells(plan: Plan) -> list[Cell]:
    """Every cell of `plan`, in the order of measuring.

    Within a block the scenarios come in random order; within a scenario its targets, one
    right after the other, so that a pair is measured in the same minutes; the loads in an
    order that both targets share. All drawn from the plan's seed.
    """
    rng = random.Random(plan.seed)
    order: list[tuple[int, str, str, Load]] = []
    for block in range(1, plan.blocks + 1):
        for scenario in _shuffled(plan.scenarios, rng):
            loads = _shuffled([Load("closed", users) for users in scenario.closed], rng)
            for target in _shuffled(plan.targets_of(scenario), rng):
                order += [(block, scenario.name, target, load) for load in loads]
    return [Cell(number, *cell) for number, cell in enumerate(order, start=1)]


def _shuffled(items: Sequence[T], rng: random.Random) -> list[T]:
    return rng.sample(items, len(items))
