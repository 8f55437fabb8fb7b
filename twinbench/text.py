"""Text for users: errors of one line, printable output, numbers, times, suggestions, TOML."""

import difflib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

# Three lines of a terminal. Longer texts hold a value or a path, which both ends identify.
MAX_CHARACTERS = 300
ELLIPSIS = " ... "
# Control characters, and invisible ones that change how others are shown; a space is neither.
INVISIBLE = ("Cc", "Cf")
# Python decodes a byte of a file name that is not UTF-8 to a surrogate, which cannot be encoded.
SURROGATE, REPLACEMENT = "Cs", "\N{REPLACEMENT CHARACTER}"
TIME = re.compile(r"(?:([0-9.]+)h)?(?:([0-9.]+)m)?(?:([0-9.]+)s)?")
PERCENT = re.compile(r"([0-9.]+) ?%")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # of TOML, written without quotes
MAX_TIME_S = 7 * 86_400.0
UNITS_S = (("min", 60), ("hours", 3600), ("days", 86_400))


class UserError(Exception):
    """Error with a message of one line: what is wrong, where, what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Return `text` with invisible characters escaped, shortened in its middle to `limit`."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escaped(c) for c in text)
    if len(text) <= limit:
        return text
    # More of the end: a message begins with a path and ends with what is wrong.
    head = limit // 3
    return text[:head] + ELLIPSIS + text[head + len(ELLIPSIS) - limit :]


def printable(text: str) -> str:
    """Return `text` without characters that control a terminal; line breaks stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        REPLACEMENT if unicodedata.category(c) == SURROGATE else c
        for c in text
        if c == "\n" or unicodedata.category(c) not in INVISIBLE
    )


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return the end of an error message: the known word nearest to `word`, or all of them."""
    if near := difflib.get_close_matches(word, known, n=1):
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(known)}" if known else ""


def number(value: float) -> str:
    """Return `value` with three significant digits, or with all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def figure(value: float) -> str:
    """Return `value` with four significant digits, for a comparison with bounds."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def count(value: int, noun: str) -> str:
    """Return `value` and `noun`, in the plural unless `value` is 1."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time in its largest unit that keeps two digits: `80 s`, `2 min`, `4 days`."""
    text = f"{seconds:.0f} s"
    for unit, unit_s in UNITS_S:
        if seconds > 1.5 * unit_s:
            text = f"{seconds / unit_s:,.0f} {unit}"
    return text


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def parse_duration(text: str) -> float:
    """Return the seconds of a time such as "90s", "10m" or "1h30m". Raises ValueError."""
    found = TIME.fullmatch(text.strip())
    try:
        parts = [float(part or 0) for part in found.groups()] if found else []
    except ValueError:  # such as 1.2.3
        parts = []
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if not 0 < seconds <= MAX_TIME_S:
        raise ValueError(f"'{text}' is no time up to a week: write it as 90s, 10m or 1h30m")
    return seconds


def parse_percent(text: str) -> float:
    """Return a share such as "5%" as a number, 0.05. Raises ValueError."""
    found = PERCENT.fullmatch(text.strip())
    try:
        share = float(found[1]) / 100 if found else 0.0
    except ValueError:  # such as 1.2.3
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError(f"'{text}' is no percentage: write it as 5%, more than 0 and at most 100%")
    return share


def labels(titles: Sequence[tuple[str, str]]) -> list[str]:
    """Return each title, with its note where another title is the same."""
    counts = Counter(title for title, _ in titles)
    return [f"{title}, {note}" if note and counts[title] > 1 else title for title, note in titles]


def toml(value: object) -> str:
    """Return `value` as TOML: text, numbers, lists and inline tables."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(str(key))} = {toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    # JSON escapes text as TOML does, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else toml(key)
