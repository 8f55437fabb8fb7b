"""The map of IO and CPU: how much of the requests computes, by users. Its rows, and its words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from twinbench.analyse.results import Comparison, Crossover, Results
from twinbench.report import style
from twinbench.report.kinds import span

AHEAD = "Ahead is who has the higher throughput, or goes on answering where the other stops."


@dataclass(frozen=True, slots=True)
class Row:
    """The scenario in which `share` of the requests compute, and its throughputs by users."""

    share: float
    scenario: str
    compared: list[Comparison]

    @property
    def percent(self) -> str:
        return f"{100 * self.share:.3g} %"


def grid(results: Results) -> list[Row]:
    """From the least computing to the most; empty where fewer than two scenarios have a share and
    compare the same two targets (the first candidate with its baseline) under closed loads."""
    rows = []
    for scenario in sorted(results.plan.scenarios, key=lambda s: s.cpu_share or 0.0):
        candidate = results.plan.targets_of(scenario)[1:2]
        if scenario.cpu_share is None or not candidate:
            continue
        if compared := results.compared(scenario.name, "closed", "throughput", candidate[0]):
            rows.append(Row(scenario.cpu_share, scenario.name, compared))
    alike = [row for row in rows if _pair(row) == _pair(rows[0])]
    return alike if len(alike) > 1 else []


def grid_loads(rows: Sequence[Row]) -> list[int]:
    return sorted({comparison.load.value for row in rows for comparison in row.compared})


def ahead_of(comparison: Comparison) -> str:
    """Who is ahead, or goes on answering alone; empty where nothing is decided."""
    return comparison.survivor or style.advantage(comparison)


def both_ahead(rows: Sequence[Row]) -> bool:
    """Whether each of the two is ahead somewhere: else no line of equality divides the map, and
    where one would be drawn there is only noise."""
    return {ahead_of(c) for row in rows for c in row.compared} >= set(_pair(rows[0]))


def said(comparison: Comparison) -> str:
    """What a tile says; a ratio that decides nothing with a question mark."""
    if comparison.survivor or comparison.ratio is None:
        return style.verdict(comparison)
    return style.times(comparison.ratio) + ("" if ahead_of(comparison) else "?")


def map_words(results: Results) -> list[str]:
    """Who is ahead where, as far as it is decided, and where the candidate overtakes; empty where
    `grid` is."""
    rows = grid(results)
    told = [(_who(row, grid_loads(rows)), row) for row in rows]
    sentences = []
    for who, group in groupby(told, key=lambda pair: pair[0]):
        percents = [row.percent for _, row in group]
        shares = percents[0] if len(percents) == 1 else f"{percents[0]} to {percents[-1]}"
        sentences.append(f"With {shares} of the requests computing, {who}.")
    return [*sentences, AHEAD, *_line(results, rows)] if rows else []


def map_alt(results: Results) -> str:
    """Every tile of the map; `grid` must not be empty."""
    rows = grid(results)
    tiles = [
        f"{row.percent}: " + ", ".join(f"{said(c)} at {c.load.value}" for c in row.compared)
        for row in rows
    ]
    baseline, candidate = _pair(rows[0])
    return (
        f"Throughput, {candidate} / {baseline}, by the share of requests that compute and by"
        f" users. {'; '.join(tiles)}."
    )


def _pair(row: Row) -> tuple[str, str]:
    return row.compared[0].baseline, row.compared[0].candidate


def _who(row: Row, loads: Sequence[int]) -> str:
    """Who is ahead at which loads; what is not decided is left out."""
    where: dict[str, list[str]] = {}
    for ahead, group in groupby(row.compared, key=ahead_of):
        values = [comparison.load.value for comparison in group]
        if ahead:
            where.setdefault(ahead, []).append(_where(values, loads))
    if not where:
        return "nobody is shown to be ahead"
    return "; ".join(f"{ahead} is ahead {' and '.join(at)}" for ahead, at in where.items())


def _where(values: list[int], loads: Sequence[int]) -> str:
    if len(values) == len(loads):
        return "at every number of users"
    if len(values) > 1 and values[-1] == loads[-1]:
        return f"from {span('closed', values[:1])} on"
    return f"at {span('closed', values)}"


def _line(results: Results, rows: Sequence[Row]) -> Iterator[str]:
    baseline, candidate = _pair(rows[0])
    points = [
        f"{_users(found)} with {row.percent}"
        for row in rows
        for found in results.crossovers
        if (found.scenario, found.candidate, found.load_kind, found.metric, found.found)
        == (row.scenario, candidate, "closed", "throughput", "crossover")
    ]
    if points:
        yield f"{candidate} overtakes {baseline} at {', '.join(points)}."
    if not both_ahead(rows):
        yield (
            f"No line of equality is drawn: that takes loads at which {baseline} is ahead, and"
            f" others at which {candidate} is."
        )


def _users(found: Crossover) -> str:
    """Where it crosses, with the interval; or only the interval."""
    bounds = [found.low, found.high]
    between = " to ".join(f"{bound:.0f}" for bound in bounds if bound is not None)
    if found.at is None:
        return f"{between} users"
    return f"{found.at:.0f} users" + (f" ({between})" if between else "")
