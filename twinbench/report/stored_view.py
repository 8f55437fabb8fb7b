"""The view of a comparison of stored runs: their tables, charts and the answer, built once."""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from twinbench.analyse.results import Curve
from twinbench.analyse.stored import (
    NOOP,
    LabelledRun,
    RatioFigure,
    RunFigure,
    RunRow,
    RunsComparison,
    RunValue,
    SameWork,
    StoredRun,
    distance,
)
from twinbench.plan import LoadKind
from twinbench.report.elements import Annotation, LineChart, Series, Table
from twinbench.report.facts import CAPTIONS, collapse_shares
from twinbench.report.format import (
    MISSING,
    factor,
    interval,
    loads_text,
    number,
    share,
    version_text,
)
from twinbench.report.pairs import title
from twinbench.report.scenarios import AXIS, block_points, curve_points
from twinbench.text import one_line

Column = Literal["scenario, target", "figure", "run"]
ChartMetric = Literal["throughput", "p99"]
# The largest ratio of the first of these that has any is the headline.
NAMES: dict[RatioFigure, str] = {
    "capacity": "capacity",
    "p99": "p99",
    "cpu": "CPU per request",
}
SUMMARIES: dict[RatioFigure, str] = {
    "capacity": "Capacity (requests/s)",
    "p99": "p99 (ms), at the highest load that both have",
    "cpu": "CPU per request (ms), at the highest load that both have",
}
MAX_SETTING = 200  # characters of a value that differs, which may be the body of a request
# By whether all runs have noop, and whether there is an A/A check. What smaller differences are:
# `SMALLER`, by whether the runs differ in settings.
SAME_WORK = {
    (True, True): "The same work moved by up to {moved}, between the runs (noop) or within them"
    " (A/A checks): {smaller}.",
    (True, False): "The same work moved by up to {moved}, between the runs (noop): {smaller}.",
    (False, True): "The same work moved by up to {moved}, within the runs (A/A checks): {smaller}."
    " How far it moved between the runs is not known: they share no scenario noop.",
    (False, False): "How far the machine moved between the runs is not known: they share no"
    " scenario noop, and have no A/A check (one target under two names).",
}
SMALLER = {
    False: "smaller differences are the machine’s",
    True: "smaller differences are of the machine, or of the settings that differ",
}
DEFINITIONS = (
    ("capacity", "the highest throughput of a closed load, of each run at its own number of users"),
    (
        "p99, CPU",
        "at the highest load at which both runs have one; CPU time of the server per correct"
        " response; less is better",
    ),
    ("ratio", "later run / first run, of geometric means over blocks"),
    (
        "unpaired interval",
        "95 %, by Welch’s t on logarithms of the blocks. Blocks of two runs were not measured in"
        " the same minutes: what the machine did between the runs moves the ratio, and does not"
        " widen the interval",
    ),
    (
        "excludes 1",
        "the interval does; of twenty rows without a change one does so by chance. “Within same"
        " work”: it does, and the ratio is no further from 1 than that of the same work",
    ),
    ("up to, p99 ≤ ...", "the highest load up to which the p99 of every load is within the SLO"),
    (
        "same work",
        "noop, the cost of the framework alone, in both runs; the two targets of an A/A check."
        " Other versions of Python or packages move noop, too",
    ),
    ("no interval", "fewer than three blocks, or too few samples for the figure in each block"),
)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run: its letter, index and name, the address of its report, and what it measured."""

    label: str
    index: int
    name: str
    href: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredSection:
    """One scenario and target under one kind of load."""

    id: str
    title: str
    table: Table
    charts: tuple[LineChart, ...]


@dataclass(frozen=True, slots=True)
class StoredView:
    """Everything that is shown of a comparison of stored runs. Tables without rows are left out."""

    title: str
    headline: str
    runs: tuple[RunLine, ...]
    run_header: tuple[str, ...]
    differences: Table
    not_shared: Table
    same_work_text: str
    same_work: Table
    summary: Table
    figures: Table
    sections: tuple[StoredSection, ...]
    definitions: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...] = ()


def stored_view(found: RunsComparison, runs: Sequence[LabelledRun], output: Path) -> StoredView:
    shown = _Shown(found, runs)
    versions = ("versions of the app",) if any(run.compared_versions for run in found.runs) else ()
    primary = [row for row in shown.rows if row.figure == shown.headline_figure]
    return StoredView(
        title=", ".join(run.label for run in runs),
        headline=shown.headline(),
        runs=tuple(_run_line(n, run, runs[n].folder, output) for n, run in enumerate(found.runs)),
        run_header=("", "run", "started", "measurements", *versions),
        differences=_differences(found),
        not_shared=_not_shared(found),
        same_work_text=shown.same_work_text(),
        same_work=shown.same_work_table(),
        summary=shown.table(
            "summary", SUMMARIES[shown.headline_figure], primary, "scenario, target", "run"
        ),
        figures=shown.table("figures", "Figures", shown.rows, "scenario, target", "figure", "run"),
        sections=tuple(shown.sections()),
        definitions=DEFINITIONS,
    )


# Runs, and what is not the same in them.


def _run_line(index: int, run: StoredRun, folder: Path, output: Path) -> RunLine:
    report = folder / "report.html"
    href = quote(os.path.relpath(report, output)) if report.is_file() else ""
    missing = f", {run.missing:,} not made: unfinished" if run.missing else ""
    versions: tuple[str, ...] = ()
    if found := run.compared_versions:
        versions = (f"base {version_text(found.base)}, head {version_text(found.head)}",)
    texts = (_started(run), f"{run.valid:,} of {run.measured:,} valid{missing}", *versions)
    return RunLine(run.label, index, run.run, href, texts)


def _started(run: StoredRun) -> str:
    return f"{datetime.fromisoformat(run.started):%Y-%m-%d %H:%M}"


def _differences(found: RunsComparison) -> Table:
    rows = [(each.key, *map(_setting, each.values)) for each in found.differences]
    caption = "These runs are not alike: every setting that differs"
    header = ("setting", *(run.label for run in found.runs))
    return Table("differences", caption, header, tuple(rows), words=True)


def _setting(value: str | None) -> str:
    return MISSING if value is None else one_line(value, MAX_SETTING)


def _not_shared(found: RunsComparison) -> Table:
    rows = [
        (
            f"{each.scenario}, {each.target} ({each.load_kind})",
            f"not in {', '.join(each.missing_in)}",
        )
        for each in found.not_shared
    ]
    caption = "Not compared, since not all runs have it"
    return Table("not-shared", caption, ("scenario, target", ""), tuple(rows), words=True)


# Figures.


class _Shown:
    """What the parts of the view share."""

    def __init__(self, found: RunsComparison, runs: Sequence[LabelledRun]) -> None:
        self.found, self.runs = found, runs
        curves = list(runs[0].curves)
        order: list[RunFigure] = ["capacity", "slo_load", "p99", "cpu"]
        # Of one curve and figure the later runs follow each other.
        self.rows = sorted(
            found.rows, key=lambda row: (curves.index(_curve_of(row)), order.index(row.figure))
        )
        figures = [row.figure for row in self.rows if row.ratio and row.figure != "slo_load"]
        self.headline_figure: RatioFigure = next((f for f in NAMES if f in figures), "capacity")

    # The answer.

    def headline(self) -> str:
        """Return the largest change in one sentence; noop's only where there is no other."""
        figure = self.headline_figure
        known = [row for row in self.rows if row.figure == figure and row.ratio]
        if not known:
            return "No figure can be compared."
        rows = [row for row in known if row.scenario != NOOP] or known
        changed = [r for r in rows if r.excludes_one and r.beyond_same_work is not False]
        largest = self._largest(changed or rows)
        if changed:
            noop = any(each.kind == "noop" for each in self.found.same_work)
            unknown = "" if noop else "; how far the machine moved between them is not known"
            return f"Largest change of {NAMES[figure]}: {largest}{unknown}."
        moved = self.found.moved.get(figure)
        beyond = f" or {share(moved)}, by which the same work moved" if moved else ""
        return (
            f"No difference of {NAMES[figure]} beyond its interval{beyond}; the largest: {largest}."
        )

    def _largest(self, rows: Sequence[RunRow]) -> str:
        row, ratio = max(
            ((row, row.ratio) for row in rows if row.ratio), key=lambda one: distance(one[1])
        )
        bounds = f" ({interval(ratio)}, unpaired)" if interval(ratio) else " (no interval)"
        pair = f"{row.run} / {self.runs[0].label}"
        return f"{pair} of {self._where(row)} is {factor(ratio.estimate)}{bounds}"

    def _where(self, row: RunRow) -> str:
        plan = self.runs[0].results.plan
        return f"{title(plan.scenario(row.scenario))}, {title(plan.target(row.target))}"

    # Tables.

    def table(self, table_id: str, caption: str, rows: Iterable[RunRow], *names: Column) -> Table:
        """Return a table of rows, which have the columns `names` before their figures."""
        first, later = self.runs[0].label, "later run"
        if len(self.runs) == 2:  # else each row says which
            later = self.runs[1].label
            names = tuple(name for name in names if name != "run")
        figures = (f"{later} / {first}", "95 %, unpaired", "interval", first, later)
        shown = tuple((*(self._name(row, n) for n in names), *_figures(row)) for row in rows)
        return Table(table_id, caption, (*names, *figures), shown)

    def _name(self, row: RunRow, column: Column) -> str:
        if column == "run":
            return row.run
        return self._figure(row) if column == "figure" else self._where(row)

    def _figure(self, row: RunRow) -> str:
        at = ""
        if row.first and row.first.load and row.figure in ("p99", "cpu"):
            at = f" at {loads_text(row.load_kind, [row.first.load])}"
        names: dict[RunFigure, str] = {
            "capacity": "capacity (requests/s)",
            "slo_load": f"up to, p99 ≤ {self.found.slo_ms:g} ms",
            "p99": f"p99{at} (ms)",
            "cpu": f"CPU{at} (ms)",
        }
        return names[row.figure]

    def same_work_text(self) -> str:
        kinds = {each.kind for each in self.found.same_work}
        moved = ", ".join(
            f"{share(self.found.moved[figure])} in {name}"
            for figure, name in NAMES.items()
            if figure in self.found.moved
        )
        smaller = SMALLER[bool(self.found.differences)]
        return SAME_WORK["noop" in kinds, "A/A" in kinds].format(moved=moved, smaller=smaller)

    def same_work_table(self) -> Table:
        """Return the ratios furthest from 1: of noop for each later run, of A/A for each run."""
        labels = [run.label for run in self.runs]
        kinds = [(f"{NOOP}, {label} / {labels[0]}", "noop", label) for label in labels[1:]]
        kinds += [(f"A/A within {label}", "A/A", label) for label in labels]
        figures = [figure for figure in NAMES if figure in self.found.moved]
        rows = []
        for heading, kind, label in kinds:
            own = [e for e in self.found.same_work if (e.kind, e.run) == (kind, label)]
            if own:
                of_figures = ([e for e in own if e.figure == figure] for figure in figures)
                rows.append((heading, *map(_furthest, of_figures)))
        header = ("", *(NAMES[figure] for figure in figures))
        caption = "How far the same work moved: the ratio furthest from 1"
        return Table("same-work", caption, header, tuple(rows))

    # Charts.

    def sections(self) -> Iterator[StoredSection]:
        for key in dict.fromkeys(map(_curve_of, self.rows)):
            rows = [row for row in self.rows if _curve_of(row) == key]
            name, kind = "-".join(key), key[2]
            table = self.table(f"figures-{name}", CAPTIONS[kind], rows, "figure", "run")
            of_runs = [(n, run.curves[key]) for n, run in enumerate(self.runs) if key in run.curves]
            metrics: tuple[ChartMetric, ...] = (
                ("throughput", "p99") if kind == "closed" else ("p99",)
            )
            charts = (self._chart(name, kind, of_runs, metric) for metric in metrics)
            shown = tuple(chart for chart in charts if chart.series)
            yield StoredSection(f"runs-{name}", self._where(rows[0]), table, shown)

    def _chart(
        self,
        name: str,
        kind: LoadKind,
        curves: Sequence[tuple[int, Curve]],
        metric: ChartMetric,
    ) -> LineChart:
        loads = sorted({point.value for _, curve in curves for point in curve.points})
        place: Literal["bottom", "top"] = "bottom" if metric == "throughput" else "top"
        series, dots, collapses = [], [], []
        for n, curve in curves:
            label = f"{self.runs[n].label}: {_started(self.found.runs[n])}"
            cells = self.runs[n].results.cells_of(curve)
            series.append(Series(label, n, "solid", curve_points(label, curve, metric)))
            dots.append(Series(label, n, "none", tuple(block_points(label, n, cells, metric))))
            for text, at in collapse_shares(cells).items():
                collapses += [Annotation(load, text, n, place) for load in at]
        throughput = metric == "throughput"
        return LineChart(
            name=f"{name}.{metric}",
            title="Throughput (requests/s)" if throughput else "Response time (ms): p99",
            x_label=AXIS[kind],
            ticks=tuple((float(load), f"{load:,}") for load in loads),
            scale="linear" if throughput else "log",
            series=tuple(one for one in series if not all(math.isnan(p.y) for p in one.points)),
            dots=tuple(one for one in dots if one.points),
            annotations=tuple(collapses),
            described_by=f"figures-{name}",
        )


def _figures(row: RunRow) -> tuple[str, ...]:
    return (
        factor(row.ratio.estimate) if row.ratio else MISSING,
        interval(row.ratio),
        _result(row),
        _value(row, row.first),
        _value(row, row.later),
    )


def _curve_of(row: RunRow) -> tuple[str, str, LoadKind]:
    return row.scenario, row.target, row.load_kind


def _value(row: RunRow, found: RunValue | None) -> str:
    """Return the figure of one run; of a capacity and an SLO load with the load."""
    if found is None:
        return MISSING
    at_least = "≥ " * found.at_least
    if row.figure == "slo_load":
        if found.load is None:
            return "not known" if found.at_least else "at no load"
        then = ", then collapsed" * found.collapsed
        return f"{at_least}{loads_text(row.load_kind, [found.load])}{then}"
    value = number(found.value.estimate if found.value else None)
    if row.figure == "capacity" and found.load:
        return f"{at_least}{value} at {loads_text(row.load_kind, [found.load])}"
    return value


def _result(row: RunRow) -> str:
    if row.ratio is None:
        return row.reason
    if row.figure == "slo_load":
        return ""
    if row.ratio.low is None:
        return "no interval"
    if not row.excludes_one:
        return "includes 1"
    return "excludes 1" if row.beyond_same_work is not False else "within same work"


def _furthest(found: Sequence[SameWork]) -> str:
    if not found:
        return MISSING
    far = max(found, key=lambda each: distance(each.ratio))
    bounds = f" ({interval(far.ratio)})" if interval(far.ratio) else ""
    at = f" at {loads_text(far.load.kind, [far.load.value])}" if far.load else ""
    name = far.scenario if far.kind == "A/A" else far.targets[0]
    return f"{factor(far.ratio.estimate)}{bounds}: {name}{at}"
