"""Two texts compared, less what a target does not say twice alike.

Times, random names, tokens and salts differ between two targets as they differ between two starts
of one: what is volatile is learned, not listed (docs/decisions/0007-what-is-volatile.md).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

# A word, a number, a part of a JWT; after a `$` also what Argon2 and bcrypt write there.
WORD = re.compile(r"(?<=\$)[A-Za-z0-9+/.]+|[\w-]+")
# Where words differ in structure: base64 as a whole, a number with its point and exponent, a path.
RUN = re.compile(r"[\w.+/-]+={0,2}")
TOKENS = (WORD, RUN)
# A number one higher may have one digit more.
MORE_DIGITS = 1


class Text(NamedTuple):
    """A text in pieces: `separators` stand around `tokens`, so there is one more of them."""

    separators: list[str]
    tokens: list[str]


# Positions of volatile tokens, each with whether even its length varies.
Volatile = dict[int, bool]


def split(text: str, token: re.Pattern[str] = WORD) -> Text:
    separators, tokens, end = [], [], 0
    for found in token.finditer(text):
        separators.append(text[end : found.start()])
        tokens.append(found[0])
        end = found.end()
    return Text([*separators, text[end:]], tokens)


def volatile(starts: Sequence[str], token: re.Pattern[str]) -> Volatile | None:
    """The tokens in which a target differs from itself, by one text of it for each of its
    `starts`; None if it does so in structure."""
    first, *others = (split(text, token) for text in starts)
    found: Volatile = {}
    for other in others:
        if other.separators != first.separators:
            return None
        for n, (a, b) in enumerate(zip(first.tokens, other.tokens, strict=True)):
            if a != b:
                found[n] = found.get(n, False) or len(a) != len(b)
    return found


class Differing(NamedTuple):
    """How many tokens differ between two targets: volatile ones, and others."""

    volatile: int
    steady: int


def alike(ones: Sequence[str], others: Sequence[str], token: re.Pattern[str]) -> Differing | None:
    """The tokens in which the first starts of two targets differ; None if they differ in more.
    A volatile token must still be as long as its counterpart, unless one of the two targets
    itself varies in that."""
    own, theirs = volatile(ones, token), volatile(others, token)
    text, counterpart = split(ones[0], token), split(others[0], token)
    if own is None or theirs is None or text.separators != counterpart.separators:
        return None
    pairs = enumerate(zip(text.tokens, counterpart.tokens, strict=True))
    differing = {n: (a, b) for n, (a, b) in pairs if a != b}
    unsteady = [n for n in differing if n in own or n in theirs]
    found = Differing(len(unsteady), len(differing) - len(unsteady))
    of_one_length = all(
        own.get(n) or theirs.get(n) or _of_one_length(*differing[n]) for n in unsteady
    )
    return found if of_one_length or found.steady else None


def _of_one_length(one: str, other: str) -> bool:
    more = MORE_DIGITS if one.isdecimal() and other.isdecimal() else 0
    return abs(len(one) - len(other)) <= more


def masked(text: str, positions: Volatile, token: re.Pattern[str]) -> str:
    """`text` with its volatile tokens made unreadable, so that a diff shows the others."""
    separators, tokens = split(text, token)
    shown = [
        ("9" if word.isdecimal() else "~") * len(word) if n in positions else word
        for n, word in enumerate(tokens)
    ]
    pieces = zip(separators, [*shown, ""], strict=True)
    return "".join(separator + word for separator, word in pieces)
