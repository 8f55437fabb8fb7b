"""What a mark of a chart says when a pointer rests on it.

It travels as the artist's gid, which matplotlib writes into the SVG as an id; `svg` makes a title
of it.
"""

import json
from collections.abc import Sequence

from matplotlib.artist import Artist

ONE, EACH = "hover:", "hover-each:"


def hover(artist: Artist, text: str) -> None:
    """All of `artist` says `text`."""
    artist.set_gid(ONE + _printable(text))


def hover_each(artist: Artist, texts: Sequence[str]) -> None:
    """Each mark of `artist` (markers of a line, points, bars, lines of a collection) says its own
    text, in their order. Marks without a finite place, or outside of the picture, count for none
    and must have no text."""
    artist.set_gid(EACH + json.dumps([_printable(text) for text in texts], ensure_ascii=False))


def _printable(text: str) -> str:
    """`text` without what XML cannot hold, whatever it was taken from."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
