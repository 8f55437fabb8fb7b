"""Verdicts: which target is faster in each scenario, by how much, and from which load."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from twinbench.analyse.results import Comparison, Curve, Results
from twinbench.plan import LoadKind
from twinbench.report.elements import HeatMap, Lead, Mark, Tile, VerdictRow, VerdictTable
from twinbench.report.facts import failures
from twinbench.report.format import factor, leader, loads_text, number, share, stretch
from twinbench.report.pairs import METRICS, TargetPair, advantage, describe, strength, title
from twinbench.text import printable

CAPTIONS: dict[LoadKind, str] = {
    "closed": "Closed loads: users who each wait for their response. Compared by {}.",
    "open": "Open loads: requests sent at equal rates. Compared by {}.",
}
# A ratio from which a tile has a stronger colour; below the first, the weakest.
STRONGER = (1.25, 2.0)
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
CLEAR = 0.2  # differences above it are easily seen; a run that would have missed them says little
LEAST_SPAN = 2.0  # the axis of the marks reaches from one half to two at least


def leads(pair: TargetPair) -> tuple[Lead, ...]:
    """Return where each side is shown to be better, the larger difference first. Loads at which the
    other side collapsed count only where there is no ratio to show."""
    names = (pair.baseline.name, pair.candidate.name)
    found = []
    for target, other in (names, names[::-1]):
        ahead = [c for c in pair.compared if leader(c) == target]
        if measured := [c for c in ahead if c.ratio] or ahead:
            lead = Lead(
                side=pair.side_of(target),
                name=pair.title(target),
                other=pair.title(other),
                other_side=pair.side_of(other),
                ratio=max(map(strength, measured)) if measured[0].ratio else None,
                where=stretch(pair.kind, pair.tried, [c.load.value for c in measured]),
            )
            found.append(lead)
    measured_leads = [lead for lead in found if lead.ratio]
    return tuple(sorted(measured_leads, key=lambda lead: -(lead.ratio or 0)) or found)


def verdict_table(results: Results, shown: Sequence[TargetPair]) -> VerdictTable:
    """Return the verdicts of pairs, all on one kind of load."""
    kind = shown[0].kind
    reach = _reach(shown)
    loads = _columns(shown)
    metrics = [METRICS[pair.compared[0].metric] for pair in shown]
    titles = Counter(_title(results, pair) for pair in shown)
    groups = tuple(
        (group, tuple(_row(results, pair, reach, loads, titles) for pair in rows))
        for group, rows in groupby(shown, key=lambda r: printable(r.scenario.group))
    )
    ticks = tuple((_position(t, reach), f"{t:g}×") for t in TICKS if 1 / reach < t < reach)
    return VerdictTable(
        id=f"verdicts-{kind}",
        kind=kind,
        caption=CAPTIONS[kind].format(" or ".join(dict.fromkeys(metrics))),
        p99=_p99_header(shown),
        groups=groups,
        ticks=ticks,
        one=_position(1, reach),
        loads=tuple(_column_text(kind, n) for n in loads),
    )


def _title(results: Results, pair: TargetPair) -> str:
    """Return the title of the scenario, with that of the candidate where there are several."""
    several = len(results.plan.targets_of(pair.scenario)) > 2
    candidate = f": {title(pair.candidate)}" if several else ""
    return f"{title(pair.scenario)}{candidate}"


def _row(
    results: Results,
    pair: TargetPair,
    reach: float,
    loads: Sequence[int],
    titles: Mapping[str, int],
) -> VerdictRow:
    curves = _curves(results, pair)
    found = leads(pair)
    name, note = _title(results, pair), _note(pair)
    tiles = {tile.column: tile.text for tile in _tiles(pair, loads)}
    return VerdictRow(
        scenario=pair.scenario.name,
        title=name,
        note=note,
        label=f"{name}, {note}" if note and titles[name] > 1 else name,
        leads=found,
        otherwise="" if found else _otherwise(pair),
        mark=_mark(pair, reach),
        p99=_p99(pair.kind, curves),
        failures="; ".join(text for curve in curves for text in failures(results, curve)),
        ratios=tuple(tiles.get(n, "") for n in range(len(loads))),
    )


def _note(pair: TargetPair) -> str:
    """Return the note of the scenario; without one that of its targets, where it is the same."""
    one, other = pair.baseline.note, pair.candidate.note
    return pair.scenario.note or (one if one == other else "")


def _otherwise(pair: TargetPair) -> str:
    """Return what difference would have been seen, or why nothing is comparable."""
    if any(c.decision == "no difference shown" for c in pair.compared):
        known = [c.smallest_difference for c in pair.compared if c.smallest_difference]
        return f"would have seen {_only(max(known))}{share(max(known))}" if known else ""
    return next((reason for c in pair.compared for reason in c.reasons), "not comparable")


def _only(difference: float) -> str:
    return "only " if difference > CLEAR else ""


def _curves(results: Results, pair: TargetPair) -> list[Curve]:
    names = (pair.baseline.name, pair.candidate.name)
    curves = results.curves_of(pair.scenario.name, pair.kind)
    return [curve for name in names for curve in curves if curve.target == name]


def _p99_header(shown: Sequence[TargetPair]) -> str:
    pairs = {(title(r.baseline), title(r.candidate)) for r in shown}
    one, other = pairs.pop() if len(pairs) == 1 else ("baseline", "candidate")
    return f"{one} / {other}"


def _p99(kind: LoadKind, curves: Sequence[Curve]) -> str:
    """Return the p99 of both at the highest load at which both have one."""
    for points in reversed(list(zip(*(curve.points for curve in curves), strict=True))):
        values = [point.p99_ms.estimate for point in points if point.p99_ms]
        if len(values) == len(curves) == 2:
            figures = " / ".join(map(number, values))
            return f"{figures} at {loads_text(kind, [points[0].value])}"
    return ""


def _reach(shown: Sequence[TargetPair]) -> float:
    """Return how far the axis of the marks reaches from 1, in both directions."""
    found = [LEAST_SPAN]
    for pair in shown:
        if (comparison := _largest(pair)) and (ratio := advantage(comparison)):
            found += [
                max(bound, 1 / bound) for bound in (ratio.estimate, ratio.low, ratio.high) if bound
            ]
    return min(max(found), TICKS[-1]) * 1.15


def _largest(pair: TargetPair) -> Comparison | None:
    """Return the comparison with the largest difference that is shown; else the largest of all."""
    measured = [c for c in pair.compared if c.ratio]
    decided = [c for c in measured if leader(c)]
    return max(decided or measured, key=strength, default=None)


def _mark(pair: TargetPair, reach: float) -> Mark | None:
    comparison = _largest(pair)
    ratio = advantage(comparison) if comparison else None
    if comparison is None or ratio is None:
        return None
    ahead = leader(comparison)
    return Mark(
        at=_position(ratio.estimate, reach),
        low=_position(ratio.low or ratio.estimate, reach),
        high=_position(ratio.high or ratio.estimate, reach),
        side=pair.side_of(ahead) if ahead else None,
        text=describe(pair, comparison),
    )


def _position(ratio: float, reach: float) -> float:
    """Return the place of a ratio on the axis, in percent of its width."""
    place = 50 * (1 + math.log(ratio) / math.log(reach))
    return round(min(max(place, 0.0), 100.0), 1)


def _columns(shown: Sequence[TargetPair]) -> list[int]:
    """Return the loads that half of the rows have; of open loads, which differ, positions."""
    if shown[0].kind == "open":
        return list(range(max(len(pair.compared) for pair in shown)))
    loads = sorted({load for pair in shown for load in pair.tried})
    return [n for n in loads if 2 * sum(n in r.tried for r in shown) >= len(shown)]


def _column_text(kind: LoadKind, column: int) -> str:
    return f"{column:,}" if kind == "closed" else f"rate {column + 1}"


def _tiles(pair: TargetPair, loads: Sequence[int]) -> Iterable[Tile]:
    for n, comparison in enumerate(pair.compared):
        value = n if pair.kind == "open" else comparison.load.value
        if value in loads:
            yield _tile(pair, comparison, loads.index(value))


def _tile(pair: TargetPair, comparison: Comparison, column: int) -> Tile:
    ahead = leader(comparison)
    rate = f"\n{comparison.load.value:,}/s" if pair.kind == "open" else ""
    return Tile(
        column=column,
        text=_tile_text(pair, comparison) + rate,
        side=pair.side_of(ahead) if ahead else None,
        strength=_steps(comparison) if ahead else 0,
        known=bool(ahead) or comparison.decision == "no difference shown",
        hover=f"{title(pair.scenario)}, {describe(pair, comparison)}",
    )


def _tile_text(pair: TargetPair, comparison: Comparison) -> str:
    ahead = leader(comparison)
    if not ahead:
        return "~" if comparison.decision == "no difference shown" else "?"
    if comparison.survivor or comparison.ratio is None:
        return "only"
    return factor(strength(comparison))


def _steps(comparison: Comparison) -> int:
    if comparison.survivor:
        return 1 + len(STRONGER)
    return 1 + sum(strength(comparison) >= least for least in STRONGER)


def heat_map(shown: Sequence[TargetPair], table: VerdictTable) -> HeatMap:
    """Return the overview of pairs, in the order of their verdicts."""
    kind, loads = shown[0].kind, _columns(shown)
    titles = iter(table.rows)
    groups = tuple(
        (group, tuple((next(titles).label, tuple(_tiles(r, loads))) for r in rows))
        for group, rows in groupby(shown, key=lambda r: printable(r.scenario.group))
    )
    sides = {r.side_of(t.name): title(t) for r in shown for t in (r.baseline, r.candidate)}
    what = "Throughput" if kind == "closed" else "Response time at equal rates"
    return HeatMap(
        name="overview" if kind == "closed" else "overview.open",
        title=f"{what}: which target is faster, and by how much",
        x_label="users" if kind == "closed" else "requests/s, in the tiles",
        columns=tuple(_column_text(kind, n) if kind == "closed" else "" for n in loads),
        groups=groups,
        sides=tuple(sorted(sides.items())),
        described_by=f"verdicts-{kind}",
    )
