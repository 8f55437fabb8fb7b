"""Numbers, loads and ratios as text, the same in every output."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from twinbench import text
from twinbench.analyse.results import Estimate
from twinbench.plan import Load, LoadKind

MISSING = "–"
# A larger smallest difference, of two or three blocks that disagree, is no figure to plan with.
HARDLY_ANY = 9.0
MOST_LOADS = 3  # listed one by one if they are no range; more are counted


def number(value: float | None) -> str:
    """Return `value` with three significant digits; a dash if it is missing."""
    return MISSING if value is None else text.number(value)


def factor(ratio: float) -> str:
    """Return a ratio as a factor: 1.25×."""
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.2f}×"


def interval(ratio: Estimate | None) -> str:
    """Return the bounds of `ratio`; empty without an interval."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return ""
    return f"{ratio.low:.2f} to {ratio.high:.2f}"


def share(difference: float) -> str:
    """Return a difference such as 0.12 as `12 %`, rounded up; above 100 % as a factor."""
    if difference > 1:
        return f"{1 + difference:.1f}×"
    return f"{math.ceil(round(100 * difference, 2))} %"


def would_have_seen(difference: float, only: str = "") -> str:
    """Return the smallest difference that would have been seen, as the end of a sentence."""
    if difference > HARDLY_ANY:
        return "would have seen hardly any difference"
    return f"would have seen {only}{share(difference)} or more"


def load_text(load: Load) -> str:
    """Return a load as `1 user` or `100 requests/s`."""
    return loads_text(load.kind, [load.value])


def loads_text(kind: LoadKind, loads: Sequence[int]) -> str:
    """Return loads as `1 user`, `8, 64 users`, `100 requests/s`."""
    unit = "requests/s" if kind == "open" else "user" if list(loads) == [1] else "users"
    return f"{', '.join(f'{load:,}' for load in loads)} {unit}"


def load_range(kind: LoadKind, measured: Sequence[int], loads: Sequence[int]) -> str:
    """Return where `loads` lie among the `measured` ones, both ascending.

    `at every load`, `from 64 users`, `up to 32 users`, `at 8 to 64 users`, `at 1, 32 users`,
    `at 5 of 6 loads`.
    """
    if len(loads) == len(measured):
        return "at every load" if kind == "closed" else "at every rate"
    ranges = [*groupby(loads, key=lambda load: measured.index(load) - loads.index(load))]
    if len(ranges) > 1 and len(loads) > MOST_LOADS:
        return f"at {len(loads)} of {len(measured)} loads"
    if len(ranges) > 1 or len(loads) == 1:
        return f"at {loads_text(kind, loads)}"
    if loads[-1] == measured[-1]:
        return f"from {loads_text(kind, loads[:1])}"
    if loads[0] == measured[0]:
        return f"up to {loads_text(kind, loads[-1:])}"
    return f"at {loads[0]:,} to {loads_text(kind, loads[-1:])}"


def labels(titles: Sequence[tuple[str, str]]) -> list[str]:
    """Return each title, with its note where another title is the same."""
    counts = Counter(title for title, _ in titles)
    return [f"{title}, {note}" if note and counts[title] > 1 else title for title, note in titles]
