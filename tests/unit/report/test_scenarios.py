"""Charts and figures of a scenario as data, from runs with known figures."""

import math
from pathlib import Path

import pytest

from tests.support import factories, runs
from twinbench.plan import Cell
from twinbench.report.elements import LineChart
from twinbench.report.view import ReportView, build_view


def collapsing(folder: Path, **plan: object) -> ReportView:
    """Return a run: sync twice as fast at 1 user; at 8 it collapses in two of three blocks."""

    def make(cell: Cell) -> runs.Made:
        record, requests = runs.steady(cell, 2000 if cell.target == "sync" else 1000)
        if cell.target == "sync" and cell.load.value == 8 and cell.block < 3:
            record = runs.record(cell, outcome="collapsed", unanswered=8)
        return record, requests

    return build_view(runs.analysed(folder, make, **plan))


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> ReportView:
    return collapsing(tmp_path_factory.mktemp("run"))


def names_of(view: ReportView) -> list[str]:
    return [chart.name.partition(".")[2] for chart in view.scenarios[0].sections[0].charts]


def chart_of(view: ReportView, name: str) -> LineChart:
    [found] = [c for c in view.charts if c.name.endswith(f".{name}")]
    assert isinstance(found, LineChart)
    return found


def test_a_scenario_has_its_charts(view: ReportView) -> None:
    line_charts = ["throughput", "latency", "ratio", "percentiles"]
    assert names_of(view) == [*line_charts, "timeline.0", "timeline.1"]
    assert [chart.name for chart in view.charts][:2] == ["overview", "noop-closed.throughput"]


def test_the_throughput_chart_has_estimates_blocks_and_collapses(view: ReportView) -> None:
    chart = chart_of(view, "throughput")
    sync, async_ = chart.series
    assert [(p.x, round(p.y)) for p in async_.points] == [(1, 1000), (8, 1000)]
    assert [point.x for point in sync.points if not math.isnan(point.y)] == [1, 8]
    assert [len(dots.points) for dots in chart.dots] == [4, 6]  # two of six collapsed
    crosses = [(one.x, one.text, one.target, one.place) for one in chart.annotations]
    assert crosses == [(8, "2 of 3", 0, "bottom")]
    assert chart.described_by == "figures-noop-closed"


def test_the_ratio_chart_names_the_target_that_did_not_collapse(view: ReportView) -> None:
    chart = chart_of(view, "ratio")
    [series] = chart.series
    [point] = series.points
    assert (point.x, round(point.y, 3), point.target) == (1, 0.5, 0)
    names = [(one.x, one.text, one.place) for one in chart.annotations]
    assert names == [(8, "async\nonly", "above 1")]


def test_the_figures_have_a_row_for_each_load(view: ReportView) -> None:
    one, eight = view.scenarios[0].sections[0].figures.rows
    assert one[:4:3] == ("1", "sync faster")
    assert eight[:4:3] == ("8", "only async (sync collapsed in 2 of 3 blocks)")
    assert one[4] == "2,000"  # requests/s of sync


def test_timelines_need_a_measurement_with_a_reason(tmp_path: Path) -> None:
    view = build_view(runs.analysed(tmp_path, lambda cell: runs.steady(cell, 1000)))
    assert names_of(view) == ["throughput", "latency", "ratio", "percentiles"]


def test_one_target_has_no_ratio(tmp_path: Path) -> None:
    view = collapsing(tmp_path, scenarios=[factories.scenario(closed=[1, 8], targets=["async"])])
    assert view.verdicts == ()
    assert names_of(view) == ["throughput", "latency", "percentiles"]


def test_percentiles_are_of_the_highest_common_load(tmp_path: Path) -> None:
    def make(cell: Cell) -> runs.Made:
        if cell.target == "sync" and cell.load.value == 8:
            return runs.record(cell, outcome="collapsed", unanswered=8), runs.responses(0, 1)
        return runs.steady(cell, 1000)

    chart = chart_of(build_view(runs.analysed(tmp_path, make)), "percentiles")
    assert "at 1 user" in chart.title
    assert [series.label for series in chart.series] == ["sync", "async"]


def test_open_loads_have_service_times_and_no_throughput(tmp_path: Path) -> None:
    def make(cell: Cell) -> runs.Made:
        return runs.record(cell), runs.arrivals(cell.load.value, 5.0)

    view = build_view(runs.analysed(tmp_path, make, scenarios=[factories.scenario(open=[400])]))
    assert names_of(view) == ["latency", "ratio", "percentiles"]
    assert [(series.label, series.line) for series in chart_of(view, "percentiles").series] == [
        ("sync", "solid"),
        ("sync: service time", "dashed"),
        ("async", "solid"),
        ("async: service time", "dashed"),
    ]


def test_invalid_blocks_have_no_colour(tmp_path: Path) -> None:
    def make(cell: Cell) -> runs.Made:
        return runs.record(cell), runs.responses(1000, cell.load.value, wrong=500)

    chart = chart_of(build_view(runs.analysed(tmp_path, make)), "throughput")
    assert {point.target for dots in chart.dots for point in dots.points} == {None}
    assert [dots.target for dots in chart.dots] == [0, 1]
