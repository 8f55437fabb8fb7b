"""Text from anywhere, such as a server's last words: without what would move a terminal's cursor,
colour it, or turn letters around."""

import unicodedata

# Control characters and invisible ones that change how others are shown. A space is neither.
UNSEEN = ("Cc", "Cf")


def printable(text: str) -> str:
    """`text` without control characters; line breaks stay."""
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in UNSEEN)
