"""Text from anywhere, such as a server's last words: without what would move a terminal's cursor,
colour it, or turn letters around."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

# Control characters and invisible ones that change how others are shown. A space is neither.
UNSEEN = ("Cc", "Cf")
# What Python makes of a byte in a file's name that is not UTF-8: it cannot be written anywhere.
SURROGATE, REPLACEMENT = "Cs", "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Return `text` without control characters; line breaks stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        REPLACEMENT if unicodedata.category(c) == SURROGATE else c
        for c in text
        if c == "\n" or unicodedata.category(c) not in UNSEEN
    )


class PrintableConsole(Console):
    """Console whose texts are printable, status lines and progress bars included; colours and
    cursor moves come from rich alone."""

    def render(self, *args: Any, **options: Any) -> Iterable[Segment]:
        for segment in super().render(*args, **options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
