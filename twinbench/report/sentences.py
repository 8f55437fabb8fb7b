"""What sentences are put together from: lists of names, stretches of loads, ratios."""

import math
from collections.abc import Sequence
from itertools import groupby

from twinbench.analyse.results import Comparison, Estimate, Metric
from twinbench.plan import LoadKind
from twinbench.report.kinds import EVERYWHERE, span

# More than these nobody reads in a sentence; the picture and the tables have them all.
MOST_NAMES = 6
NAMES: dict[Metric, str] = {
    "throughput": "throughput",
    "per_cpu_s": "requests per CPU second",
    "p50": "median",
    "p99": "p99",
}


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def cut(names: Sequence[str]) -> str:
    """`listed`, but of many names the first, and how many more there are."""
    return listed([*names[:MOST_NAMES], *more(names)])


def more(names: Sequence[object], most: int = MOST_NAMES) -> list[str]:
    return [f"{len(names) - most} more"] if len(names) > most else []


def spans(kind: LoadKind, tried: Sequence[int], loads: Sequence[int]) -> str:
    """`loads` among those that were `tried`, both ascending: `8 users and 64 to 128 users`."""
    return listed([span(kind, run) for run in _runs(tried, loads)])


def stretch(kind: LoadKind, tried: Sequence[int], loads: Sequence[int]) -> str:
    """The same as seen from the ends: `at every load`, `from 64 users on`, `up to 32 users`, else
    `at 8 users and 64 to 128 users`."""
    if len(loads) == 1 or len(_runs(tried, loads)) > 1:
        return f"at {spans(kind, tried, loads)}"
    if len(loads) == len(tried):
        return EVERYWHERE[kind]
    if loads[-1] == tried[-1]:
        return f"from {span(kind, loads[:1])} on"
    if loads[0] == tried[0]:
        return f"up to {span(kind, loads[-1:])}"
    return f"at {span(kind, loads)}"


def _runs(tried: Sequence[int], loads: Sequence[int]) -> list[list[int]]:
    """`loads` cut wherever another one was tried between them."""
    numbered = groupby(enumerate(loads), key=lambda item: tried.index(item[1]) - item[0])
    return [[load for _, load in run] for _, run in numbered]


def seen_from(target: str, comparison: Comparison) -> Estimate:
    """The ratio of a comparison that has one, `target` divided by the other."""
    ratio = comparison.ratio
    if ratio is None:
        raise ValueError("no ratio: one of the two stopped answering, or was not measured")
    if target == comparison.candidate:
        return ratio
    return Estimate(
        estimate=1 / ratio.estimate,
        low=1 / ratio.high if ratio.high else None,
        high=1 / ratio.low if ratio.low else None,
    )


def unshown(compared: Sequence[Comparison]) -> str:
    """What would have been shown where no difference is: the rest of a sentence.

    The largest of the smallest differences, so that it holds at every load; `probably`: in four
    cases of five. Empty where it is not known."""
    known = [c.smallest_difference for c in compared if c.smallest_difference is not None]
    if not known:
        return ""
    if max(known) > 1:
        return f"where even one of {_factor(1 + max(known))}× might have been missed"
    return f"where one of {percent_up(max(known))} or more would probably have been"


def _factor(ratio: float) -> str:
    """Never more than it is."""
    return f"{math.floor(ratio)}" if ratio >= 10 else f"{math.floor(10 * ratio) / 10:.1f}"


def percent_up(share: float) -> str:
    """`share` in percent, never less than it is; a hundredth of a percent counts as nothing."""
    return f"{math.ceil(round(100 * share, 2))} %"


def about(kind: LoadKind, load: float, low: float | None, high: float | None) -> str:
    """A load between those that were tried, and its interval: `about 41 users (33 to 52)`."""
    unit = "users" if kind == "closed" else "requests/s"
    within = f" ({_load(low)} to {_load(high)})" if low and high else ""
    return f"about {_load(load)} {unit}{within}"


def _load(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
