"""Charts of a comparison of versions: curves of base and head on one axis, and their ratio.

The ratios are those of the rows, not of report.html: base is the mean of its two measurements.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from twinbench.analyse.results import (
    HIGHER_IS_BETTER,
    Results,
    VersionComparison,
    VersionRow,
    VersionVerdict,
)
from twinbench.plan import LoadKind, Scenario
from twinbench.report.elements import Annotation, Change, LineChart, Point, Series
from twinbench.report.format import load_text
from twinbench.report.pairs import KINDS, METRICS
from twinbench.report.scenarios import AXIS, curve_charts
from twinbench.versions.result import BASE, HEAD

CHANGED: tuple[VersionVerdict, ...] = ("slower", "faster")
ROWS = "rows"  # id of the table of all rows, which describes the charts
BESIDE = 1.08  # times the load is where base again is drawn: beside head, not on it


def version_charts(
    results: Results, comparison: VersionComparison, scenario: Scenario
) -> Iterable[LineChart]:
    """Yield the charts of a scenario, on loads of both kinds."""
    for kind in KINDS:
        own = [r for r in comparison.rows if (r.scenario, r.load.kind) == (scenario.name, kind)]
        for chart in curve_charts(results, scenario, kind, (BASE, HEAD)):
            # A name of its own: that of report.html shows all targets.
            yield replace(chart, name=f"compare.{chart.name}", described_by=ROWS)
        yield from _ratio_charts(scenario.name, kind, own, comparison.margin)


def _ratio_charts(
    scenario: str, kind: LoadKind, rows: Sequence[VersionRow], margin: float
) -> Iterable[LineChart]:
    """Yield a chart for each metric: head / base, and base again / base beside it."""
    for metric in dict.fromkeys(row.metric for row in rows):
        own = sorted((row for row in rows if row.metric == metric), key=lambda row: row.load.value)
        above = "faster" if metric in HIGHER_IS_BETTER else "slower"
        series = (
            Series("head", 1, "none", tuple(_points(own, "head", 1.0))),
            Series("base again (A/A)", 2, "none", tuple(_points(own, "base again", BESIDE))),
        )
        yield LineChart(
            name=f"compare.{scenario}-{kind}.ratio.{metric}",
            title=f"{METRICS[metric].capitalize()}: head / base (above 1: {above})",
            x_label=AXIS[kind],
            ticks=tuple((float(row.load.value), f"{row.load.value:,}") for row in own),
            scale="ratio",
            series=series,
            annotations=tuple(_no_ratio(row) for row in own if not row.ratio),
            described_by=ROWS,
            margin=margin,
        )


def _points(rows: Sequence[VersionRow], name: str, beside: float) -> Iterable[Point]:
    """Yield the ratios of head, in the colour of the version that is faster, or of base again."""
    for row in rows:
        ratio = row.ratio if name == "head" else row.aa_ratio
        if ratio is None:
            continue
        target = {"faster": 1, "slower": 0}.get(row.verdict) if name == "head" else None
        word = f", {row.verdict}" if name == "head" else ""
        text = f"{name} / base at {load_text(row.load)}: {Change.of(ratio).text}{word}"
        yield Point(beside * row.load.value, ratio.estimate, ratio.low, ratio.high, text, target)


def _no_ratio(row: VersionRow) -> Annotation:
    """Return which version did not collapse, above or below 1 as its points would be."""
    if row.verdict not in CHANGED:
        return Annotation(row.load.value, "?", None, "below 1")
    above = (row.verdict == "faster") == (row.metric in HIGHER_IS_BETTER)
    target, text = (1, "head\nonly") if row.verdict == "faster" else (0, "base\nonly")
    return Annotation(row.load.value, text, target, "above 1" if above else "below 1")
