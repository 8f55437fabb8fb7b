"""Charts: what is drawn of an element, and how it becomes a part of a page."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.support import runs
from twinbench.analyse.results import Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell
from twinbench.report.charts import figure_of
from twinbench.report.charts.frame import COLOURS, GREY, INK, PAGE, PALETTE, hover, hover_each
from twinbench.report.charts.svg import VARIABLES, drawing, inline, svg_of
from twinbench.report.charts.tiles import OPACITY
from twinbench.report.elements import HeatMap, LineChart, TimelineChart
from twinbench.report.view import ReportView, build_view
from twinbench.store import CellRecord

HOSTILE = "\"><script>alert('1')</script>&amp;\x1b[31m ]]> <!-- ünï"


def made(folder: Path, **plan: object) -> Results:
    """sync twice as fast at 1 user; at 8 it collapses in two of three blocks."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 2000 if cell.target == "sync" else 1000)
        if cell.target == "sync" and cell.load.value == 8 and cell.block < 3:
            record = runs.record(cell, outcome="collapsed", unanswered=8)
        return record, requests

    return analyse(runs.write_run(folder, runs.plan(**plan), make))


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> ReportView:
    return build_view(made(tmp_path_factory.mktemp("run")))


def chart_of(view: ReportView, what: str) -> LineChart:
    [found] = [c for c in view.charts if c.name.endswith(f".{what}")]
    assert isinstance(found, LineChart)
    return found


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def element_of(figure: Figure, name: str = "one", label: str = "") -> ET.Element:
    with drawing(name):
        markup = inline(svg_of(figure), label, "table")
    return ET.fromstring(markup)  # noqa: S314 - it was made here


def titles(root: ET.Element) -> list[str | None]:
    return [title.text for title in root.iter("title")]


# Data.


def test_a_scenario_has_its_charts(view: ReportView) -> None:
    names = [chart.name for chart in view.charts]
    own = ("throughput", "latency", "ratio", "percentiles", "timeline.0", "timeline.1")
    assert names == ["overview", *(f"noop-closed.{name}" for name in own)]


def test_a_series_holds_the_estimates_of_a_target(view: ReportView) -> None:
    chart = chart_of(view, "throughput")
    sync, async_ = chart.series
    assert [p.x for p in async_.points] == [1, 8]
    assert [p.y for p in async_.points] == pytest.approx([1000, 1000])
    assert [p.x for p in sync.points] == [1, 8]
    assert chart.described_by == "figures-noop-closed"


def test_every_block_is_a_dot_and_a_collapse_a_cross(view: ReportView) -> None:
    chart = chart_of(view, "throughput")
    assert [dot.side for dot in chart.dots].count(1) == 6
    assert [dot.side for dot in chart.dots].count(0) == 4  # two of six collapsed
    assert [(word.x, word.text, word.side) for word in chart.collapses] == [(8, "2 of 3", 0)]


def test_the_ratio_chart_names_who_goes_on(view: ReportView) -> None:
    chart = chart_of(view, "ratio")
    [series] = chart.series
    [point] = series.points
    assert (point.x, point.side) == (1, 0)
    assert point.y == pytest.approx(0.5)
    assert [(word.x, word.text, word.edge) for word in chart.words] == [
        (8, "async\nonly", "above 1")
    ]


def test_a_timeline_is_shown_only_where_something_is_conspicuous(tmp_path: Path) -> None:
    store = runs.write_run(tmp_path, runs.plan(), lambda cell: runs.steady(cell, 1000))
    charts = build_view(analyse(store)).charts
    assert not [chart for chart in charts if isinstance(chart, TimelineChart)]


def test_a_plan_with_one_target_has_curves_and_no_ratio(tmp_path: Path) -> None:
    scenario = runs.plan().scenarios[0].model_dump() | {"targets": ["async"]}
    view = build_view(made(tmp_path, scenarios=[scenario]))
    assert view.verdicts == ()
    assert [chart.name for chart in view.charts] == [
        *("noop-closed.throughput", "noop-closed.latency", "noop-closed.percentiles"),
    ]


def test_percentiles_are_those_of_the_highest_load_that_all_have(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        if cell.target == "sync" and cell.load.value == 8:
            return runs.record(cell, outcome="collapsed", unanswered=8), runs.answers(0, 1)
        return runs.steady(cell, 1000)

    view = build_view(analyse(runs.write_run(tmp_path, runs.plan(), make)))
    chart = chart_of(view, "percentiles")
    assert "at 1 user" in chart.title
    assert [series.label for series in chart.series] == ["sync", "async"]


def test_open_loads_have_service_times_and_no_throughput(tmp_path: Path) -> None:
    scenario = {"name": "noop", "requests": [{"path": "/"}], "open": [400]}

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.record(cell), runs.arrivals(cell.load.value, 5.0)

    view = build_view(analyse(runs.write_run(tmp_path, runs.plan(scenarios=[scenario]), make)))
    names = [chart.name.removeprefix("noop-open.") for chart in view.charts[1:]]
    assert names == ["latency", "ratio", "percentiles"]
    chart = chart_of(view, "percentiles")
    assert [(series.label, series.line) for series in chart.series] == [
        ("sync", "solid"),
        ("sync: service time", "dashed"),
        ("async", "solid"),
        ("async: service time", "dashed"),
    ]


# Figures.


def test_every_kind_of_chart_is_drawn(view: ReportView) -> None:
    for chart in view.charts:
        root = element_of(figure_of(chart), chart.name)
        assert len(titles(root)) > 0 or isinstance(chart, TimelineChart)


def test_a_line_runs_through_the_values(view: ReportView) -> None:
    [axes] = figure_of(chart_of(view, "throughput")).axes
    lines = {line.get_color(): line for line in axes.get_lines() if line.get_linestyle() == "-"}
    assert list(np.asarray(lines[COLOURS[1]].get_ydata())) == pytest.approx([1000, 1000])
    assert axes.get_ylim()[0] == 0


def test_points_of_a_ratio_have_the_colour_of_the_leader(view: ReportView) -> None:
    figure = figure_of(chart_of(view, "ratio"))
    [points] = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    assert [to_hex(colour) for colour in np.asarray(points.get_facecolor())] == [COLOURS[0]]
    assert "async\nonly" in texts_of(figure)


def test_invalid_blocks_are_grey_and_hollow(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        return runs.record(cell), runs.answers(1000, cell.load.value, wrong=500)

    view = build_view(analyse(runs.write_run(tmp_path, runs.plan(), make)))
    [axes] = figure_of(chart_of(view, "throughput")).axes
    dots = [line for line in axes.get_lines() if line.get_markersize() == 3]
    assert {to_hex(line.get_color()) for line in dots} == {GREY}
    assert {line.get_markerfacecolor() for line in dots} == {"none"}


def test_a_heat_map_has_its_tiles(view: ReportView) -> None:
    [chart] = view.heat_maps
    assert isinstance(chart, HeatMap)
    figure = figure_of(chart)
    assert texts_of(figure) == ["2.00×", "only"]
    [tiles] = figure.axes[0].collections
    shades = [to_hex(colour) for colour in np.asarray(tiles.get_facecolor())]
    assert shades == [COLOURS[0], COLOURS[1]]


# Elements of a page.


def marked() -> Figure:
    axes = (figure := Figure()).add_subplot()
    axes.plot([1, 2, 3], [3, 1, 2], color=COLOURS[0], marker="s")
    axes.text(2, 2, "a < b & c", color=GREY)
    hover_each(axes.lines[0], ["first", HOSTILE, "third"])
    hover(axes.bar([2], [1], color="#123456", hatch="//")[0], "all of it")
    return figure


def test_ids_are_unique_to_a_chart() -> None:
    one, other = (element_of(marked(), name) for name in ("noop.p50", "noop.p99"))
    ids = [{e.attrib["id"] for e in root.iter() if "id" in e.attrib} for root in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for root, own in zip((one, other), ids, strict=True):
        used = ET.tostring(root, encoding="unicode")
        assert set(re.findall(r"""(?:url\(|href=")#([^)"]+)""", used)) <= own


def test_texts_on_hover_are_titles_whatever_they_say() -> None:
    root = element_of(marked())
    texts = {"first", HOSTILE.replace("\x1b", " "), "third", "all of it"}
    assert set(titles(root)) == texts
    assert not list(root.iter("script"))
    assert "hover" not in ET.tostring(root, encoding="unicode")


def test_texts_without_marks_of_their_own_are_left_out() -> None:
    figure = marked()
    hover_each(figure.axes[0].lines[0], ["one", "two"])  # of three
    assert titles(element_of(figure)) == ["all of it"]


def test_colours_are_those_of_the_page_and_nothing_is_lost() -> None:
    root = element_of(marked(), label=HOSTILE.replace("\x1b", ""))
    markup = ET.tostring(root, encoding="unicode")
    assert VARIABLES[COLOURS[0]] in markup
    assert COLOURS[0] not in markup
    assert "#123456" in markup  # nobody's
    assert "a < b & c" in [text.text for text in root.iter("text")]
    assert root.attrib["aria-label"] == HOSTILE.replace("\x1b", "")
    assert root.attrib["aria-describedby"] == "table"


def test_equal_charts_are_equal_bytes(view: ReportView) -> None:
    chart = chart_of(view, "latency")
    once, again = (ET.tostring(element_of(figure_of(chart))) for _ in range(2))
    assert once == again


# Contrast.


def channels(colour: str) -> list[float]:
    return [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]


def luminance(colour: list[float]) -> float:
    """WCAG 2.1, relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", sorted(PALETTE.keys() - {"page", "pale"}))
def test_letters_can_be_read_in_every_colour(name: str, dark: bool) -> None:
    """A contrast of 4.5 (WCAG AA) on the page; of INK also on PALE."""
    for ground in ["page", "pale"] if name == "ink" else ["page"]:
        assert contrast(channels(PALETTE[name][dark]), channels(PALETTE[ground][dark])) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["baseline", "candidate"])
@pytest.mark.parametrize("opacity", sorted(set(OPACITY)))
def test_letters_can_be_read_on_every_tile(name: str, dark: bool, opacity: float) -> None:
    page, own = (channels(PALETTE[n][dark]) for n in ("page", name))
    tile = [opacity * a + (1 - opacity) * b for a, b in zip(own, page, strict=True)]
    letters = PAGE if opacity == 1 else INK
    name_of = next(n for n, (light, _) in PALETTE.items() if light == letters)
    assert contrast(tile, channels(PALETTE[name_of][dark])) >= 4.5
