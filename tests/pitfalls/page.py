"""Code, messages and links of docs/pitfalls.md, for the tests that check them."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "pitfalls.md"

_SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((\.\./tests/pitfalls/\w+\.py)\)")


class Block(NamedTuple):
    """A fenced block: "```text lazy-2.0" has the language `text` and the name `lazy-2.0`."""

    language: str
    name: str
    text: str


class Section(NamedTuple):
    title: str
    text: str
    blocks: list[Block]
    files: list[Path]  # linked files of tests/pitfalls


def sections() -> list[Section]:
    return [
        Section(
            title,
            text,
            [Block(*found) for found in _BLOCK.findall(text)],
            [(PAGE.parent / link).resolve() for link in _LINK.findall(text)],
        )
        for title, text in _SECTION.findall(PAGE.read_text())
    ]


def quoted(name: str) -> str:
    """Return the message with this name."""
    named = {block.name: block.text for section in sections() for block in section.blocks}
    return named[name]
