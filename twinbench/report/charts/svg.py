"""SVG of a figure, and the element of it for a page: in the page's font and colours, with titles.

A parser and a serializer make the element, so that text is escaped.
"""

import io
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.figure import Figure

from twinbench.report.charts.frame import EACH, INK, ONE, PALETTE, RC

NAMESPACE = "{http://www.w3.org/2000/svg}"
REMOVED = (f"{NAMESPACE}metadata", f"{NAMESPACE}style")
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
COORDINATES = ("d", "x", "y", "points")
FRACTION = re.compile(r"-?\d+\.\d+")
FONT = re.compile(r"font: ([^']*?)'[^;]*(;|$)")
SIZE = re.compile(r"([\d.]+)px")
VARIABLES = {light: f"var(--{name})" for name, (light, _) in PALETTE.items()}
VARIABLES["#000000"] = VARIABLES[INK]  # matplotlib's default
COLOUR = re.compile("|".join(VARIABLES))


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Set how the figure `name` is drawn and saved.

    Its ids are its own on a page, and equal data give equal bytes.
    """
    settings: Any = {**RC, "svg.hashsalt": name}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # About letters that matplotlib's font lacks; the page has its own font.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def svg_of(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def inline(svg: bytes, label: str, described_by: str) -> str:
    """Return an SVG file as an element for a page, as wide as there is room."""
    root = ET.fromstring(svg)  # noqa: S314 - matplotlib wrote it
    for element in list(root.iter()):
        element[:] = [child for child in element if child.tag not in REMOVED]
    for element in list(root.iter()):
        _simplify(element)
    for element in list(root.iter()):
        _add_titles(element)
    for group in root.iter("g"):
        group.attrib.pop("id", None)  # nothing refers to a group
    width = root.attrib.pop("width").removesuffix("pt")
    del root.attrib["height"]
    root.attrib |= {
        "class": "chart",
        "style": f"--width:{width}px",
        "role": "img",
        "aria-label": label,
        "aria-describedby": described_by,
        "stroke-linejoin": "round",
    }
    _flatten(root)
    return ET.tostring(root, encoding="unicode")


def _simplify(element: ET.Element) -> None:
    """Remove namespaces and blanks, round coordinates to 0.01, turn colours into variables."""
    element.tag = element.tag.removeprefix(NAMESPACE)
    element.tail = None
    if element.tag not in ("text", "tspan", "title"):
        element.text = None
    attributes = element.attrib
    if XLINK_HREF in attributes:
        attributes["href"] = attributes.pop(XLINK_HREF)
    for key in COORDINATES:
        if key in attributes:
            attributes[key] = FRACTION.sub(_shorter, " ".join(attributes[key].split()))
    # In a style, where variables are known; matplotlib writes some as attributes.
    paint = {key: attributes.pop(key) for key in ("fill", "stroke") if key in attributes}
    style = "".join(f"{key}:{value};" for key, value in paint.items()) + attributes.get("style", "")
    if style:
        style = FONT.sub(_font_size, style).replace(": ", ":").replace("; ", ";")
        attributes["style"] = COLOUR.sub(lambda found: VARIABLES[found[0]], style)


def _shorter(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _font_size(font: re.Match[str]) -> str:
    size = SIZE.search(font[1])
    return f"font-size:{size[0]};" if size else ""


def _add_titles(element: ET.Element) -> None:
    """Move the texts shown on hover from ids to titles."""
    gid = element.get("id", "")
    if gid.startswith(ONE):
        _add_title(element, gid.removeprefix(ONE))
    elif gid.startswith(EACH):
        texts = json.loads(gid.removeprefix(EACH))
        # Markers are uses of a path in the definitions of the group.
        marks = list(element.iter("use")) or list(element.iter("path"))
        # Otherwise a text could be on the wrong mark.
        if len(marks) == len(texts):
            for mark, text in zip(marks, texts, strict=True):
                _add_title(mark, text)


def _add_title(element: ET.Element, text: str) -> None:
    title = ET.Element("title")
    title.text = text
    element.insert(0, title)


def _flatten(element: ET.Element) -> None:
    """Replace groups without attributes, half of all, by their contents."""
    children: list[ET.Element] = []
    for child in element:
        _flatten(child)
        bare = child.tag == "g" and not child.attrib and child.find("title") is None
        children += list(child) if bare else [child]
    element[:] = children
