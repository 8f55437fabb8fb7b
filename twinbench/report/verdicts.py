"""Verdict tables: which target is faster in each scenario, by how much, and from which load.

To add a column, write a function that returns its text for a pair, such as `_p99`, and add it to
`COLUMNS` with a name and a heading. Page, markdown and terminal show all of `COLUMNS`; the name is
the CSS class of the cells.
"""

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from twinbench.analyse.results import Comparison, Results
from twinbench.plan import LoadKind
from twinbench.plan.duration import LEAST_BLOCKS
from twinbench.report.elements import Advantage, HeatMap, Mark, Tile, VerdictRow, VerdictTable
from twinbench.report.facts import failures
from twinbench.report.format import factor, load_range, loads_text, number, would_have_seen
from twinbench.report.pairs import METRICS, TargetPair, gain, magnitude, title
from twinbench.text import duration, labels, printable
from twinbench.versions.result import BASE_AGAIN

CAPTIONS: dict[LoadKind, str] = {
    "closed": "Closed loads: users who each wait for their response. Compared by {}.",
    "open": "Open loads: requests sent at equal rates. Compared by {}.",
}
# A ratio from which a tile has a stronger colour; below the first, the weakest.
STRONGER = (1.25, 2.0)
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
LEAST_LIMIT = 2.0  # the axis of the marks reaches from one half to two at least
# A run that could have missed a larger difference than this shows little.
LARGE_DIFFERENCE = 0.2


def _p99(_: Results, pair: TargetPair) -> str:
    """Return the p99 of both targets at the highest load at which both have one."""
    for points in reversed(list(zip(*(curve.points for curve in pair.curves), strict=True))):
        values = [point.p99_ms.estimate for point in points if point.p99_ms]
        if len(values) == 2:
            figures = " / ".join(map(number, values))
            return f"{figures} at {loads_text(pair.kind, [points[0].value])}"
    return ""


def _failures(results: Results, pair: TargetPair) -> str:
    return "; ".join(text for curve in pair.curves for text in failures(results, curve))


# Name, heading and text; `{targets}` stands for the titles of the two.
COLUMNS: tuple[tuple[str, str, Callable[[Results, TargetPair], str]], ...] = (
    ("p99", "p99 ms, {targets}", _p99),
    ("failures", "failures", _failures),
)


def verdict_table(results: Results, pairs: Sequence[TargetPair]) -> VerdictTable:
    """Return the verdicts on pairs, all on one kind of load, in the order of their groups."""
    kind, limit, loads = pairs[0].kind, _axis_limit(pairs), _tile_loads(pairs)
    metrics = dict.fromkeys(METRICS[pair.comparisons[0].metric] for pair in pairs)
    both = {" / ".join(target.text for target in pair.targets) for pair in pairs}
    targets = both.pop() if len(both) == 1 else "baseline / candidate"
    own_labels = iter(labels([(_title(results, pair), _note(pair)) for pair in pairs]))
    return VerdictTable(
        id=f"verdicts-{kind}",
        kind=kind,
        caption=CAPTIONS[kind].format(" or ".join(metrics)),
        columns=tuple((name, heading.format(targets=targets)) for name, heading, _ in COLUMNS),
        groups=tuple(
            (group, tuple(_row(results, pair, next(own_labels), limit, loads) for pair in own))
            for group, own in groupby(pairs, key=lambda pair: printable(pair.scenario.group))
        ),
        ticks=tuple((_position(t, limit), f"{t:g}×") for t in TICKS if 1 / limit < t < limit),
        one=_position(1, limit),
        loads=tuple(f"{n:,}" if kind == "closed" else f"rate {n + 1}" for n in loads),
    )


def heat_map(pairs: Sequence[TargetPair], table: VerdictTable) -> HeatMap:
    """Return the heat map of the pairs of `table`."""
    closed = table.kind == "closed"
    metrics = {pair.comparisons[0].metric for pair in pairs}
    found = (("Throughput", metrics & {"throughput"}), ("response time", metrics & {"p50", "p99"}))
    what = " or ".join(name for name, used in found if used).capitalize()
    what += "" if closed else " at equal rates"
    targets = {target.target: target for pair in pairs for target in pair.targets}
    return HeatMap(
        name="overview" if closed else "overview.open",
        title=f"{what}: which target is faster, and by how much",
        x_label="users" if closed else "requests/s, in the tiles",
        targets=tuple(targets[index] for index in sorted(targets, key=lambda index: index or 0)),
        table=table,
    )


def _row(
    results: Results, pair: TargetPair, label: str, limit: float, loads: Sequence[int]
) -> VerdictRow:
    advantages = _advantages(pair)
    return VerdictRow(
        scenario=pair.scenario.name,
        title=_title(results, pair),
        note=_note(pair),
        label=label,
        advantages=advantages,
        detail="" if advantages else _detail(results, pair),
        mark=_mark(pair, limit),
        cells=tuple(text_of(results, pair) for *_, text_of in COLUMNS),
        tiles=_tiles(pair, loads),
    )


def _title(results: Results, pair: TargetPair) -> str:
    """Return the title of the scenario, with that of the candidate where there are several."""
    candidates = {*results.plan.targets_of(pair.scenario)[1:]} - {BASE_AGAIN}
    return title(pair.scenario) + (f": {title(pair.candidate)}" if len(candidates) > 1 else "")


def _note(pair: TargetPair) -> str:
    """Return the note of the scenario, or else that of its targets if both have the same."""
    one, other = pair.baseline.note, pair.candidate.note
    return pair.scenario.note or (one if one == other else "")


def _advantages(pair: TargetPair) -> tuple[Advantage, ...]:
    """Return the advantage of each target, the larger one first.

    Loads at which the other target collapsed count only where there is no ratio to show.
    """
    found = []
    for target, other in (pair.targets, pair.targets[::-1]):
        faster = [c for c in pair.comparisons if pair.faster(c) == target.target]
        measured = [c for c in faster if c.ratio]
        if faster:
            loads = [comparison.load.value for comparison in measured or faster]
            ratio = max(map(magnitude, measured), default=None)
            where = load_range(pair.kind, pair.loads, loads)
            found.append(Advantage(target, other, ratio, where, pair.comparisons[0].metric))
    with_ratio = [advantage for advantage in found if advantage.ratio]
    return tuple(sorted(with_ratio, key=lambda one: -(one.ratio or 0)) or found)


def _detail(results: Results, pair: TargetPair) -> str:
    """Return what difference would have been seen, or why nothing is comparable."""
    if any(c.decision == "no difference shown" for c in pair.comparisons):
        worst = max(pair.comparisons, key=lambda c: c.smallest_difference or 0.0)
        if not (known := worst.smallest_difference):
            return ""
        only = "only " if known > LARGE_DIFFERENCE else ""
        text = would_have_seen(known, only)
        if worst.halved_by:
            text += f"; half of it: {_longer_plan(results, worst.halved_by, worst.blocks)}"
        return text
    return next((reason for c in pair.comparisons for reason in c.reasons), "not comparable")


def _longer_plan(results: Results, times: float, measured_blocks: int) -> str:
    """Return the keys of a plan with `times` as many blocks or more, and how long it takes.

    Of planned blocks some may be invalid; of added ones, as many are needed again.
    """
    plan, before = results.plan, max(results.plan.blocks, measured_blocks)
    # A count of blocks, divided by theirs: rounded, for the error of floats.
    blocks = max(LEAST_BLOCKS, math.ceil(round(times * before, 6)))
    instead = f", measure_s = {plan.measure_s:g} instead of time" if plan.time else ""
    return f"blocks = {blocks}{instead} ({duration(blocks / before * results.timing.elapsed_s)})"


# The plot of each row.


def _shown_in_plot(pair: TargetPair) -> Comparison | None:
    """Return the comparison with the largest difference that is shown, or else of all."""
    measured = [c for c in pair.comparisons if c.ratio]
    decided = [c for c in measured if pair.faster(c) is not None]
    return max(decided or measured, key=magnitude, default=None)


def _axis_limit(pairs: Sequence[TargetPair]) -> float:
    """Return how far the axis of the marks reaches from 1, as a factor in both directions."""
    ratios = [c.ratio for pair in pairs if (c := _shown_in_plot(pair)) and c.ratio]
    bounds = [b for ratio in ratios for b in (ratio.estimate, ratio.low, ratio.high) if b]
    return 1.15 * min(max([LEAST_LIMIT, *bounds, *(1 / b for b in bounds)]), TICKS[-1])


def _mark(pair: TargetPair, limit: float) -> Mark | None:
    comparison = _shown_in_plot(pair)
    ratio = gain(comparison) if comparison else None
    if comparison is None or ratio is None:
        return None
    return Mark(
        at=_position(ratio.estimate, limit),
        low=_position(ratio.low or ratio.estimate, limit),
        high=_position(ratio.high or ratio.estimate, limit),
        target=pair.faster(comparison),
        text=pair.describe(comparison),
    )


def _position(ratio: float, limit: float) -> float:
    """Return the position of a ratio on the axis, in percent of its width."""
    position = 50 * (1 + math.log(ratio) / math.log(limit))
    return round(min(max(position, 0.0), 100.0), 1)


# The tiles of each row.


def _tile_loads(pairs: Sequence[TargetPair]) -> list[int]:
    """Return the loads that half of the rows have; of open loads, which differ, positions."""
    if pairs[0].kind == "open":
        return list(range(max(len(pair.comparisons) for pair in pairs)))
    loads = sorted({load for pair in pairs for load in pair.loads})
    return [n for n in loads if 2 * sum(n in pair.loads for pair in pairs) >= len(pairs)]


def _tiles(pair: TargetPair, loads: Sequence[int]) -> tuple[Tile | None, ...]:
    positions = pair.loads if pair.kind == "closed" else range(len(pair.loads))
    own = dict(zip(positions, pair.comparisons, strict=True))
    return tuple(_tile(pair, own[load]) if load in own else None for load in loads)


def _tile(pair: TargetPair, comparison: Comparison) -> Tile:
    faster = pair.faster(comparison)
    known = faster is not None or comparison.decision == "no difference shown"
    text, strength = "~" if known else "?", 0
    if comparison.not_collapsed:
        text, strength = "only", 1 + len(STRONGER)
    elif faster is not None:
        ratio = magnitude(comparison)
        text, strength = factor(ratio), 1 + sum(ratio >= least for least in STRONGER)
    rate = f"\n{comparison.load.value:,}/s" if pair.kind == "open" else ""
    hover = f"{title(pair.scenario)}, {pair.describe(comparison)}"
    return Tile(text + rate, faster, strength, known, hover)
