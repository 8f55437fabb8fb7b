"""Charts as drawn by matplotlib, and as elements of a page."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.support.outcomes import Outcome, Outcomes, collapse, results_of
from twinbench.report.charts import figure_of
from twinbench.report.charts.frame import COLOURS, GREY, INK, PAGE, PALETTE, hover, hover_each
from twinbench.report.charts.svg import VARIABLES, drawing, inline, svg_of
from twinbench.report.charts.tiles import OPACITY
from twinbench.report.elements import Annotation, LineChart, Point, Series
from twinbench.report.view import build_view

HOSTILE = "\"><script>alert('1')</script>&amp;\x1b[31m ]]> <!-- ünï"
LINE = LineChart(
    name="one",
    title="Throughput",
    x_label="users",
    ticks=((1, "1"), (8, "8")),
    scale="linear",
    series=(Series("async", 1, "solid", (Point(1, 500), Point(8, 1000))),),
    dots=(Series("async", 1, "none", (Point(1, 500, target=1), Point(8, 900))),),
    annotations=(Annotation(8, "2 of 3", 0, "bottom"),),
    described_by="table",
)
RATIO = LineChart(
    name="two",
    title="Ratio",
    x_label="users",
    ticks=((1, "1"), (8, "8")),
    scale="ratio",
    series=(Series("async", 1, "none", (Point(1, 0.5, 0.4, 0.6, "half", target=0),)),),
    annotations=(Annotation(8, "async\nonly", 1, "above 1"),),
    described_by="table",
)


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def element_of(figure: Figure, name: str = "one", label: str = "") -> ET.Element:
    with drawing(name):
        markup = inline(svg_of(figure), label, "table")
    return ET.fromstring(markup)  # noqa: S314 - it was made here


def titles(root: ET.Element) -> list[str | None]:
    return [title.text for title in root.iter("title")]


# Figures.


def test_lines_and_dots_are_at_their_values() -> None:
    [axes] = figure_of(LINE).axes
    line, valid, invalid, cross = axes.get_lines()
    assert list(np.asarray(line.get_ydata())) == [500, 1000]
    assert (line.get_color(), cross.get_color()) == (COLOURS[1], COLOURS[0])
    assert (to_hex(valid.get_color()), to_hex(invalid.get_color())) == (COLOURS[1], GREY)
    assert (valid.get_markerfacecolor() == "none", invalid.get_markerfacecolor()) == (False, "none")
    assert axes.get_ylim()[0] == 0


def test_ratios_have_the_colour_of_the_faster_target() -> None:
    figure = figure_of(RATIO)
    [points] = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    assert [to_hex(colour) for colour in np.asarray(points.get_facecolor())] == [COLOURS[0]]
    assert texts_of(figure) == ["async\nonly"]


def test_a_chart_without_values_is_drawn() -> None:
    empty = LineChart("one", "Empty", "users", ((1, "1"),), "log", (), "table")
    assert texts_of(figure_of(empty)) == ["too few samples"]


def test_the_heat_map_has_the_tiles_of_its_table() -> None:
    outcomes = Outcomes("wait", {1: Outcome(0.5), 8: collapse("sync")})
    [chart] = build_view(results_of(outcomes)).heat_maps
    figure = figure_of(chart)
    assert texts_of(figure) == ["2.00×", "only"]
    [tiles] = figure.axes[0].collections
    shades = [to_hex(colour) for colour in np.asarray(tiles.get_facecolor())]
    assert shades == [COLOURS[0], COLOURS[1]]


# Elements of a page.


def hostile_figure() -> Figure:
    axes = (figure := Figure()).add_subplot()
    axes.plot([1, 2, 3], [3, 1, 2], color=COLOURS[0], marker="s")
    axes.text(2, 2, "a < b & c", color=GREY)
    hover_each(axes.lines[0], ["first", HOSTILE, "third"])
    hover(axes.bar([2], [1], color="#123456", hatch="//")[0], "all of it")
    return figure


def test_ids_are_unique_to_a_chart() -> None:
    roots = [element_of(hostile_figure(), name) for name in ("noop.p50", "noop.p99")]
    ids = [{e.attrib["id"] for e in root.iter() if "id" in e.attrib} for root in roots]
    assert ids[0]
    assert not ids[0] & ids[1]
    for root, own in zip(roots, ids, strict=True):
        markup = ET.tostring(root, encoding="unicode")
        assert set(re.findall(r"""(?:url\(|href=")#([^)"]+)""", markup)) <= own


def test_hover_texts_are_titles_and_never_markup() -> None:
    root = element_of(hostile_figure())
    assert set(titles(root)) == {"first", HOSTILE.replace("\x1b", " "), "third", "all of it"}
    assert not list(root.iter("script"))
    assert "hover" not in ET.tostring(root, encoding="unicode")


def test_hover_texts_without_marks_are_left_out() -> None:
    figure = hostile_figure()
    hover_each(figure.axes[0].lines[0], ["one", "two"])  # of three
    assert titles(element_of(figure)) == ["all of it"]


def test_colours_are_variables_of_the_page() -> None:
    root = element_of(hostile_figure(), label=HOSTILE.replace("\x1b", ""))
    markup = ET.tostring(root, encoding="unicode")
    assert VARIABLES[COLOURS[0]] in markup
    assert COLOURS[0] not in markup
    assert "#123456" in markup  # of no target
    assert "a < b & c" in [text.text for text in root.iter("text")]
    assert root.attrib["aria-label"] == HOSTILE.replace("\x1b", "")
    assert root.attrib["aria-describedby"] == "table"


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
def test_text_has_a_contrast_of_4_5_in_every_colour(dark: bool) -> None:
    """WCAG AA, on the page; of INK also on PALE."""
    grounds = [(name, "page") for name in PALETTE.keys() - {"page", "pale"}]
    for name, ground in [*grounds, ("ink", "pale")]:
        assert contrast(channels(PALETTE[name][dark]), channels(PALETTE[ground][dark])) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["baseline", "candidate"])
def test_text_has_a_contrast_of_4_5_on_every_tile(name: str, dark: bool) -> None:
    page, own = (channels(PALETTE[n][dark]) for n in ("page", name))
    for opacity in set(OPACITY):
        tile = [opacity * a + (1 - opacity) * b for a, b in zip(own, page, strict=True)]
        letters = PAGE if opacity == 1 else INK
        name_of = next(n for n, (light, _) in PALETTE.items() if light == letters)
        assert contrast(tile, channels(PALETTE[name_of][dark])) >= 4.5
