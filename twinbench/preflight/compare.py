"""Two texts compared, less what a target does not say twice alike.

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
    """How many tokens differ between two targets: volatile ones, others, and those of the volatile
    ones that differ in length."""

    volatile: int
    steady: int
    lengths: int = 0

    @property
    def equal(self) -> bool:
        return not self.steady and not self.lengths


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
    lengths = sum(
        not (own.get(n) or theirs.get(n) or _of_one_length(*differing[n])) for n in unsteady
    )
    return Differing(len(unsteady), len(differing) - len(unsteady), lengths)


# A line in pieces, and where it stands among them: its separators and first token (the table of a
# row).
Kind = tuple[str, ...]
Line = tuple[Kind, list[str]]
# A kind of line, a position in it, and a token there.
Placed = tuple[Kind, int, str]


def alike_in_any_order(
    ones: Sequence[str], others: Sequence[str], token: re.Pattern[str]
) -> Differing | None:
    """As `alike`, for lines whose order may depend on what is volatile: rows by a random key, files
    by their content. A token is volatile if not all starts of its target have it equally often in
    its place. Differing lines count as one steady token each."""
    # A table may have a million rows; most are the same everywhere.
    rows = [[Counter(text.split("\n")) for text in starts] for starts in (ones, others)]
    common = functools.reduce(operator.and_, (*rows[0], *rows[1]))
    sides = [[_lines((each - common).elements(), token) for each in starts] for starts in rows]
    kinds = [Counter(kind for kind, _ in lines) for starts in sides for lines in starts]
    if any(found != kinds[0] for found in kinds):
        return None
    steady = [_steady(starts) for starts in sides]
    varying = _varying(sides[0], steady[0]) | _varying(sides[1], steady[1])
    one, other = (
        Counter(_masked_line(line, kept, varying) for line in starts[0])
        for starts, kept in zip(sides, steady, strict=True)
    )
    changing = sum(placed not in steady[0] for placed in _placed(sides[0][0]))
    return Differing(changing, (one - other).total())


def _steady(starts: Sequence[Sequence[Line]]) -> set[Placed]:
    counted = (set(Counter(_placed(lines)).items()) for lines in starts)
    return {placed for placed, _ in set.intersection(*counted)}


def _lines(lines: Iterable[str], token: re.Pattern[str]) -> list[Line]:
    pieces = (split(line, token) for line in lines)
    return [((*separators, *tokens[:1]), tokens) for separators, tokens in pieces]


def _placed(lines: Sequence[Line]) -> Iterator[Placed]:
    return ((kind, n, word) for kind, tokens in lines for n, word in enumerate(tokens))


def _varying(starts: Sequence[Sequence[Line]], steady: set[Placed]) -> set[tuple[Kind, int]]:
    """The places of volatile tokens of several lengths."""
    lengths: dict[tuple[Kind, int], set[int]] = {}
    for kind, n, word in (placed for lines in starts for placed in _placed(lines)):
        if (kind, n, word) not in steady:
            lengths.setdefault((kind, n), set()).add(len(word))
    return {place for place, found in lengths.items() if len(found) > 1}


def _masked_line(
    line: Line, steady: set[Placed], varying: set[tuple[Kind, int]]
) -> tuple[Kind, tuple[str, ...]]:
    kind, tokens = line
    words = (
        word if (kind, n, word) in steady else "~" * (len(word) if (kind, n) not in varying else 1)
        for n, word in enumerate(tokens)
    )
    return kind, tuple(words)


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
