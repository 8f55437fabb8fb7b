"""Loads, and the measurements (cells) to which a plan expands, in the order of measuring."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Literal, NamedTuple, TypeVar

from twinbench.plan.fields import Name, NotEmpty
from twinbench.plan.models import Plan, Scenario
from twinbench.plan.requests import Count, Strict

T = TypeVar("T")
LoadKind = Literal["closed", "open"]


@dataclass(frozen=True, slots=True)
class Load:
    """Load on a server: `value` users (closed) or requests a second (open)."""

    kind: LoadKind
    value: int

    @property
    def label(self) -> str:
        """The load with its unit."""
        users = "user" if self.value == 1 else "users"
        return f"{self.value} {users if self.kind == 'closed' else 'requests/s'}"


class Cell(NamedTuple):
    """One measurement, and its place in the order of measuring."""

    number: int
    block: int
    scenario: str
    target: str
    load: Load


class AddedBlock(Strict):
    """Scenario measured once more than planned, at `loads`, as block number `block`.

    `reason`: a measurement was `disturbed` by the machine, or an interval was wider than the
    plan's `precision`.
    """

    block: Count
    scenario: Name
    loads: Annotated[list[Load], NotEmpty]
    reason: Literal["disturbed", "precision"]


def cells(plan: Plan, added: Sequence[AddedBlock] = ()) -> list[Cell]:
    """Return every cell of `plan` and of `added` blocks, in the order of measuring.

    Within a block the scenarios come in random order. In the alternating schedule their loads
    follow, and at each load the targets, which take turns; in the sequential one the targets,
    each at all loads. All are in random order, which depends on the plan's seed alone.
    """
    rng = random.Random(plan.seed)
    order: list[tuple[int, str, str, Load]] = []
    for block in range(1, plan.blocks + 1):
        for scenario in _scenarios_in_order(plan, rng):
            order += _in_order(plan, block, scenario, loads_of(scenario), rng)
    for each in added:
        rng = random.Random(f"{plan.seed} {each.block} {each.scenario}")
        order += _in_order(plan, each.block, plan.scenario(each.scenario), each.loads, rng)
    return [Cell(number, *cell) for number, cell in enumerate(order, start=1)]


def _scenarios_in_order(plan: Plan, rng: random.Random) -> list[Scenario]:
    """Return the scenarios in random order; those that share servers one after the other."""
    order = _shuffled(plan.scenarios, rng)
    if plan.fresh_servers == "scenario":
        return order
    first: dict[tuple[str, ...], int] = {}
    for number, scenario in enumerate(order):
        first.setdefault(tuple(plan.targets_of(scenario)), number)
    return sorted(order, key=lambda scenario: first[tuple(plan.targets_of(scenario))])


def _in_order(
    plan: Plan, block: int, scenario: Scenario, loads: Sequence[Load], rng: random.Random
) -> list[tuple[int, str, str, Load]]:
    loads, targets = _shuffled(loads, rng), plan.targets_of(scenario)
    if plan.schedule == "alternating":
        found = [(target, load) for load in loads for target in _shuffled(targets, rng)]
    else:
        found = [(target, load) for target in _shuffled(targets, rng) for load in loads]
    return [(block, scenario.name, target, load) for target, load in found]


def measured_together(plan: Plan, of: Sequence[Cell]) -> list[list[Cell]]:
    """Return the cells that take turns, in groups; each alone in the sequential schedule."""

    def key(cell: Cell) -> tuple[object, ...]:
        alone = cell.target if plan.schedule == "sequential" else ""
        return cell.block, cell.scenario, cell.load, alone

    return [list(group) for _, group in groupby(of, key=key)]


def loads_of(scenario: Scenario) -> list[Load]:
    """Return closed loads, then open ones, each from the lowest to the highest."""
    closed = [Load("closed", users) for users in sorted(scenario.closed)]
    return closed + [Load("open", rate) for rate in sorted(scenario.open)]


def _shuffled(items: Sequence[T], rng: random.Random) -> list[T]:
    return rng.sample(items, len(items))
