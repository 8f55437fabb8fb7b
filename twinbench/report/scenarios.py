"""One scenario: its key facts, its charts, and all its figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twinbench.analyse.results import (
    HIGHER_IS_BETTER,
    PERCENTS,
    CellResult,
    Comparison,
    Curve,
    Estimate,
    Metric,
    Results,
)
from twinbench.analyse.results import Point as CurvePoint
from twinbench.analyse.statistics import MARGIN
from twinbench.plan import LoadKind, Scenario
from twinbench.report.elements import (
    Dot,
    Level,
    LineChart,
    Point,
    Series,
    Side,
    Table,
    TimelineChart,
    Word,
)
from twinbench.report.facts import key_facts
from twinbench.report.format import (
    MISSING,
    STATUS,
    factor,
    interval,
    leader,
    load_text,
    loads_text,
    number,
    share,
)
from twinbench.report.pairs import METRICS, TargetPair, describe, title

AXIS: dict[LoadKind, str] = {"closed": "users", "open": "requests/s offered"}
# Of the percentile chart.
LANDMARKS = (50, 90, 99, 99.9, 99.99)


@dataclass(frozen=True, slots=True)
class LoadSection:
    """A scenario under one kind of load."""

    facts: Table
    charts: tuple[LineChart | TimelineChart, ...]
    figures: Table


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
    """Return one scenario with its `pairs`, on loads of both kinds."""
    kinds: tuple[LoadKind, ...] = ("closed", "open")
    return ScenarioView(
        id=f"scenario-{scenario.name}",
        title=title(scenario),
        note=scenario.note,
        about=scenario.about,
        sections=tuple(
            _Section(results, scenario, kind, pairs).view()
            for kind in kinds
            if results.curves_of(scenario.name, kind)
        ),
    )


class _Section:
    """What the parts of a section share: the curves of a scenario, and the cells behind them."""

    def __init__(
        self,
        results: Results,
        scenario: Scenario,
        kind: LoadKind,
        pairs: Sequence[TargetPair],
    ) -> None:
        self.results, self.scenario, self.kind = results, scenario, kind
        self.curves = results.curves_of(scenario.name, kind)
        self.cells = [results.cells_of(curve) for curve in self.curves]
        self.titles = [title(results.plan.target(curve.target)) for curve in self.curves]
        self.loads = [point.value for point in self.curves[0].points]
        self.pairs = [pair for pair in pairs if pair.kind == kind]
        self.id = f"{scenario.name}-{kind}"

    def view(self) -> LoadSection:
        return LoadSection(
            facts=key_facts(self.results, self.id, self.titles, self.curves),
            charts=tuple(self._charts()),
            figures=self._figures(),
        )

    def _charts(self) -> Iterable[LineChart | TimelineChart]:
        if self.kind == "closed":
            yield self._curve_chart("throughput", "Throughput (requests/s)", ["throughput"])
        yield self._curve_chart(
            "latency", "Response time (ms): p99, and p50 dashed", ["p99", "p50"]
        )
        if self.pairs:
            yield self._ratio_chart()
        if chart := self._percentile_chart():
            yield chart
        yield from self._timelines()

    # Charts.

    def _ticks(self) -> tuple[tuple[float, str], ...]:
        return tuple((float(load), f"{load:,}") for load in self.loads)

    def _curve_chart(self, name: str, text: str, metrics: Sequence[Metric]) -> LineChart:
        series = [
            Series(self.titles[n], n, "solid" if metric == metrics[0] else "dashed", points)
            for metric in metrics
            for n, curve in enumerate(self.curves)
            if (points := tuple(self._points(n, curve, metric)))
        ]
        levels = []
        if name == "throughput":
            levels = [
                Level(
                    c.prediction.rps, f"{self.titles[n]}: {c.prediction.limit} {c.prediction.by}", n
                )
                for n, c in enumerate(self.curves)
                if c.prediction
            ]
        else:
            slo_ms = self.results.plan.slo_ms
            values = [point.y for one in series for point in one.points]
            if values and min(values) < slo_ms < 3 * max(values):
                levels = [Level(slo_ms, f"SLO {slo_ms:g} ms", None)]
        return LineChart(
            name=f"{self.id}.{name}",
            title=text,
            x_label=AXIS[self.kind],
            ticks=self._ticks(),
            y_scale="linear" if name == "throughput" else "log",
            series=tuple(series),
            gaps=True,
            dots=tuple(self._dots(metrics[0])),
            collapses=tuple(self._collapses(at_top=name == "latency")),
            levels=tuple(levels),
            described_by=f"figures-{self.id}",
        )

    def _points(self, n: int, curve: Curve, metric: Metric) -> Iterable[Point]:
        for point in curve.points:
            if found := of_point(point, metric):
                figure = number(found.estimate)
                if found.low is not None and found.high is not None:
                    figure += f" ({number(found.low)} to {number(found.high)})"
                at = loads_text(self.kind, [point.value])
                text = f"{self.titles[n]} at {at}: {METRICS[metric]} {figure}"
                yield Point(point.value, found.estimate, found.low, found.high, text)

    def _dots(self, metric: Metric) -> Iterable[Dot]:
        for n, cells in enumerate(self.cells):
            for cell in cells:
                value = of_cell(cell, metric)
                if value and cell.status != "collapsed":
                    reasons = f": {'; '.join(cell.reasons)}" if cell.reasons else ""
                    text = (
                        f"{self.titles[n]}, block {cell.block}: {number(value)},"
                        f" {STATUS[cell.status]}{reasons}"
                    )
                    yield Dot(cell.load.value, value, n, cell.status == "valid", text)

    def _collapses(self, *, at_top: bool) -> Iterable[Word]:
        for n, curve in enumerate(self.curves):
            for point in curve.points:
                if point.collapsed:
                    blocks = f"{point.collapsed} of {point.collapsed + point.blocks}"
                    yield Word(point.value, blocks, n, "top" if at_top else "bottom")

    def _ratio_chart(self) -> LineChart:
        what = METRICS[self.pairs[0].compared[0].metric].capitalize()
        names = ", ".join(title(pair.candidate) for pair in self.pairs)
        series, words = [], []
        for pair in self.pairs:
            points = tuple(_ratio_point(pair, c) for c in pair.compared if c.ratio)
            name = title(pair.candidate)
            series.append(Series(name, pair.side, "none", points))
            words += [_ratio_word(pair, c) for c in pair.compared if not c.ratio]
        return LineChart(
            name=f"{self.id}.ratio",
            title=f"{what}: {names} / {self.titles[0]}",
            x_label=AXIS[self.kind],
            ticks=self._ticks(),
            y_scale="log",
            series=tuple(series),
            words=tuple(words),
            band=(MARGIN, f"margin of {MARGIN:.0%}: a smaller difference does not matter"),
            described_by=f"figures-{self.id}",
        )

    def _percentile_chart(self) -> LineChart | None:
        """At the highest load at which most targets have percentiles."""
        known = [
            point.value
            for curve in self.curves
            for point in curve.points
            if point.status == "valid" and any(point.response_ms)
        ]
        if not known:
            return None
        load = max(known, key=lambda value: (known.count(value), value))
        series = []
        for n, curve in enumerate(self.curves):
            for point in curve.points:
                if point.value == load and point.status == "valid":
                    series.append(self._percentiles(n, point.response_ms, "solid"))
                    if self.kind == "open":
                        series.append(self._percentiles(n, point.service_ms, "dashed"))
        highest = max((p.x for one in series for p in one.points), default=2.0)
        return LineChart(
            name=f"{self.id}.percentiles",
            title=f"Response time by percentile at {loads_text(self.kind, [load])} (ms)",
            x_label="percent of the requests",
            ticks=tuple((_rarity(p), f"{p:g} %") for p in LANDMARKS if _rarity(p) <= highest),
            y_scale="log",
            series=tuple(one for one in series if one.points),
            described_by=f"figures-{self.id}",
        )

    def _percentiles(self, n: int, values: Sequence[float | None], line: str) -> Series:
        points = tuple(
            Point(
                _rarity(percent),
                value,
                None,
                None,
                f"{self.titles[n]}: {percent:g} % within {number(value)} ms",
            )
            for percent, value in zip(PERCENTS, values, strict=True)
            if value
        )
        if line == "dashed":
            return Series(f"{self.titles[n]}: service time", n, "dashed", points)
        return Series(self.titles[n], n, "solid", points)

    def _timelines(self) -> Iterable[TimelineChart]:
        """Only where a measurement collapsed or has a reason to be looked at."""
        own = tuple(
            timeline
            for timeline in self.results.timelines
            if (timeline.scenario, timeline.load.kind) == (self.scenario.name, self.kind)
        )
        by_id = {cell.id: cell for cells in self.cells for cell in cells}
        if not any(by_id[timeline.cell].reasons for timeline in own if timeline.cell in by_id):
            return
        names = [curve.target for curve in self.curves]
        for timeline in own:
            side = names.index(timeline.target)
            yield TimelineChart(
                name=f"{self.id}.timeline.{side}",
                title=f"{self.titles[side]} at {load_text(timeline.load)}: response time (ms)",
                side=side,
                timeline=timeline,
                beside=own,
                described_by=f"figures-{self.id}",
            )

    # All figures.

    def _figures(self) -> Table:
        header = [AXIS[self.kind]]
        for pair in self.pairs:
            over = title(pair.baseline)
            ratio = f"{title(pair.candidate)} / {over}"
            header += [ratio, "95 % interval", "result"]
        for name in self.titles:
            header += [f"{name}, requests/s", "p50 ms", "p99 ms", "max ms", "CPU ms/request"]
        rows = []
        for n, load in enumerate(self.loads):
            row = [f"{load:,}"]
            for pair in self.pairs:
                row += _compared(pair, load)
            for curve in self.curves:
                row += _measured(curve.points[n])
            rows.append(tuple(row))
        metric = self.results.primary_metric(self.scenario.name, self.kind)
        compared = f", compared by {METRICS[metric]}" if self.pairs else ""
        caption = f"{title(self.scenario)}: all figures{compared}"
        return Table(f"figures-{self.id}", caption, tuple(header), tuple(rows))


def of_point(point: CurvePoint, metric: Metric) -> Estimate | None:
    return {"throughput": point.throughput_rps, "p50": point.p50_ms, "p99": point.p99_ms}[metric]


def of_cell(cell: CellResult, metric: Metric) -> float | None:
    figures = {
        "throughput": cell.throughput_rps,
        "p50": cell.latency_ms.p50,
        "p99": cell.latency_ms.p99,
    }
    return figures[metric]


def _rarity(percent: float) -> float:
    """Return how many requests there are for one that takes longer."""
    return 100 / (100 - percent)


def _ratio_point(pair: TargetPair, comparison: Comparison) -> Point:
    ratio, ahead = comparison.ratio, leader(comparison)
    if ratio is None:
        raise ValueError("a comparison without a ratio has no point")
    side = pair.side_of(ahead) if ahead else None
    text = describe(pair, comparison)
    return Point(comparison.load.value, ratio.estimate, ratio.low, ratio.high, text, side)


def _ratio_word(pair: TargetPair, comparison: Comparison) -> Word:
    """Return which target did not collapse, on the side of 1 where its points are."""
    not_collapsed, load = comparison.not_collapsed, comparison.load.value
    if not not_collapsed:
        return Word(load, "?", None, "below 1")
    more_is_better = comparison.metric in HIGHER_IS_BETTER
    above = (not_collapsed == pair.candidate.name) == more_is_better
    side: Side = pair.side_of(not_collapsed)
    return Word(load, f"{pair.title(not_collapsed)}\nonly", side, "above 1" if above else "below 1")


def _compared(pair: TargetPair, load: int) -> list[str]:
    """Ratio, interval and result at one load."""
    for c in pair.compared:
        if c.load.value == load:
            ratio = factor(c.ratio.estimate) if c.ratio else MISSING
            return [ratio, interval(c.ratio), _result(pair, c)]
    return ["", "", ""]


def _result(pair: TargetPair, comparison: Comparison) -> str:
    collapses = f" ({'; '.join(comparison.collapses)})" if comparison.collapses else ""
    if comparison.not_collapsed:
        return f"only {pair.title(comparison.not_collapsed)}{collapses}"
    if ahead := leader(comparison):
        return f"{pair.title(ahead)} faster{collapses}"
    if comparison.decision == "no difference shown":
        known = comparison.smallest_difference
        return f"~{f' (would have seen {share(known)})' if known else ''}{collapses}"
    return "; ".join(comparison.reasons) or "not comparable"


def _measured(point: CurvePoint) -> list[str]:
    if not point.blocks:
        return ["collapsed" if point.collapsed else "invalid", "", "", "", ""]
    shown = [point.throughput_rps, point.p50_ms, point.p99_ms]
    texts = [number(estimate.estimate if estimate else None) for estimate in shown]
    return [*texts, number(point.max_ms), number(point.server_cpu_ms)]
