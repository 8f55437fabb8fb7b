"""Reads docs/pitfalls.md: its code must stand in the tests, its messages are what they expect."""

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
    blocks: list[Block]
    files: list[Path]  # of tests/pitfalls, linked from here


def sections() -> list[Section]:
    return [
        Section(
            title,
            [Block(*found) for found in _BLOCK.findall(text)],
            [(PAGE.parent / link).resolve() for link in _LINK.findall(text)],
        )
        for title, text in _SECTION.findall(PAGE.read_text())
    ]


def quoted(name: str) -> str:
    """The message that the page gives under this name."""
    named = {block.name: block.text for section in sections() for block in section.blocks}
    return named[name]


def trimmed(message: str) -> str:
    """Without the spaces that SQL leaves at the ends of lines; an editor would take them away."""
    return "\n".join(line.rstrip() for line in message.splitlines())
