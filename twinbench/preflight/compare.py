"""Two texts compared, less what a target does not say twice alike.

Times, random names, tokens and salts differ between two targets as they differ between two starts
of one: what is volatile is learned, not listed (docs/decisions/0007-what-is-volatile.md).
"""

import re
from typing import NamedTuple

# A word, a number, a part of a JWT; after a `$` also what Argon2 and bcrypt write there.
TOKEN = re.compile(r"(?<=\$)[A-Za-z0-9+/.]+|[\w-]+")


class Twice(NamedTuple):
    """The same fact of one target at its first and at its second start."""

    first: str
    again: str


class Text(NamedTuple):
    """A text in pieces: `separators` stand around `tokens`, so there is one more of them."""

    separators: list[str]
    tokens: list[str]


# Positions of volatile tokens, each with whether even its length varies.
Volatile = dict[int, bool]


def split(text: str) -> Text:
    separators, tokens, end = [], [], 0
    for found in TOKEN.finditer(text):
        separators.append(text[end : found.start()])
        tokens.append(found[0])
        end = found.end()
    return Text([*separators, text[end:]], tokens)


def volatile(fact: Twice) -> Volatile | None:
    """The tokens in which a target differs from itself; None if it does so in structure."""
    one, other = split(fact.first), split(fact.again)
    if one.separators != other.separators:
        return None
    pairs = enumerate(zip(one.tokens, other.tokens, strict=True))
    return {n: len(a) != len(b) for n, (a, b) in pairs if a != b}


def alike(one: str, other: str, own: Volatile, others: Volatile) -> int | None:
    """How many tokens differ between two texts that are equal but for volatile tokens; None for
    texts that are not. A volatile token must still be as long as its counterpart, unless one of
    the two targets itself varies in that."""
    text, counterpart = split(one), split(other)
    if text.separators != counterpart.separators:
        return None
    differing = 0
    for n, (a, b) in enumerate(zip(text.tokens, counterpart.tokens, strict=True)):
        if a == b:
            continue
        if n not in own and n not in others:
            return None
        if len(a) != len(b) and not (own.get(n) or others.get(n)):
            return None
        differing += 1
    return differing


def masked(text: str, positions: Volatile) -> str:
    """`text` with its volatile tokens made unreadable, so that a diff shows the others."""
    separators, tokens = split(text)
    shown = [
        ("9" if token.isdecimal() else "~") * len(token) if n in positions else token
        for n, token in enumerate(tokens)
    ]
    pieces = zip(separators, [*shown, ""], strict=True)
    return "".join(separator + token for separator, token in pieces)
