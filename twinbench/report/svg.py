"""matplotlib's SVG made fit for a page of many: small, named, in the reader's font and colours.

Done with a parser and a serializer: what is text stays text, whatever it says.
"""

import json
import re
from xml.etree import ElementTree as ET

from twinbench.report.hover import EACH, ONE
from twinbench.report.style import VARIABLES

SVG = "http://www.w3.org/2000/svg"
NAMESPACE = f"{{{SVG}}}"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
PLACES = ("d", "x", "y", "points")  # attributes that hold coordinates
FRACTION = re.compile(r"-?\d+\.\d+")
LOCAL_URL = re.compile(r"(?<=url\(#)[^)]+")
PAINT = ("fill", "stroke")


def alone(svg: bytes, name: str, alt: str) -> bytes:
    """What matplotlib wrote as a file for itself, tidied: in colours for a white ground. Its ids
    begin with `name`, which no other chart of a page may have; `alt` says what it shows."""
    root = ET.fromstring(svg)  # noqa: S314 - matplotlib wrote it
    for element in root.iter():
        _simplify(element)
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag in ("metadata", "style")]:
            parent.remove(child)
    _entitle(root)
    _rename_ids(root, name)
    _flatten(root)
    for group in root.iter("g"):
        _lift_style(group)
    # What the style sheet said that has just been dropped.
    root.set("stroke-linejoin", "round")
    root.set("role", "img")
    root.set("aria-label", alt)
    root.set("xmlns", SVG)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def inline(alone: bytes) -> str:
    """An element for a page: as wide as there is room, colours by CSS variables, its font."""
    root = ET.fromstring(alone)  # noqa: S314 - it comes from above
    for element in root.iter():
        element.tag = element.tag.removeprefix(NAMESPACE)
        style = _style_of(element)
        style.pop("font-family", None)
        style |= {key: element.attrib.pop(key) for key in PAINT if key in element.attrib}
        _set_style(element, {key: VARIABLES.get(value, value) for key, value in style.items()})
    width = root.attrib.pop("width").removesuffix("pt")
    del root.attrib["height"]
    # Its natural width: a page may show it somewhat larger or smaller.
    root.set("style", f"--width:{width}px")
    root.set("class", "chart")
    return ET.tostring(root, encoding="unicode")


def _simplify(element: ET.Element) -> None:
    """Names without namespaces, no blanks between elements, coordinates to a hundredth."""
    element.tag = element.tag.removeprefix(NAMESPACE)
    element.tail = None
    if element.tag not in ("text", "tspan"):
        element.text = None
    attributes = element.attrib
    if XLINK_HREF in attributes:
        attributes["href"] = attributes.pop(XLINK_HREF)
    for key in PLACES:
        if key in attributes:
            attributes[key] = FRACTION.sub(_shorter, " ".join(attributes[key].split()))
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]


def _shorter(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _entitle(root: ET.Element) -> None:
    """Texts to be shown on hover, out of ids and into titles. Where there are not as many marks as
    texts nobody could say whose is whose, and they are left out."""
    for element in list(root.iter()):
        said = element.get("id", "")
        if said.startswith(ONE):
            _add_title(element, said.removeprefix(ONE))
        elif said.startswith(EACH):
            texts = json.loads(said.removeprefix(EACH))
            # Markers are uses of a path that stands in the group's definitions.
            marks = list(element.iter("use")) or list(element.iter("path"))
            for mark, text in zip(marks, texts, strict=True) if len(marks) == len(texts) else ():
                _add_title(mark, text)


def _add_title(element: ET.Element, text: str) -> None:
    title = ET.Element("title")
    title.text = text
    element.insert(0, title)


def _rename_ids(root: ET.Element, name: str) -> None:
    """Ids that something refers to get a name that is unique in the page; the others go."""
    new: dict[str, str] = {}
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "href" and value.startswith("#"):
                element.set(key, "#" + _new_id(value[1:], new, name))
            elif key != "id":
                renamed = LOCAL_URL.sub(lambda found: _new_id(found[0], new, name), value)
                element.set(key, renamed)
    for element in root.iter():
        if (own := element.attrib.pop("id", "")) in new:
            element.set("id", new[own])


def _new_id(old: str, new: dict[str, str], name: str) -> str:
    return new.setdefault(old, f"{name}.{len(new) + 1}")


def _flatten(element: ET.Element) -> None:
    """Groups that say nothing of their contents give way to them."""
    children: list[ET.Element] = []
    for child in element:
        _flatten(child)
        says_nothing = child.tag == "g" and not child.attrib and child.find("title") is None
        children += list(child) if says_nothing else [child]
    element[:] = children


def _lift_style(group: ET.Element) -> None:
    """A style that all marks of a group share is said once, unless it would mean something else
    of the group: the opacity of a whole."""
    marks = [child for child in group if child.tag != "title"]
    styles = {mark.get("style", "") for mark in marks}
    if len(marks) < 2 or len(styles) > 1 or "style" in group.attrib:
        return
    if styles != {""} and "opacity" not in _style_of(marks[0]):
        group.set("style", marks[0].attrib["style"])
        for mark in marks:
            del mark.attrib["style"]


def _style_of(element: ET.Element) -> dict[str, str]:
    pairs = (pair.partition(":") for pair in element.get("style", "").split(";") if pair.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _set_style(element: ET.Element, style: dict[str, str]) -> None:
    if style:
        element.set("style", ";".join(f"{key}:{value}" for key, value in style.items()))
