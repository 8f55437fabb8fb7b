"""Analysis of a whole run folder."""

from pathlib import Path

import pytest

from tests.support import factories, runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell

BOTH_KINDS = {"name": "noop", "requests": [{"path": "/"}], "closed": [1, 8], "open": [100, 1000]}


def test_unfinished_run_is_analysed(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, factories.plan(), lambda cell: runs.steady(cell, 1000))
    for number in (11, 12):
        (store.folder / f"cells/{number:04d}/cell.json").unlink()
    results = analyse(store)
    assert results.missing_cells == 2
    assert len(results.cells) == 10


def test_invalid_cells_are_in_no_curve_and_no_comparison(tmp_path: Path) -> None:
    def make(cell: Cell) -> runs.Made:
        wrong = 2 if cell.target == "async" else 0
        return runs.record(cell), runs.responses(1000, cell.load.value, wrong=wrong)

    results = runs.analysed(tmp_path, make)
    assert {c.target for c in results.cells if c.status == "invalid"} == {"async"}
    assert {c.decision for c in results.comparisons} == {"not comparable"}
    point = next(c for c in results.curves if c.target == "async").points[0]
    assert (point.status, point.blocks, point.throughput_rps) == ("invalid", 0, None)


def test_collapse_reaches_curves_and_comparisons(tmp_path: Path) -> None:
    """A collapse that was measured, and one that is judged beside a lower load."""

    def make(cell: Cell) -> runs.Made:
        if cell.target == "async" or cell.load.value == 1 or cell.block == 3:
            return runs.steady(cell, 1000)
        if cell.block == 2:
            return runs.steady(cell, 99)
        return runs.steady(cell, 1000, outcome="collapsed", unanswered=8)

    results = runs.analysed(tmp_path, make)
    curve = next(c for c in results.curves if c.target == "sync")
    assert [(p.status, p.collapsed, p.blocks) for p in curve.points] == [
        ("valid", 0, 3),
        ("collapsed", 2, 1),
    ]
    low, high = results.compared("noop", "closed", "throughput")
    assert low.not_collapsed is None
    assert (high.not_collapsed, high.ratio, high.decision) == ("async", None, "not comparable")
    assert high.reasons == ["sync collapsed in 2 of 3 blocks"]


def test_contended_cell_is_in_no_comparison(tmp_path: Path) -> None:
    results = runs.analysed(
        tmp_path,
        lambda cell: runs.steady(cell, 1000),
        telemetry=lambda cell: runs.telemetry(cores_stolen_s=0.5 if cell.number == 1 else 0.0),
    )
    assert [c.id for c in results.cells if c.status == "invalid"] == [1]
    load = results.cells[0].load
    of_load = [c for c in results.comparisons if c.load == load and c.metric == "throughput"]
    assert [comparison.blocks for comparison in of_load] == [2]


def of_both_kinds(folder: Path, async_ms: float = 2) -> Results:
    """Equal throughputs of closed loads; response times of open ones: 4 ms and `async_ms`."""

    def make(cell: Cell) -> runs.Made:
        if cell.load.kind == "closed":
            return runs.steady(cell, 1000)
        latency_ms = 4 if cell.target == "sync" else async_ms
        return runs.record(cell), runs.arrivals(cell.load.value, latency_ms)

    return runs.analysed(folder, make, scenarios=[BOTH_KINDS])


def test_open_loads_are_compared_by_response_time(tmp_path: Path) -> None:
    results = of_both_kinds(tmp_path)
    assert {cell.status for cell in results.cells} == {"valid"}
    for comparison in results.compared("noop", "open", "p50"):
        assert comparison.ratio
        assert comparison.ratio.estimate == pytest.approx(2.05 / 4.05)
        assert comparison.decision == "faster"
    for comparison in results.compared("noop", "open", "throughput"):
        assert comparison.decision == "no difference shown"
    assert results.primary_metric("noop", "closed") == "throughput"
    assert [len(results.cells_of(curve)) for curve in results.curves_of("noop", "open")] == [6, 6]


@pytest.mark.parametrize(
    ("rates", "metric"), [([100, 1000], "p50"), ([100, 2000], "p50"), ([2000, 4000], "p99")]
)
def test_primary_metric_is_p99_with_samples_at_every_rate(
    tmp_path: Path, rates: list[int], metric: str
) -> None:
    """2,000 make a p99."""
    scenario = BOTH_KINDS | {"closed": [], "open": rates}
    results = runs.analysed(
        tmp_path,
        lambda cell: (runs.record(cell), runs.arrivals(cell.load.value, 5)),
        scenarios=[scenario],
    )
    assert results.primary_metric("noop", "open") == metric
