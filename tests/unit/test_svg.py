"""Charts as elements of a page: names, colours, words on hover; the drawing stays the same."""

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twinbench.report import style, svg
from twinbench.report.charts.axes import RC
from twinbench.report.hover import hover, hover_each

SVG = f"{{{svg.SVG}}}"
HOSTILE = "\"><script>alert('1')</script>&amp;\x1b[31m ]]> <!-- ünï"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def drawn(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(RC):  # type: ignore[arg-type]
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


@pytest.fixture
def axes() -> Axes:
    """Lines, markers, a hatched bar, a band, text: all that refers to an id."""
    with mpl.rc_context(RC):  # type: ignore[arg-type]
        axes = Figure().add_subplot()
    axes.plot([1, 2, 3], [3, 1, 2], color=style.BASELINE, marker="s", label="sync")
    axes.plot([1, 2, 3], [1, 2, 3], color=(style.CANDIDATE, 0.5), marker="o", linestyle="none")
    axes.bar([2], [1], color=style.PALE, hatch="//", edgecolor=style.PAGE)
    axes.fill_between([1, 2, 3], [1, 2, 1], [2, 3, 2], color="#123456", alpha=0.2)
    axes.text(2, 2, "a < b & c", color=style.GREY)
    axes.legend()
    return axes


def inlined(axes: Axes, name: str = "one", alt: str = "") -> str:
    return svg.inline(svg.alone(drawn(figure_of(axes)), name, alt))


def inline(axes: Axes, name: str = "one", alt: str = "") -> ET.Element:
    return parsed(inlined(axes, name, alt))


def parsed(markup: str | bytes) -> ET.Element:
    return ET.fromstring(markup)  # noqa: S314 - it was made here


def figure_of(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure
    return figure


def titles(root: ET.Element) -> list[str | None]:
    return [title.text for title in root.iter("title")]


def references(root: ET.Element) -> set[str]:
    values = [value for element in root.iter() for value in element.attrib.values()]
    hrefs = {element.attrib["href"][1:] for element in root.iter("use")}
    return hrefs | {found for value in values for found in re.findall(r"url\(#([^)]+)\)", value)}


def ids(root: ET.Element) -> list[str]:
    return [element.attrib["id"] for element in root.iter() if "id" in element.attrib]


def test_ids_are_unique_in_a_page_and_only_those_referred_to(axes: Axes) -> None:
    one, other = inline(axes, "noop.p50"), inline(axes, "noop.p99")
    for root in (one, other):
        assert references(root) == set(ids(root))
        assert len(ids(root)) == len(references(root)) > 3
    assert not set(ids(one)) & set(ids(other))


def test_a_hover_text_is_a_title_whatever_it_says(axes: Axes) -> None:
    hover(axes.lines[0], HOSTILE)
    root = inline(axes)
    [title] = titles(root)
    assert title == HOSTILE.replace("\x1b", " ")
    assert not list(root.iter("script"))
    assert "hover:" not in inlined(axes)


def test_each_mark_says_its_own_text_in_order(axes: Axes) -> None:
    axes.plot([1, 2, 3], [1, np.nan, 2], marker="D", color="#abcdef")
    hover_each(axes.lines[-1], ["first", HOSTILE])
    root = inline(axes)
    marks = [use for use in root.iter("use") if use.find("title") is not None]
    assert titles(root) == ["first", HOSTILE.replace("\x1b", " ")]
    assert float(marks[0].attrib["x"]) < float(marks[1].attrib["x"])


def test_lines_of_a_collection_say_their_own_texts(axes: Axes) -> None:
    hover_each(axes.vlines([1, 2], 0, [1, 3]), ["one", "two"])
    assert titles(inline(axes)) == ["one", "two"]


def test_texts_without_a_mark_of_their_own_are_left_out(axes: Axes) -> None:
    hover_each(axes.lines[1], ["one", "two"])  # of three
    assert titles(inline(axes)) == []


def test_colours_follow_the_page_and_a_file_has_its_own(axes: Axes) -> None:
    page = inlined(axes)
    alone = svg.alone(drawn(figure_of(axes)), "one", "").decode()
    for colour in (style.BASELINE, style.CANDIDATE, style.PALE, style.PAGE, style.INK, style.GREY):
        assert style.VARIABLES[colour] in page
        assert colour not in page
        assert colour in alone
    assert "#123456" in page  # nobody's
    assert "var(" not in alone


def test_the_alternative_text_is_its_name(axes: Axes) -> None:
    root = inline(axes, alt=HOSTILE.replace("\x1b", ""))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == HOSTILE.replace("\x1b", "")
    assert "width" not in root.attrib


def test_a_file_is_a_picture_by_itself(axes: Axes) -> None:
    root = parsed(svg.alone(drawn(figure_of(axes)), "one", "what it shows"))
    assert root.tag == f"{SVG}svg"
    assert root.attrib["width"].endswith("pt")
    assert root.attrib["aria-label"] == "what it shows"
    assert {element.tag.startswith(SVG) for element in root.iter()} == {True}


def test_nothing_that_is_drawn_gets_lost(axes: Axes) -> None:
    """Text, the number of marks, where they are to a hundredth, and how they look."""
    before = parsed(drawn(figure_of(axes)))
    after = parsed(svg.alone(drawn(figure_of(axes)), "one", ""))
    assert "".join(before.itertext()).split()[1:] != []
    texts = [[t.text for t in root.iter(f"{SVG}text")] for root in (before, after)]
    assert texts[0] == texts[1]
    assert "a < b & c" in texts[0]
    looks = [list(shapes(root)) for root in (before, after)]
    assert len(looks[0]) == len(looks[1]) > 10
    for (place, look), (new_place, new_look) in zip(*looks, strict=True):
        assert new_place == pytest.approx(place, abs=0.0051)
        assert new_look == look


def test_the_opacity_of_marks_does_not_become_that_of_their_group() -> None:
    """Where marks lie on each other it would look different."""
    marks = '<path d="M 0 0" style="opacity: 0.3"/>' * 2
    group = f'<g clip-path="url(#a)">{marks}</g>'
    written = f'<svg xmlns="{svg.SVG}" width="9pt" height="9pt">{group}</svg>'.encode()
    root = parsed(svg.inline(svg.alone(written, "one", "")))
    assert [mark.get("style") for mark in root.iter("path")] == ["opacity:0.3"] * 2
    assert [group.get("style") for group in root.iter("g")] == [None]


def shapes(
    element: ET.Element, inherited: dict[str, str] | None = None
) -> Iterator[tuple[list[float], dict[str, str]]]:
    """Coordinates and effective style of every mark, in the order of drawing."""
    look = (inherited or {}) | {
        key.strip(): value.strip()
        for key, value in (pair.split(":") for pair in element.get("style", "").split(";") if pair)
        if "url" not in value
    }
    if element.tag in (f"{SVG}use", f"{SVG}path"):
        place = " ".join(element.get(key, "") for key in ("x", "y", "d"))
        yield [float(number) for number in NUMBER.findall(place)], look
    for child in element:
        if child.tag not in (f"{SVG}defs", f"{SVG}metadata"):
            yield from shapes(child, look)


def luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance."""
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", sorted(style.PALETTE.keys() - {"page", "pale"}))
def test_letters_can_be_read_in_every_colour(name: str, dark: bool) -> None:
    """A contrast of 4.5 (WCAG AA) on the page; and so letters of the page's colour on it. INK also
    on PALE."""
    grounds = ["page", "pale"] if name == "ink" else ["page"]
    for ground in grounds:
        pair = sorted(luminance(style.PALETTE[n][dark]) for n in (name, ground))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5
