"""One scenario: its key facts, its charts, and all its figures."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from twinbench.analyse.results import (
    HIGHER_IS_BETTER,
    PERCENTS,
    CellResult,
    Comparison,
    Curve,
    Metric,
    NamedRequests,
    Results,
)
from twinbench.analyse.results import Point as CurvePoint
from twinbench.plan import LoadKind, Scenario
from twinbench.report.elements import (
    Annotation,
    LineChart,
    Point,
    ReferenceLine,
    Series,
    SweepMap,
    Table,
    TimelineChart,
)
from twinbench.report.facts import collapse_shares, key_facts
from twinbench.report.format import (
    MISSING,
    factor,
    interval,
    load_text,
    loads_text,
    number,
    would_have_seen,
)
from twinbench.report.pairs import KINDS, METRICS, TargetPair, title
from twinbench.text import printable

AXIS: dict[LoadKind, str] = {"closed": "users", "open": "requests/s offered"}
PERCENT_TICKS = (50, 90, 99, 99.9, 99.99)


@dataclass(frozen=True, slots=True)
class LoadSection:
    """A scenario under one kind of load; tables without rows have nothing to show."""

    facts: Table
    charts: tuple[LineChart | SweepMap | TimelineChart, ...]
    figures: Table
    names: Table  # of the requests of a locustfile


@dataclass(frozen=True, slots=True)
class ScenarioView:
    """A scenario as the report shows it."""

    id: str
    title: str
    note: str
    about: str
    sections: tuple[LoadSection, ...]


def scenario_view(
    results: Results, scenario: Scenario, pairs: Sequence[TargetPair]
) -> ScenarioView:
    """Return one scenario, on loads of both kinds; `pairs` are those of all scenarios."""
    sections = []
    for kind in KINDS:
        if curves := results.curves_of(scenario.name, kind):
            own = [p for p in pairs if (p.scenario.name, p.kind) == (scenario.name, kind)]
            sections.append(_Section(results, scenario, curves, own).view())
    return ScenarioView(
        id=f"scenario-{scenario.name}",
        title=title(scenario),
        note=scenario.note,
        about=scenario.about,
        sections=tuple(sections),
    )


def curve_charts(
    results: Results, scenario: Scenario, kind: LoadKind, targets: Collection[str]
) -> list[LineChart]:
    """Return throughput and response times of these targets, which are the first of the plan."""
    curves = [c for c in results.curves_of(scenario.name, kind) if c.target in targets]
    return list(_Section(results, scenario, curves, ()).curve_charts()) if curves else []


class _Section:
    """What the parts of a section share; lists are by the index of a target."""

    def __init__(
        self,
        results: Results,
        scenario: Scenario,
        curves: Sequence[Curve],
        pairs: Sequence[TargetPair],
    ) -> None:
        self.results, self.scenario, self.curves, self.pairs = results, scenario, curves, pairs
        self.kind = curves[0].load_kind
        self.cells = [results.cells_of(curve) for curve in curves]
        self.titles = [title(results.plan.target(curve.target)) for curve in curves]
        self.loads = [point.value for point in curves[0].points]
        self.ticks = tuple((float(load), f"{load:,}") for load in self.loads)
        self.id = f"{scenario.name}-{self.kind}"

    def view(self) -> LoadSection:
        return LoadSection(
            facts=key_facts(self.results, f"facts-{self.id}", self.curves),
            charts=tuple(self._charts()),
            figures=self._figures(),
            names=self._names(),
        )

    def curve_charts(self) -> Iterable[LineChart]:
        if self.kind == "closed":
            yield self._throughput_chart()
        yield self._latency_chart()

    def _charts(self) -> Iterable[LineChart | TimelineChart]:
        yield from self.curve_charts()
        if self.pairs:
            yield self._ratio_chart()
        if load := self._percentile_load():
            yield self._percentile_chart(load)
        yield from self._timelines()

    # Charts over loads.

    def _throughput_chart(self) -> LineChart:
        predictions = [
            ReferenceLine(found.rps, f"{self.titles[n]}: {found.limit} {found.by}", n)
            for n, curve in enumerate(self.curves)
            if (found := curve.prediction)
        ]
        return LineChart(
            name=f"{self.id}.throughput",
            title="Throughput (requests/s)",
            x_label=AXIS[self.kind],
            ticks=self.ticks,
            scale="linear",
            series=tuple(self._series("throughput", "solid")),
            dots=tuple(self._dots("throughput")),
            annotations=tuple(self._collapses("bottom")),
            reference_lines=tuple(predictions),
            described_by=f"figures-{self.id}",
        )

    def _latency_chart(self) -> LineChart:
        series = [*self._series("p99", "solid"), *self._series("p50", "dashed")]
        values = [p.y for one in series for p in one.points if not math.isnan(p.y)]
        slo_ms = self.results.plan.slo_ms
        near = values and min(values) < slo_ms < 3 * max(values)
        return LineChart(
            name=f"{self.id}.latency",
            title="Response time (ms): p99, and p50 dashed",
            x_label=AXIS[self.kind],
            ticks=self.ticks,
            scale="log",
            series=tuple(series),
            dots=tuple(self._dots("p99")),
            annotations=tuple(self._collapses("top")),
            reference_lines=(ReferenceLine(slo_ms, f"SLO {slo_ms:g} ms", None),) if near else (),
            described_by=f"figures-{self.id}",
        )

    def _ratio_chart(self) -> LineChart:
        metric = METRICS[self.pairs[0].comparisons[0].metric].capitalize()
        candidates = ", ".join(title(pair.candidate) for pair in self.pairs)
        return LineChart(
            name=f"{self.id}.ratio",
            title=f"{metric}: {candidates} / {self.titles[0]}",
            x_label=AXIS[self.kind],
            ticks=self.ticks,
            scale="ratio",
            series=tuple(
                Series(title(pair.candidate), pair.index, "none", tuple(_ratio_points(pair)))
                for pair in self.pairs
            ),
            annotations=tuple(
                _no_ratio(pair, c) for pair in self.pairs for c in pair.comparisons if not c.ratio
            ),
            described_by=f"figures-{self.id}",
        )

    def _series(self, metric: Metric, line: Literal["solid", "dashed"]) -> list[Series]:
        found = [
            Series(name, n, line, curve_points(name, curve, metric))
            for n, (name, curve) in enumerate(zip(self.titles, self.curves, strict=True))
        ]
        return [series for series in found if not all(math.isnan(p.y) for p in series.points)]

    def _dots(self, metric: Metric) -> Iterable[Series]:
        """Yield the blocks of each target that did not collapse; an invalid one has no colour."""
        for n, (name, cells) in enumerate(zip(self.titles, self.cells, strict=True)):
            if points := tuple(block_points(name, n, cells, metric)):
                yield Series(name, n, "none", points)

    def _collapses(self, place: Literal["bottom", "top"]) -> Iterable[Annotation]:
        for n, cells in enumerate(self.cells):
            for text, loads in collapse_shares(cells).items():
                yield from (Annotation(load, text, n, place) for load in loads)

    # The other charts.

    def _percentile_load(self) -> int | None:
        """Return the highest load at which most targets have percentiles."""
        known = [
            point.value
            for curve in self.curves
            for point in curve.points
            if point.status == "valid" and any(point.response_ms)
        ]
        return max(known, key=lambda value: (known.count(value), value), default=None)

    def _percentile_chart(self, load: int) -> LineChart:
        series = []
        for n, curve in enumerate(self.curves):
            for point in curve.points:
                if point.value == load and point.status == "valid":
                    series.append(self._percentiles(n, point.response_ms, "solid"))
                    if self.kind == "open":
                        series.append(self._percentiles(n, point.service_ms, "dashed"))
        highest = max(point.x for one in series for point in one.points)
        return LineChart(
            name=f"{self.id}.percentiles",
            title=f"Response time by percentile at {loads_text(self.kind, [load])} (ms)",
            x_label="percent of the requests",
            ticks=tuple((_rarity(p), f"{p:g} %") for p in PERCENT_TICKS if _rarity(p) <= highest),
            scale="log",
            series=tuple(one for one in series if one.points),
            described_by=f"figures-{self.id}",
        )

    def _percentiles(
        self, n: int, values_ms: Sequence[float | None], line: Literal["solid", "dashed"]
    ) -> Series:
        name = self.titles[n]
        points = tuple(
            Point(_rarity(p), ms, text=f"{name}: {p:g} % within {number(ms)} ms")
            for p, ms in zip(PERCENTS, values_ms, strict=True)
            if ms
        )
        return Series(name if line == "solid" else f"{name}: service time", n, line, points)

    def _timelines(self) -> Iterable[TimelineChart]:
        """Yield a chart for each timeline, if a measurement collapsed or has another reason."""
        shown = tuple(
            timeline
            for timeline in self.results.timelines
            if (timeline.scenario, timeline.load.kind) == (self.scenario.name, self.kind)
        )
        with_reasons = {cell.id for cells in self.cells for cell in cells if cell.reasons}
        if with_reasons.isdisjoint(timeline.cell for timeline in shown):
            return
        targets = [curve.target for curve in self.curves]
        for timeline in shown:
            n = targets.index(timeline.target)
            yield TimelineChart(
                name=f"{self.id}.timeline.{n}",
                title=f"{self.titles[n]} at {load_text(timeline.load)}: response time (ms)",
                target=n,
                timeline=timeline,
                shown=shown,
                described_by=f"figures-{self.id}",
            )

    # All figures.

    def _figures(self) -> Table:
        header = [AXIS[self.kind]]
        for pair in self.pairs:
            header += [" / ".join(target.text for target in pair.targets[::-1])]
            header += ["95 % interval", "result"]
        for name in self.titles:
            header += [f"{name}, requests/s", "p50 ms", "p99 ms", "max ms", "CPU ms/request"]
        rows = []
        for n, load in enumerate(self.loads):
            compared = [text for pair in self.pairs for text in _compared(pair, load)]
            measured = [text for curve in self.curves for text in point_texts(curve.points[n])]
            rows.append((f"{load:,}", *compared, *measured))
        caption = f"{title(self.scenario)}: all figures"
        if self.pairs:
            caption += f", compared by {METRICS[self.pairs[0].comparisons[0].metric]}"
        return Table(f"figures-{self.id}", caption, tuple(header), tuple(rows))

    def _names(self) -> Table:
        """Return requests, errors and percentiles of each name, by target."""
        own = [each for each in self.results.by_name if each.scenario == self.scenario.name]
        found = {(each.name, each.target): each for each in own}
        targets = [curve.target for curve in self.curves]
        rows = [
            (
                printable(name),
                *(text for target in targets for text in _named(found.get((name, target)))),
            )
            for name in dict.fromkeys(each.name for each in own)
        ]
        header = ["name"]
        for name in self.titles:
            header += [f"{name}, requests", "errors", "p50 ms", "p99 ms"]
        at = f" at {load_text(own[0].load)}" if own else ""
        caption = f"{title(self.scenario)}: requests by name{at}, all valid blocks together"
        return Table(f"names-{self.id}", caption, tuple(header), tuple(rows))


def curve_points(name: str, curve: Curve, metric: Metric) -> tuple[Point, ...]:
    """Return the points of a curve that is called `name`, by one metric; nan where unknown."""
    return tuple(_point(name, curve.load_kind, point, metric) for point in curve.points)


def _point(name: str, kind: LoadKind, point: CurvePoint, metric: Metric) -> Point:
    values = {"throughput": point.throughput_rps, "p50": point.p50_ms, "p99": point.p99_ms}
    if not (found := values[metric]):
        return Point(point.value, math.nan)
    figure = number(found.estimate)
    if found.low is not None and found.high is not None:
        figure += f" ({number(found.low)} to {number(found.high)})"
    text = f"{name} at {loads_text(kind, [point.value])}: {METRICS[metric]} {figure}"
    return Point(point.value, found.estimate, found.low, found.high, text)


def block_points(
    name: str, index: int, cells: Sequence[CellResult], metric: Metric
) -> Iterable[Point]:
    """Yield the blocks that did not collapse; those that are not valid have no index."""
    for cell in cells:
        value = {"throughput": cell.throughput_rps, "p99": cell.latency_ms.p99}[metric]
        if value and cell.status != "collapsed":
            reasons = f": {'; '.join(cell.reasons)}" if cell.reasons else ""
            text = f"{name}, block {cell.block}: {number(value)}, {cell.status}{reasons}"
            shown = index if cell.status == "valid" else None
            yield Point(cell.load.value, value, text=text, target=shown)


def _named(found: NamedRequests | None) -> list[str]:
    if not found:
        return [MISSING, "", "", ""]
    times = [number(found.p50_ms), number(found.p99_ms)]
    return [f"{found.requests:,}", f"{found.errors:,}" if found.errors else "", *times]


def _rarity(percent: float) -> float:
    """Return how many requests there are for one that takes longer."""
    return 100 / (100 - percent)


def _ratio_points(pair: TargetPair) -> Iterable[Point]:
    for comparison in pair.comparisons:
        if ratio := comparison.ratio:
            text, faster = pair.describe(comparison), pair.faster(comparison)
            load = comparison.load.value
            yield Point(load, ratio.estimate, ratio.low, ratio.high, text, faster)


def _no_ratio(pair: TargetPair, comparison: Comparison) -> Annotation:
    """Return which target did not collapse, above or below 1 as its points would be."""
    load, remaining = comparison.load.value, pair.faster(comparison)
    if remaining is None:
        return Annotation(load, "?", None, "below 1")
    above = (remaining == pair.index) == (comparison.metric in HIGHER_IS_BETTER)
    text = f"{pair.title_of(remaining)}\nonly"
    return Annotation(load, text, remaining, "above 1" if above else "below 1")


def _compared(pair: TargetPair, load: int) -> list[str]:
    for c in pair.comparisons:
        if c.load.value == load:
            ratio = factor(c.ratio.estimate) if c.ratio else MISSING
            return [ratio, interval(c.ratio), _result(pair, c)]
    return ["", "", ""]


def _result(pair: TargetPair, comparison: Comparison) -> str:
    collapses = f" ({'; '.join(comparison.collapses)})" if comparison.collapses else ""
    faster, known = pair.faster(comparison), comparison.smallest_difference
    if faster is not None:
        name = pair.title_of(faster)
        return (f"only {name}" if comparison.not_collapsed else f"{name} faster") + collapses
    if comparison.decision == "no difference shown":
        return f"~{f' ({would_have_seen(known)})' if known else ''}{collapses}"
    return "; ".join(comparison.reasons) or "not comparable"


def point_texts(point: CurvePoint) -> list[str]:
    """Return throughput, percentiles, maximum and CPU time of one target at one load."""
    if not point.blocks:
        return ["collapsed" if point.collapsed else "invalid", "", "", "", ""]
    shown = [point.throughput_rps, point.p50_ms, point.p99_ms]
    texts = [number(estimate.estimate if estimate else None) for estimate in shown]
    return [*texts, number(point.max_ms), number(point.server_cpu_ms)]
