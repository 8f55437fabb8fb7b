"""Numbers, loads and ratios as text, the same in every output."""

import math
from collections.abc import Sequence
from itertools import groupby

from twinbench import text
from twinbench.analyse.results import Estimate, Metric
from twinbench.plan import Load, LoadKind
from twinbench.versions.result import Version

MISSING = "–"
# A larger smallest difference, of two or three blocks that disagree, is no figure to plan with.
HARDLY_ANY = 9.0
# A ratio from which a factor is easier to read than a difference in percent.
TWICE = 2.0
# More, less, and from twice on.
DIFFERENCES: dict[Metric, tuple[str, str, str]] = {
    "throughput": (
        "serves {} more requests/s",
        "serves {} fewer requests/s",
        "serves {} the requests/s",
    ),
    "per_cpu_s": (
        "serves {} more requests per CPU second",
        "serves {} fewer requests per CPU second",
        "serves {} the requests per CPU second",
    ),
    "p50": ("has a p50 {} longer", "has a p50 {} shorter", "has a p50 {} as long"),
    "p99": ("has a p99 {} longer", "has a p99 {} shorter", "has a p99 {} as long"),
}
SHORT_COMMIT = 7  # characters, as git shows it
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


def change(ratio: float) -> str:
    """Return a ratio as a difference with its sign, `-9.8 %`; from twice on as a factor."""
    if ratio >= TWICE:
        return factor(ratio)
    return f"{round(100 * (ratio - 1), 1) + 0.0:+.1f} %"  # + 0.0: no negative zero


def change_interval(ratio: Estimate | None) -> str:
    """Return the bounds of `ratio` as differences, `-12.4 to -7.1`; empty without an interval."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return ""
    bounds = f"{change(ratio.low)} to {change(ratio.high)}"
    return bounds if ratio.high >= TWICE else bounds.replace(" %", "")


def difference(metric: Metric, ratio: Estimate) -> str:
    """Return a ratio and its interval in words: `serves 9.8 % fewer requests/s (7.1 to 12.4 %)`."""
    more, less, times = DIFFERENCES[metric]
    if ratio.estimate >= TWICE:
        bounds = f" ({interval(ratio)})" if interval(ratio) else ""
        return times.format(factor(ratio.estimate)) + bounds
    size = abs(ratio.estimate - 1)
    words = (more if ratio.estimate > 1 else less).format(f"{100 * size:.1f} %")
    if ratio.low is None or ratio.high is None:
        return words
    smaller, larger = sorted((abs(ratio.low - 1), abs(ratio.high - 1)))
    return f"{words} ({100 * smaller:.1f} to {100 * larger:.1f} %)"


def share(difference: float) -> str:
    """Return a difference such as 0.12 as `12 %`, rounded up; above 100 % as a factor."""
    if difference > 1:
        return f"{1 + difference:.1f}×"
    return f"{math.ceil(round(100 * difference, 2))} %"


def would_have_seen(difference: float, only: str = "") -> str:
    """Return the smallest difference that would have been seen, as the end of a sentence."""
    return f"would have seen {seen(difference, only)}"


def seen(difference: float, only: str = "") -> str:
    if difference > HARDLY_ANY:
        return "hardly any difference"
    return f"{only}{share(difference)} or more"


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


def version_text(version: Version) -> str:
    """Return a version as `main (1a2b3c4)` or `working tree (1a2b3c4 and 2 changed files)`."""
    if version.commit.startswith(version.ref):
        return version.ref
    changed = f" and {text.count(version.changed, 'changed file')}" if version.changed else ""
    return f"{version.ref} ({version.commit[:SHORT_COMMIT]}{changed})"
