"""The cells of a plan, in the order in which they are measured."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from twinbench.plan.models import Plan, Scenario

T = TypeVar("T")


LoadKind = Literal["closed", "open"]


@dataclass(frozen=True, slots=True)
class Load:
    """What is put on a server: `value` users (closed) or requests a second (open)."""

    kind: LoadKind
    value: int

    @property
    def label(self) -> str:
        return f"{self.value} users" if self.kind == "closed" else f"{self.value} requests/s"


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
            loads = _shuffled(loads_of(scenario), rng)
            for target in _shuffled(plan.targets_of(scenario), rng):
                order += [(block, scenario.name, target, load) for load in loads]
    return [Cell(number, *cell) for number, cell in enumerate(order, start=1)]


def loads_of(scenario: Scenario) -> list[Load]:
    """Closed loads, then open ones, each from the lowest to the highest."""
    closed = [Load("closed", users) for users in sorted(scenario.closed)]
    return closed + [Load("open", rate) for rate in sorted(scenario.open)]


def _shuffled(items: Sequence[T], rng: random.Random) -> list[T]:
    return rng.sample(items, len(items))
