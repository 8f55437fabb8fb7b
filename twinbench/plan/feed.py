"""Feed of a scenario: a CSV file that gives each user, or each request, a row of values."""

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from twinbench.plan.requests import NAME, Captures, Count, Strict, SystemPath, ValueName
from twinbench.text import UserError

# Held in memory, by the harness and by each process of the generator.
MAX_BYTES = 1 << 24
MAX_ROWS = 100_000
MAX_COLUMNS = 100

Rows = Sequence[Captures]
# Of the files that were read, by SHA-256: a file that changes during a run changes nothing.
_read: dict[str, Rows] = {}


class Feed(Strict):
    """CSV file, as it was when the plan was read: `sha256`, `columns`, number of `rows`.

    The rows themselves are not kept with a run: they may be passwords.
    """

    file: SystemPath
    per: Literal["user", "request"] = "user"
    sha256: str
    columns: list[ValueName]
    rows: Count


class FeedContent(NamedTuple):
    """What a feed's file holds."""

    sha256: str
    columns: list[str]
    rows: int


def read_feed(file: Path) -> FeedContent:
    """Read the CSV file of a feed, and keep its rows for `rows_of`. Raises ValueError, OSError."""
    with file.open("rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"above {MAX_BYTES >> 20} MiB")
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        columns, rows = _parsed(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("not a text in UTF-8") from None
    _read[sha256] = rows
    return FeedContent(sha256, columns, len(rows))


def rows_of(feed: Feed) -> Rows:
    """Return the rows. Raises UserError if the file is not the one of the plan any more."""
    if feed.sha256 not in _read and read_feed(feed.file).sha256 != feed.sha256:
        raise UserError(f"{feed.file}: changed since the plan was read")
    return _read[feed.sha256]


def rows_of_users(feed: Feed | None, users: int) -> list[dict[str, str]]:
    """Return a row for each user, empty without a feed; users beyond the last row start over."""
    rows = rows_of(feed) if feed else [{}]
    return [dict(rows[user % len(rows)]) for user in range(users)]


def _parsed(text: str) -> tuple[list[str], Rows]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Captures] = []
    columns: list[str] = []
    try:
        for values in filter(None, lines):  # empty lines are no rows
            if not columns:
                columns = values
                _check_columns(columns)
                continue
            _check_row(values, columns, f"line {lines.line_num}")
            rows.append(dict(zip(columns, values, strict=True)))
            if len(rows) > MAX_ROWS:
                raise ValueError(f"more than {MAX_ROWS:,} rows")
    except csv.Error as error:
        raise ValueError(f"line {lines.line_num}: {error}") from None
    if not rows:
        what = "has no row below its header" if columns else "is empty"
        raise ValueError(f"{what}: the first line names the columns, each other one is a row")
    return columns, rows


def _check_columns(columns: Sequence[str]) -> None:
    if len(columns) > MAX_COLUMNS:
        raise ValueError(f"more than {MAX_COLUMNS} columns")
    for number, name in enumerate(columns):
        if not re.fullmatch(NAME, name):
            raise ValueError(
                f"column '{name}' of its header cannot be written in braces: use small letters,"
                " digits and _"
            )
        if name in columns[:number]:
            raise ValueError(f"column '{name}' is given twice")


def _check_row(values: Sequence[str], columns: Sequence[str], where: str) -> None:
    if len(values) != len(columns):
        raise ValueError(f"{where} has {len(values)} values, the header {len(columns)}")
    for name, value in zip(columns, values, strict=True):
        if not value.isprintable():  # it may be sent in a header
            raise ValueError(f"{where}: {name} is not a line of text")
