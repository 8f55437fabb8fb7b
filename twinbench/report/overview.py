"""The words of the overview picture: its title, what stands under it, and what it says to those who
cannot see it."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from twinbench.analyse.results import Comparison, Metric, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import RATIOS

# Longer than this nobody listens to a picture; all figures are in the tables.
MOST_LETTERS = 600
MEASURED: dict[Metric, str] = {
    **RATIOS,
    "throughput": "answers a second",
    "p50": "median response time",
}
AHEAD: dict[LoadKind, str] = {
    "closed": "above 1 {} is ahead",
    "open": "below 1 {} answers sooner",
}
Rows = Sequence[tuple[str, list[Comparison]]]


def overview_title(results: Results, kind: LoadKind) -> str:
    """What is divided by what, and who is ahead where."""
    rows = results.pairs(kind)
    pair = main_pair(rows)
    candidate = pair[1] if pair else "the candidate"
    divided = f"{pair[1]} / {pair[0]}" if pair else "candidate / baseline"
    return f"{divided}, {_measured(rows)}: {AHEAD[kind].format(candidate)}"


def overview_caption(results: Results, kind: LoadKind) -> str:
    """What the title leaves out: the pairs of rows that compare others."""
    rows = results.pairs(kind)
    main = main_pair(rows)
    others: dict[str, list[str]] = {}
    for name, [first, *_] in rows:
        if (first.baseline, first.candidate) != main:
            told = f"{first.candidate} / {first.baseline}"
            twice = " (A/A: one target measured twice)" if first.same else ""
            others.setdefault(told + twice, []).append(name)
    parts = [f"{', '.join(names)}: {told}." for told, names in others.items()]
    if any(comparison.survivor for _, found in rows for comparison in found):
        parts.append("“only”: the other one stopped answering.")
    return " ".join(parts)


def overview_alt(results: Results, kind: LoadKind) -> str:
    """Who is ahead where, in stretches of loads; shorter, where that is too long."""
    rows = results.pairs(kind)
    title = f"{overview_title(results, kind)}, by {'users' if kind == 'closed' else 'requests/s'}."
    ways = [_told(rows, stretches=True), _told(rows, stretches=False), _counted(rows)]
    tellings = [f"{title} {told} Figures: in the tables." for told in ways]
    return next((told for told in tellings if len(told) <= MOST_LETTERS), tellings[-1])


def main_pair(rows: Rows) -> tuple[str, str] | None:
    """Baseline and candidate of more than half of the rows that do not measure one target twice;
    None, if there are no such two."""
    pairs = [(found[0].baseline, found[0].candidate) for _, found in rows if not found[0].same]
    return next((pair for pair in pairs if 2 * pairs.count(pair) > len(pairs)), None)


def ahead_of(comparison: Comparison) -> str:
    """Who is ahead, or goes on answering alone; empty where nothing is decided."""
    return comparison.survivor or style.advantage(comparison)


def _measured(rows: Rows) -> str:
    metrics = sorted({comparison.metric for _, found in rows for comparison in found})
    if len(metrics) > 1:
        return f"response time ({' or '.join(metrics)})"
    return "".join(MEASURED[metric] for metric in metrics)


def _told(rows: Rows, *, stretches: bool) -> str:
    """Of each target the rows in which it is ahead; the rows in which nobody is."""
    where: dict[str, list[str]] = {}
    for name, found in rows:
        stretched = _stretches(found) if stretches else dict.fromkeys(map(ahead_of, found), "")
        ahead = {who: at for who, at in stretched.items() if who} or {"nobody": ""}
        for who, at in ahead.items():
            where.setdefault(who, []).append(f"{name} {at}".strip())
    return " ".join(f"{who} ahead: {', '.join(names)}." for who, names in where.items())


def _stretches(found: Sequence[Comparison]) -> dict[str, str]:
    """At which loads each is ahead: `1, 32 to 256`."""
    at: dict[str, list[str]] = {}
    for who, group in groupby(found, key=ahead_of):
        loads = [comparison.load.value for comparison in group]
        stretch = f"{loads[0]:,}" if len(loads) == 1 else f"{loads[0]:,} to {loads[-1]:,}"
        at.setdefault(who, []).append(stretch)
    return {who: " and ".join(stretches) for who, stretches in at.items()}


def _counted(rows: Rows) -> str:
    """In how many rows each is ahead somewhere."""
    counts = Counter(
        who or "nobody" for _, found in rows for who in {ahead_of(c) for c in found} - {""} or {""}
    )
    told = [f"{who} ahead in {count} of {len(rows)} rows" for who, count in sorted(counts.items())]
    return f"{'; '.join(told)}."
