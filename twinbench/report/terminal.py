"""The answer in the terminal: ten lines, the last of which is the path of the report."""

import textwrap

from rich.console import Console

from twinbench.analyse.results import Results
from twinbench.printable import printable
from twinbench.report import words
from twinbench.report.answer import answer
from twinbench.report.badges import badges
from twinbench.report.sentences import MOST_NAMES

# The tenth is the path, which whoever calls this prints.
MOST_LINES = 9
# Longer lines are hard to read, however wide the window.
WIDEST = 120
MORE = "More of it is in the report."
# So many scenarios are named in a clause: the most for which there is room.
NAMES = (MOST_NAMES, 3, 2, 1, 0)


def show(results: Results, console: Console) -> None:
    """Print the answer, and how far it can be trusted."""
    for line in lines(results, min(console.width, WIDEST)):
        console.print(line, markup=False)


def lines(results: Results, width: int) -> list[str]:
    """With all names if there is room, else with fewer; what does not fit then is left out."""
    end = _wrapped(_trust(results), width)
    for names in NAMES:
        said = [_wrapped(f"- {said.text}", width) for said in answer(results, names)]
        if sum(map(len, said)) + len(end) <= MOST_LINES:
            return [line for sentence in said for line in sentence] + end
    return [*_fitting(said, MOST_LINES - len(end) - 1), MORE, *end]


def _trust(results: Results) -> str:
    """What came of the cells, what is wrong, and how many published claims hold."""
    cells, *others = badges(results)
    found = [cells, *(badge for badge in others if badge.tone != "good")]
    claims = [f"claims: {words.claims(results)}"] if results.claims else []
    return " · ".join([*(badge.marked for badge in found), *claims])


def _wrapped(text: str, width: int) -> list[str]:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.wrap(printable(text), width, subsequent_indent=indent, break_on_hyphens=False)


def _fitting(sentences: list[list[str]], room: int) -> list[str]:
    """The first sentences that fit; of the first one at least its beginning."""
    found: list[str] = []
    for sentence in sentences:
        if len(found) + len(sentence) <= room:
            found += sentence
        elif not found:
            return sentence[: max(room, 1)]
    return found
