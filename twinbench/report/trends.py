"""Key figures of a plan from run to run: small charts, drawn by the template of the index.

Runs of different days are not paired, so nothing is decided here. A line ends where something
other than the app changed. Lengths are those of the view box of a chart.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import Self

from twinbench.analyse.results import Metric
from twinbench.analyse.summary import KeyFigure, ScenarioSummary, Summary, changes
from twinbench.plan import Load
from twinbench.report.charts.frame import log_ticks
from twinbench.report.format import load_text, number, version_text
from twinbench.text import count
from twinbench.versions.result import HEAD

WIDTH, HEIGHT = 340.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 12.0, 8.0, 20.0
# For the template: the view box, and the ends of the plot inside it.
BOX = {
    "width": WIDTH,
    "height": HEIGHT,
    "left": LEFT,
    "top": TOP,
    "right": WIDTH - RIGHT,
    "bottom": HEIGHT - BOTTOM,
}
MOST_RUNS = 50  # of a chart: more marks than these overlap
MANY_RUNS = 20  # from here on marks are small
# At least this factor from the bottom to the top, so that noise looks like noise.
LEAST_SPAN = 2.0
BEYOND = 1.08  # beyond the lowest and the highest figure
# With fewer blocks a standard deviation is known within a factor of five.
FEW_BLOCKS = 3
MOST_CHANGES = 10  # that are listed for a plan
MOST_NAMED = 6  # of what changed at once

Named = tuple[str, Summary]  # the address of the report, and the summary of a run


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """Figure of one run. `low` and `high`: ends of its interval, None without one."""

    x: float
    y: float
    low: float | None
    high: float | None
    few_blocks: bool
    address: str
    text: str


@dataclass(frozen=True, slots=True)
class TrendLine:
    """One target. `paths`: points of each part that is not interrupted."""

    label: str
    target: int
    paths: tuple[str, ...]
    points: tuple[TrendPoint, ...]


@dataclass(frozen=True, slots=True)
class TrendChart:
    """One scenario. `breaks`: places and texts of what changed; `dates`: of the first, last run."""

    title: str
    unit: str
    lines: tuple[TrendLine, ...]
    breaks: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    dates: tuple[str, str]
    runs: int

    @property
    def small(self) -> bool:
        return self.runs > MANY_RUNS

    @property
    def described(self) -> str:
        lines = ", ".join(line.label for line in self.lines)
        return f"{self.title}, {self.unit}, of {lines} in {count(self.runs, 'run')}"


@dataclass(frozen=True, slots=True)
class TrendGroup:
    """Runs of one plan on one machine. `changes`: when something else than the app changed."""

    title: str
    detail: str
    charts: tuple[TrendChart, ...]
    changes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _ScenarioRun:
    """Scenario in one run; `figures` by target, `changed` since the run before."""

    address: str
    run: Summary
    scenario: ScenarioSummary
    figures: dict[str, KeyFigure]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Logarithmic y axis from `low` to `high`."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> Self:
        low, high = min(values) / BEYOND, max(values) * BEYOND
        wider = math.sqrt(max(1.0, LEAST_SPAN * low / high))
        return cls(low / wider, high * wider)

    def y(self, value: float) -> float:
        """Return the place of `value`; beyond the axis, its end."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(max(share, 0.0), 1.0)), 1)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        found = log_ticks(self.low, self.high)
        return tuple((self.y(tick), f"{tick:,.6g}") for tick in found)


def trend_groups(runs: Sequence[Named]) -> Iterator[TrendGroup]:
    """Yield the trends of `runs`, the newest first: of a plan on a machine with two or more."""
    groups: dict[tuple[object, ...], list[Named]] = {}
    for named in runs:
        run = named[1]
        key = (run.plan, run.cpu, run.cores, bool(run.compared_versions))
        groups.setdefault(key, []).append(named)
    for of in groups.values():
        shown = of[:MOST_RUNS][::-1]
        found = [made for metric, name in _subjects(of) if (made := _chart(shown, metric, name))]
        if not found:
            continue
        newest = of[0][1]
        kind = ", versions of one app" if newest.compared_versions else ""
        more = f", the newest {MOST_RUNS} shown" if len(of) > MOST_RUNS else ""
        yield TrendGroup(
            title=newest.plan + kind,
            detail=f"{newest.cpu}, {count(newest.cores, 'core')}; {count(len(of), 'run')}{more}",
            charts=tuple(chart for chart, _ in found),
            changes=tuple(_listed(measured for _, measured in found)),
        )


def _subjects(runs: Sequence[Named]) -> list[tuple[Metric, str]]:
    """Return what there are charts of: metric and scenario, in the order of the newest plan."""
    return [
        *dict.fromkeys(
            (figure.metric, scenario.name)
            for _, run in runs
            for scenario in run.scenarios
            for figure in scenario.figures
        )
    ]


def _chart(
    runs: Sequence[Named], metric: Metric, name: str
) -> tuple[TrendChart, list[_ScenarioRun]] | None:
    """Return the chart of a scenario, the oldest run first; None with figures of a single run."""
    measured = _measured(runs, metric, name)
    if sum(bool(each.figures) for each in measured) < 2:
        return None
    step = (WIDTH - LEFT - RIGHT) / len(measured)
    xs = [LEFT + step * (place + 0.5) for place in range(len(measured))]
    axis = _Axis.around([f.value for each in measured for f in each.figures.values()])
    newest = measured[-1].scenario
    title, unit = f"{newest.title}: highest throughput", "requests/s"
    if metric == "p99":
        load = next(f.load for each in measured for f in each.figures.values())
        title, unit = f"{newest.title}: p99 at {load_text(load)}", "ms"
    targets = dict.fromkeys(t for each in measured[::-1] for t in each.scenario.targets)
    chart = TrendChart(
        title=title,
        unit=unit,
        lines=tuple(
            _line(measured, xs, target, index, axis) for index, target in enumerate(targets)
        ),
        breaks=tuple(
            (x - step / 2, "; ".join(_some(each.changed)))
            for x, each in zip(xs, measured, strict=True)
            if each.changed
        ),
        ticks=axis.ticks(),
        dates=(f"{measured[0].run.started:%Y-%m-%d}", f"{measured[-1].run.started:%Y-%m-%d}"),
        runs=len(measured),
    )
    return chart, measured


def _measured(runs: Sequence[Named], metric: Metric, name: str) -> list[_ScenarioRun]:
    """Return a scenario in each run that measured it, with its figures at one load."""
    found = [(named, s) for named in runs for s in named[1].scenarios if s.name == name]
    load = _common_load([s for _, s in found]) if metric == "p99" else None
    before: list[tuple[str, ...]] = [()]
    for ((_, old), old_scenario), ((_, new), new_scenario) in pairwise(found):
        own = changes(old_scenario.conditions, new_scenario.conditions)
        of_scenario = (f"{new_scenario.title}: {change}" for change in own)
        before.append((*changes(old.conditions, new.conditions), *of_scenario))
    return [
        _ScenarioRun(address, run, scenario, _at(scenario, metric, load), changed)
        for ((address, run), scenario), changed in zip(found, before, strict=True)
    ]


def _at(scenario: ScenarioSummary, metric: Metric, load: Load | None) -> dict[str, KeyFigure]:
    """Return the figures by target; of open loads those at `load`."""
    own = (figure for figure in scenario.figures if figure.metric == metric)
    return {figure.target: figure for figure in own if load in (None, figure.load)}


def _common_load(scenarios: Iterable[ScenarioSummary]) -> Load | None:
    """Return the open load with a p99 in most runs and targets, of these the highest."""
    known = Counter(f.load for each in scenarios for f in each.figures if f.metric == "p99")
    return max(known, key=lambda load: (known[load], load.value), default=None)


def _line(
    measured: Sequence[_ScenarioRun],
    xs: Sequence[float],
    target: str,
    index: int,
    axis: _Axis,
) -> TrendLine:
    points: list[TrendPoint] = []
    parts: list[int] = []  # the number of the part that a point belongs to
    part = 0
    for each, x in zip(measured, xs, strict=True):
        figure = each.figures.get(target)
        part += bool(each.changed) or figure is None
        if figure:
            points.append(_point(each, figure, x, axis))
            parts.append(part)
    of_part = groupby(zip(parts, points, strict=True), key=lambda pair: pair[0])
    titles = measured[-1].scenario.targets
    return TrendLine(
        label=target if measured[-1].run.compared_versions else titles.get(target, target),
        target=index,
        paths=tuple(" ".join(f"{p.x:.1f},{p.y:.1f}" for _, p in part) for _, part in of_part),
        points=tuple(points),
    )


def _point(each: _ScenarioRun, figure: KeyFigure, x: float, axis: _Axis) -> TrendPoint:
    return TrendPoint(
        x=x,
        y=axis.y(figure.value),
        low=axis.y(figure.low) if figure.low else None,
        high=axis.y(figure.high) if figure.high else None,
        few_blocks=figure.blocks < FEW_BLOCKS,
        address=each.address,
        text=_text(each, figure),
    )


def _text(each: _ScenarioRun, figure: KeyFigure) -> str:
    """Return what is shown on hover."""
    interval = ""
    if figure.low and figure.high:
        interval = f" ({number(figure.low)} to {number(figure.high)})"
    unit = "ms" if figure.metric == "p99" else "requests/s"
    parts = [
        f"{each.run.started:%Y-%m-%d %H:%M}",
        f"{each.scenario.targets.get(figure.target, figure.target)} {number(figure.value)}"
        f" {unit}{interval} at {load_text(figure.load)}",
        count(figure.blocks, "valid block"),
    ]
    if versions := each.run.compared_versions:
        parts.append(version_text(versions.head if figure.target == HEAD else versions.base))
    return "; ".join(parts)


def _some(found: Sequence[str]) -> list[str]:
    more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    return [*found[:MOST_NAMED], *more]


def _listed(charts: Iterable[Sequence[_ScenarioRun]]) -> Iterator[tuple[str, str]]:
    """Yield the runs before which something changed, the newest first, and what."""
    by_run: dict[datetime, dict[str, None]] = {}
    for measured in charts:
        for each in measured:
            if each.changed:
                by_run.setdefault(each.run.started, {}).update(dict.fromkeys(each.changed))
    newest = sorted(by_run, reverse=True)
    for started in newest[:MOST_CHANGES]:
        yield f"{started:%Y-%m-%d %H:%M}", "; ".join(_some([*by_run[started]]))
    if len(newest) > MOST_CHANGES:
        yield "earlier", count(len(newest) - MOST_CHANGES, "more change")
