"""Differences between texts, except for values that change at every start.

Times, random names, tokens and salts differ between two targets as they differ between two starts
of one: what is volatile is learned, not listed (docs/decisions/0007-what-is-volatile.md).
"""

import functools
import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

# A word, a number, a part of a JWT; after a `$` also what Argon2 and bcrypt write there.
WORD = re.compile(r"(?<=\$)[A-Za-z0-9+/.]+|[\w-]+")
# Where words differ in structure: base64 as a whole, a number with point and exponent, a path.
RUN = re.compile(r"[\w.+/-]+={0,2}")
PATTERNS = (WORD, RUN)
MORE_DIGITS = 1  # a number that is one higher may have one digit more


class Tokens(NamedTuple):
    """Text in pieces: one more of `separators` than of `tokens`, which they surround."""

    separators: list[str]
    tokens: list[str]


# Positions of volatile tokens, each with whether its length varies.
Volatile = dict[int, bool]


class Differences(NamedTuple):
    """Numbers of tokens that differ between two targets.

    `lengths` are those volatile tokens whose lengths differ too.
    """

    volatile: int
    stable: int
    lengths: int = 0

    @property
    def are_volatile(self) -> bool:
        """Whether the texts differ in volatile tokens only."""
        return not self.stable and not self.lengths


def tokenize(text: str, pattern: re.Pattern[str] = WORD) -> Tokens:
    """Split `text` into tokens and their separators."""
    separators, tokens, end = [], [], 0
    for found in pattern.finditer(text):
        separators.append(text[end : found.start()])
        tokens.append(found[0])
        end = found.end()
    return Tokens([*separators, text[end:]], tokens)


def volatile_tokens(starts: Sequence[str], pattern: re.Pattern[str]) -> Volatile | None:
    """Return the tokens that differ between the `starts` of one target.

    None if the starts differ in their separators, so in structure.
    """
    first, *others = (tokenize(text, pattern) for text in dict.fromkeys(starts))
    found: Volatile = {}
    for other in others:
        if other.separators != first.separators:
            return None
        for n, (a, b) in enumerate(zip(first.tokens, other.tokens, strict=True)):
            if a != b:
                found[n] = found.get(n, False) or len(a) != len(b)
    return found


def differences(
    ones: Sequence[str], others: Sequence[str], pattern: re.Pattern[str]
) -> Differences | None:
    """Return the differences between the first starts of two targets; None if in structure.

    Volatile tokens must have the same length, unless that varies between starts of one target.
    """
    own, theirs = volatile_tokens(ones, pattern), volatile_tokens(others, pattern)
    one, other = tokenize(ones[0], pattern), tokenize(others[0], pattern)
    if own is None or theirs is None or one.separators != other.separators:
        return None
    pairs = enumerate(zip(one.tokens, other.tokens, strict=True))
    differing = {n: (a, b) for n, (a, b) in pairs if a != b}
    volatile = [n for n in differing if n in own or n in theirs]
    lengths = sum(
        not (own.get(n) or theirs.get(n) or _have_one_length(*differing[n])) for n in volatile
    )
    return Differences(len(volatile), len(differing) - len(volatile), lengths)


# Kind of a line (its separators and first token, the table of a row), and its tokens.
Kind = tuple[str, ...]
Line = tuple[Kind, list[str]]
# Kind of a line, position in it, and the token there.
Placed = tuple[Kind, int, str]


def differences_in_any_order(
    ones: Sequence[str], others: Sequence[str], pattern: re.Pattern[str]
) -> Differences | None:
    """Return the differences of texts whose lines may be in an order of volatile values.

    A token is volatile unless all starts of its target have it equally often in its place. Lines
    that differ count as one stable token each.
    """
    # A table may have a million rows; most are the same everywhere.
    rows = [[Counter(text.split("\n")) for text in starts] for starts in (ones, others)]
    common = functools.reduce(operator.and_, (*rows[0], *rows[1]))
    sides = [[_lines((each - common).elements(), pattern) for each in starts] for starts in rows]
    kinds = [Counter(kind for kind, _ in lines) for starts in sides for lines in starts]
    if any(found != kinds[0] for found in kinds):
        return None
    stable = [_stable(starts) for starts in sides]
    varying = _varying(sides[0], stable[0]) | _varying(sides[1], stable[1])
    one, other = (
        Counter(_masked_line(line, kept, varying) for line in starts[0])
        for starts, kept in zip(sides, stable, strict=True)
    )
    changing = sum(placed not in stable[0] for placed in _placed(sides[0][0]))
    return Differences(changing, (one - other).total())


def mask(text: str, positions: Volatile, pattern: re.Pattern[str]) -> str:
    """Return `text` with its volatile tokens replaced by `~` and `9`."""
    separators, tokens = tokenize(text, pattern)
    shown = [
        ("9" if word.isdecimal() else "~") * len(word) if n in positions else word
        for n, word in enumerate(tokens)
    ]
    pieces = zip(separators, [*shown, ""], strict=True)
    return "".join(separator + word for separator, word in pieces)


def _have_one_length(one: str, other: str) -> bool:
    more = MORE_DIGITS if one.isdecimal() and other.isdecimal() else 0
    return abs(len(one) - len(other)) <= more


def _lines(lines: Iterable[str], pattern: re.Pattern[str]) -> list[Line]:
    pieces = (tokenize(line, pattern) for line in lines)
    return [((*separators, *tokens[:1]), tokens) for separators, tokens in pieces]


def _placed(lines: Sequence[Line]) -> Iterator[Placed]:
    return ((kind, n, word) for kind, tokens in lines for n, word in enumerate(tokens))


def _stable(starts: Sequence[Sequence[Line]]) -> set[Placed]:
    counted = (set(Counter(_placed(lines)).items()) for lines in starts)
    return {placed for placed, _ in set.intersection(*counted)}


def _varying(starts: Sequence[Sequence[Line]], stable: set[Placed]) -> set[tuple[Kind, int]]:
    """Return the places of volatile tokens whose length varies."""
    lengths: dict[tuple[Kind, int], set[int]] = {}
    for kind, n, word in (placed for lines in starts for placed in _placed(lines)):
        if (kind, n, word) not in stable:
            lengths.setdefault((kind, n), set()).add(len(word))
    return {place for place, found in lengths.items() if len(found) > 1}


def _masked_line(
    line: Line, stable: set[Placed], varying: set[tuple[Kind, int]]
) -> tuple[Kind, tuple[str, ...]]:
    kind, tokens = line
    words = (
        word if (kind, n, word) in stable else "~" * (len(word) if (kind, n) not in varying else 1)
        for n, word in enumerate(tokens)
    )
    return kind, tuple(words)
