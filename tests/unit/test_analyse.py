"""Statistics by hand-computed cases; gates, curves and comparisons from made-up runs."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import runs
from twinbench.analyse.cells import percentiles
from twinbench.analyse.intervals import geometric
from twinbench.analyse.results import CellResult, Estimate, Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell
from twinbench.store import CellRecord

positive = st.floats(min_value=1e-3, max_value=1e6)


def analysed(tmp_path: Path, make_cell: runs.MakeCell, **plan: object) -> Results:
    return analyse(runs.write_run(tmp_path, runs.plan(**plan), make_cell))


def cell_of(results: Results, target: str, users: int, block: int = 1) -> CellResult:
    wanted = (target, users, block)
    return next(c for c in results.cells if (c.target, c.load.value, c.block) == wanted)


def test_the_interval_is_students_t_on_logarithms() -> None:
    # Logs 0, ln 2, ln 4: mean ln 2, sd ln 2, n = 3; t(0.975, 2) = 4.302653 from the tables.
    found = geometric([1.0, 2.0, 4.0])
    reach = 4.302653 * math.log(2) / math.sqrt(3)
    assert found
    assert found.estimate == pytest.approx(2.0)
    assert found.low == pytest.approx(2 / math.exp(reach), rel=1e-6)
    assert found.high == pytest.approx(2 * math.exp(reach), rel=1e-6)


def test_one_value_has_no_interval_and_none_no_estimate() -> None:
    assert geometric([3.0]) == Estimate(estimate=3.0)
    assert geometric([]) is None
    assert geometric([3.0, 0.0]) is None


@given(st.lists(positive, min_size=2, max_size=8))
def test_an_interval_holds_its_estimate_whatever_the_order(values: list[float]) -> None:
    found, turned = geometric(values), geometric(values[::-1])
    assert found
    assert turned
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.estimate * (1 + 1e-9)
    assert found.estimate <= found.high * (1 + 1e-9)
    assert found.estimate == pytest.approx(turned.estimate)


@given(st.lists(positive, min_size=2, max_size=8), positive)
def test_the_interval_of_a_multiple_is_the_multiple_of_the_interval(
    values: list[float], factor: float
) -> None:
    one, other = geometric(values), geometric([value * factor for value in values])
    assert one
    assert other
    assert other.low == pytest.approx((one.low or 0) * factor, rel=1e-6)


@pytest.mark.parametrize(("p", "needed"), [(50, 40), (90, 200), (95, 400), (99, 2000)])
def test_a_percentile_needs_twenty_samples_beyond_it(p: int, needed: int) -> None:
    values = np.arange(1.0, needed + 1)
    assert percentiles(values[:-1], [p])[0] is None
    assert percentiles(values, [p])[0] == pytest.approx(1 + p / 100 * (needed - 1))


def test_known_throughputs_give_the_known_ratio(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        # Blocks differ by a lot, the targets by 1.5 in each of them.
        return runs.steady(cell, (1000 + 400 * cell.block) * (3 if cell.target == "async" else 2))

    results = analysed(tmp_path, make)
    for comparison in results.compared("noop", "closed", "throughput"):
        assert comparison.ratio
        assert comparison.ratio.low == pytest.approx(1.5)
        assert comparison.ratio.high == pytest.approx(1.5)
        assert (comparison.decision, comparison.blocks) == ("faster", 3)
    for comparison in results.compared("noop", "closed", "p50"):
        assert comparison.ratio
        assert comparison.ratio.estimate == pytest.approx(1 / 1.5, rel=1e-3)
        assert comparison.decision == "faster"


def test_only_good_answers_inside_the_window_count(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        _, requests = runs.steady(cell, 4000)
        begin, end = runs.WINDOW_NS
        return runs.record(cell, window_ns=(begin + (end - begin) // 2, end)), requests

    cell = cell_of(analysed(tmp_path, make), "sync", 8)
    assert cell.requests == 2000
    assert cell.throughput_rps == pytest.approx(4000)
    assert cell.latency_ms.p50 == pytest.approx(2.0, rel=1e-3)
    assert cell.latency_ms.p99 == pytest.approx(2.0, rel=1e-3)


def test_wrong_answers_void_a_cell_and_say_what_they_were(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        wrong = 2 if cell.target == "async" else 1
        return runs.record(cell), runs.answers(1000, cell.load.value, wrong=wrong)

    results = analysed(tmp_path, make)
    cell = cell_of(results, "async", 8)
    assert cell.status == "invalid"
    assert (
        "2 of 1000 answers were wrong, most of them 'status 500, expected 200'" in cell.reasons[0]
    )
    assert cell_of(results, "sync", 8).status == "valid"  # 0.1 % is allowed
    assert all(c.decision == "not comparable" for c in results.comparisons)
    point = next(c for c in results.curves if c.target == "async").points[0]
    assert (point.status, point.blocks, point.throughput_rps) == ("invalid", 0, None)


def test_a_busy_generator_voids_a_cell(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 1000)
        return record.model_copy(update={"generator_cpu_s": 0.81}), requests

    cell = cell_of(analysed(tmp_path, make), "sync", 8)
    assert cell.status == "invalid"
    assert "the load generator used 81%" in cell.reasons[0]


def test_a_lost_cell_is_void_with_its_reason(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        _, requests = runs.steady(cell, 100)
        if cell.target == "async":
            return runs.record(cell, outcome="lost", reason="it died", window_ns=(0, 0)), requests
        return runs.steady(cell, 1000)

    results = analysed(tmp_path, make)
    assert cell_of(results, "async", 8).reasons == ["it died"]
    assert cell_of(results, "async", 8).status == "invalid"


def test_a_collapse_is_a_result_and_names_the_survivor(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 1000)
        if cell.target == "sync" and cell.load.value == 8 and cell.block < 3:
            record = runs.record(cell, outcome="collapsed", unanswered=8)
        return record, requests

    results = analysed(tmp_path, make)
    assert "no answer for 2 s while 8 requests" in cell_of(results, "sync", 8).reasons[0]
    curve = next(c for c in results.curves if c.target == "sync")
    assert [(p.status, p.collapsed, p.blocks) for p in curve.points] == [
        ("valid", 0, 3),
        ("collapsed", 2, 1),
    ]
    calm, fallen = results.compared("noop", "closed", "throughput")
    assert calm.survivor is None
    assert (fallen.survivor, fallen.ratio, fallen.decision) == ("async", None, "not comparable")
    assert fallen.reasons == ["sync collapsed in 2 of 3 blocks"]


def test_a_trickle_beside_a_lower_load_is_a_collapse(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.steady(cell, 1000 if cell.load.value == 1 else 99)

    cell = cell_of(analysed(tmp_path, make), "sync", 8)
    assert cell.status == "collapsed"
    assert "less than a tenth of the 1000 at a lower load" in cell.reasons[0]


def test_errors_alone_beside_a_lower_load_are_a_collapse(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        if cell.load.value == 1:
            return runs.steady(cell, 1000)
        return runs.record(cell), runs.answers(5000, 1, wrong=5000)

    cell = cell_of(analysed(tmp_path, make), "sync", 8)
    assert cell.status == "collapsed"
    assert cell_of(analysed(tmp_path / "b", make), "sync", 1).status == "valid"


def test_nobody_survives_who_never_answered(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        _, requests = runs.steady(cell, 1000)
        if cell.target == "sync":
            return runs.record(cell, outcome="collapsed"), requests
        return runs.record(cell), runs.answers(1000, cell.load.value, wrong=500)

    found = analysed(tmp_path, make).compared("noop", "closed", "throughput")
    assert [comparison.survivor for comparison in found] == [None, None]


def test_a_percentile_is_pooled_over_blocks_where_one_block_has_too_few(tmp_path: Path) -> None:
    # 99 %: 8 samples beyond it in a block, 24 in all three.
    point = analysed(tmp_path, lambda cell: runs.steady(cell, 800)).curves[0].points[0]
    assert point.p50_ms
    assert point.p50_ms.low is not None
    assert point.p99_ms
    assert point.p99_ms.estimate == pytest.approx(1000 / 800, rel=1e-3)
    assert point.p99_ms.low is None


def test_one_block_shows_no_difference(tmp_path: Path) -> None:
    results = analysed(tmp_path, lambda cell: runs.steady(cell, 1000), blocks=1)
    comparison = results.compared("noop", "closed", "throughput")[0]
    assert comparison.decision == "not comparable"
    assert comparison.reasons == ["one block alone has no interval"]


def test_an_unfinished_run_is_analysed_as_far_as_it_goes(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, runs.plan(), lambda cell: runs.steady(cell, 1000))
    for number in (11, 12):
        (store.folder / f"cells/{number:04d}/cell.json").unlink()
    results = analyse(store)
    assert results.missing_cells == 2
    assert len(results.cells) == 10
