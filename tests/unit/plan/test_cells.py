"""Order of the cells of a plan."""

from collections.abc import Sequence
from itertools import groupby

from tests.support import factories
from twinbench.paths import PLANS
from twinbench.plan import AddedBlock, Cell, Load, cells, measured_together, read_plan

BENCH = read_plan(PLANS / "bench.toml")


def test_the_order_depends_on_the_seed() -> None:
    assert cells(factories.plan(seed=1)) == cells(factories.plan(seed=1))
    assert any(
        cells(factories.plan(seed=1)) != cells(factories.plan(seed=seed)) for seed in (2, 3, 4)
    )


def test_each_block_holds_every_cell_once() -> None:
    order = cells(BENCH)
    assert [cell.number for cell in order] == list(range(1, BENCH.count_cells() + 1))
    first = {cell[2:] for cell in order if cell.block == 1}
    assert len(first) == len(order) / BENCH.blocks
    for block in range(2, BENCH.blocks + 1):
        assert {cell[2:] for cell in order if cell.block == block} == first


def visits(order: Sequence[Cell]) -> list[list[tuple[str, int]]]:
    """Return target and load of the cells of each block and scenario, in order."""
    groups = groupby(order, key=lambda cell: (cell.block, cell.scenario))
    return [[(cell.target, cell.load.value) for cell in group] for _, group in groups]


def test_targets_alternate_at_each_load() -> None:
    found = visits(cells(BENCH))
    assert len(found) == BENCH.blocks * len(BENCH.scenarios)
    for visited in found:
        for (one, load), (other, same_load) in zip(visited[::2], visited[1::2], strict=True):
            assert (load, one) == (same_load, one)
            assert one != other
    firsts = {visited[0][0] for visited in found}
    assert len(firsts) > 1  # which begins is random
    groups = measured_together(BENCH, cells(BENCH))
    assert [len(group) for group in groups] == [2] * (BENCH.count_cells() // 2)


def test_targets_follow_each_other_in_a_sequential_schedule() -> None:
    plan = BENCH.model_copy(update={"schedule": "sequential"})
    for visited in visits(cells(plan)):
        half = len(visited) // 2
        assert len({target for target, _ in visited[:half]}) == 1
        assert [load for _, load in visited[:half]] == [load for _, load in visited[half:]]
    assert {len(group) for group in measured_together(plan, cells(plan))} == {1}


def test_scenarios_that_share_servers_follow_each_other() -> None:
    plan = BENCH.model_copy(update={"fresh_servers": "block"})
    for _, block in groupby(cells(plan), key=lambda cell: cell.block):
        pairs = [frozenset(plan.targets_of(plan.scenario(cell.scenario))) for cell in block]
        assert len(list(groupby(pairs))) == len(set(pairs)) > 1


def test_added_blocks_come_last() -> None:
    plan, load = factories.plan(), Load("closed", 8)
    added = [AddedBlock(block=4, scenario="noop", loads=[load], reason="disturbed")]
    planned = cells(plan)
    assert cells(plan, added)[: len(planned)] == planned
    more = cells(plan, added)[len(planned) :]
    assert [cell.number for cell in more] == [len(planned) + 1, len(planned) + 2]
    assert {(c.block, c.scenario, c.load) for c in more} == {(4, "noop", load)}
    assert {cell.target for cell in more} == {"sync", "async"}
