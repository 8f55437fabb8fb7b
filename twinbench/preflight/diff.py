"""Two unequal texts, shown so that a person sees where they part."""

import difflib
import json
from collections.abc import Iterator

WIDTH = 120  # longer lines are cut into pieces, so that the difference is in a short one
CONTEXT = 3
# A table may have a million rows; what comes after the first difference explains little.
COMPARED_LINES = 400
SHOWN_LINES = 40


def unified(one: str, other: str, names: tuple[str, str]) -> str:
    """A unified diff of `one` and `other`, of bounded length."""
    lines, others = _lines(one), _lines(other)
    if lines == others or not (lines and others):
        lines, others = list(_cut(one)), list(_cut(other))
    same = 0
    while same < min(len(lines), len(others)) and lines[same] == others[same]:
        same += 1
    # From there on only; difflib takes the square of the number of lines.
    begin = max(0, same - CONTEXT)
    here = lines[begin:][:COMPARED_LINES], others[begin:][:COMPARED_LINES]
    shown = list(difflib.unified_diff(*here, *names, lineterm="", n=CONTEXT))
    if len(shown) > SHOWN_LINES:
        shown = [*shown[:SHOWN_LINES], f"... and {len(shown) - SHOWN_LINES} lines more"]
    return "\n".join(shown)


def _lines(text: str) -> list[str]:
    """The lines of a JSON text laid out; of any other, none."""
    try:
        laid_out = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except ValueError:
        return []
    return list(_cut(laid_out))


def _cut(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        # Invisible differences are shown too: a carriage return, a space at the end.
        visible = line if line.isprintable() and line == line.rstrip() else repr(line)
        yield from (visible[n : n + WIDTH] for n in range(0, max(len(visible), 1), WIDTH))
