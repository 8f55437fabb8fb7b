"""Numbers, loads and ratios as text, the same in every output."""

import math
from collections.abc import Sequence
from itertools import groupby

from twinbench import text
from twinbench.analyse.results import CellStatus, Comparison, Estimate
from twinbench.plan import Load, LoadKind

MISSING = "–"
MOST_LOADS = 3  # of those that are no stretch; more are counted
STATUS: dict[CellStatus, str] = {"valid": "valid", "invalid": "invalid", "collapsed": "collapsed"}
EVERYWHERE: dict[LoadKind, str] = {"closed": "at every load", "open": "at every rate"}


def number(value: float | None) -> str:
    """Return `value` with three digits, or with all before the point."""
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


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def load_text(load: Load) -> str:
    return loads_text(load.kind, [load.value])


def loads_text(kind: LoadKind, loads: Sequence[int]) -> str:
    """Return loads as `1 user`, `8, 64 users`, `100 requests/s`."""
    unit = "requests/s" if kind == "open" else "user" if list(loads) == [1] else "users"
    return f"{', '.join(f'{load:,}' for load in loads)} {unit}"


def stretch(kind: LoadKind, tried: Sequence[int], loads: Sequence[int]) -> str:
    """Return where `loads` lie among those that were `tried` (both ascending): `at every load`,
    `from 64 users`, `up to 32 users`, `at 8 to 64 users`, `at 1, 32 users`, `at 5 of 6 loads`."""
    if len(loads) == len(tried):
        return EVERYWHERE[kind]
    runs = [
        list(run) for _, run in groupby(loads, key=lambda at: tried.index(at) - loads.index(at))
    ]
    if len(runs) > 1 and len(loads) > MOST_LOADS:
        return f"at {len(loads)} of {len(tried)} loads"
    if len(runs) > 1 or len(loads) == 1:
        return f"at {loads_text(kind, loads)}"
    if loads[-1] == tried[-1]:
        return f"from {loads_text(kind, loads[:1])}"
    if loads[0] == tried[0]:
        return f"up to {loads_text(kind, loads[-1:])}"
    return f"at {loads[0]:,} to {loads_text(kind, loads[-1:])}"


def leader(comparison: Comparison) -> str:
    """Return the target that is better, or that alone did not collapse; empty if none is shown."""
    ahead = {"faster": comparison.candidate, "slower": comparison.baseline}
    return comparison.survivor or ahead.get(comparison.decision, "")
