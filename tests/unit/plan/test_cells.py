"""Order of the cells of a plan."""

from tests.support import factories
from twinbench.paths import PLANS
from twinbench.plan import cells, read_plan

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


def test_targets_are_measured_in_turn_with_one_order_of_loads() -> None:
    visits: dict[tuple[int, str], list[tuple[str, int]]] = {}
    for cell in cells(BENCH):
        visits.setdefault((cell.block, cell.scenario), []).append((cell.target, cell.load.value))
    assert len(visits) == BENCH.blocks * len(BENCH.scenarios)
    for visited in visits.values():
        half = len(visited) // 2
        assert len({target for target, _ in visited[:half]}) == 1
        assert [load for _, load in visited[:half]] == [load for _, load in visited[half:]]
