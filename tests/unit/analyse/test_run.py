"""Analysis of a whole run folder."""

from pathlib import Path

import pytest

from tests.support import factories, runs
from twinbench.analyse.run import analyse
from twinbench.plan import Cell


def test_unfinished_run_is_analysed(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, factories.plan(), lambda cell: runs.steady(cell, 1000))
    for number in (11, 12):
        (store.folder / f"cells/{number:04d}/cell.json").unlink()
    results = analyse(store)
    assert (results.missing_cells, len(results.cells)) == (2, 10)


def test_statuses_reach_curves_and_comparisons(tmp_path: Path) -> None:
    """A collapse that was measured, one judged beside a lower load, and an invalid cell."""

    def make(cell: Cell) -> runs.Made:
        if cell.load.value == 1:
            return runs.steady(cell, 1000, drained=(cell.target, cell.block) != ("async", 1))
        if cell.target == "async" or cell.block == 3:
            return runs.steady(cell, 1000)
        if cell.block == 2:
            return runs.steady(cell, 99)
        return runs.steady(cell, 1000, outcome="collapsed", unanswered=8)

    results = runs.analysed(tmp_path, make)
    points = [[(p.status, p.collapsed, p.blocks) for p in c.points] for c in results.curves]
    assert points == [[("valid", 0, 3), ("collapsed", 2, 1)], [("valid", 0, 2), ("valid", 0, 3)]]
    low, high = results.compared("noop", "closed", results.primary_metric("noop", "closed"))
    assert (low.metric, low.blocks, low.not_collapsed) == ("throughput", 2, None)
    assert (high.not_collapsed, high.ratio, high.decision) == ("async", None, "not comparable")
    assert high.reasons == ["sync collapsed in 2 of 3 blocks"]


@pytest.mark.parametrize(
    ("rates", "metric"), [([100, 1000], "p50"), ([100, 2000], "p50"), ([2000, 4000], "p99")]
)
def test_primary_metric_is_p99_with_samples_at_every_rate(
    tmp_path: Path, rates: list[int], metric: str
) -> None:
    """2,000 make a p99."""
    results = runs.analysed(
        tmp_path,
        lambda cell: (runs.record(cell), runs.arrivals(cell.load.value, 5)),
        scenarios=[factories.scenario(open=rates)],
    )
    assert results.primary_metric("noop", "open") == metric
