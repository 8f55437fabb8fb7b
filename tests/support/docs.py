"""Plans and commands that the docs show."""

import re
import shlex
from pathlib import Path

from twinbench.paths import ROOT

README, OWN_APP = ROOT / "README.md", ROOT / "docs" / "your-app.md"
EXAMPLES = ROOT / "tests" / "examples"  # the two apps that they measure
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a page in one language."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for of, text in found if of == language]


def commands(page: Path) -> list[list[str]]:
    """Commands in the code blocks of a page that are written for a terminal."""
    lines = "".join(blocks(page, "console")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines]


def commands_in_sentences(page: Path) -> list[list[str]]:
    """Commands `twinbench ...` outside of the code blocks of a page."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [shlex.split(found) for found in re.findall(r"`((?:\S*/)?twinbench .+?)`", text)]
