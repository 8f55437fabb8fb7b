"""Stored runs compared with the first of them, by their scenarios and targets.

The blocks of two runs have nothing in common: what the machine did between the runs is part of
every ratio, and of no interval. Runs that differ in more than the app are refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from twinbench.analyse.comparisons import figure as of_cell
from twinbench.analyse.results import (
    Curve,
    Estimate,
    Metric,
    Objective,
    Point,
    Results,
)
from twinbench.analyse.settings import RunDifference, differences
from twinbench.analyse.statistics import unpaired_ratio
from twinbench.models import FrozenModel
from twinbench.plan import Load, LoadKind
from twinbench.text import UserError, one_line
from twinbench.versions.result import ComparedVersions

RatioFigure = Literal["capacity", "p99", "cpu"]
RunFigure = Literal["capacity", "slo_load", "p99", "cpu"]
# By which metric an A/A check shows how far a figure moves.
METRIC_OF: dict[RatioFigure, Metric] = {
    "capacity": "throughput",
    "p99": "p99",
    "cpu": "per_cpu_s",
}
LABELS = "ABCD"  # as many runs as charts have colours
# The scenario that does nothing: between two runs it moves with the machine.
NOOP = "noop"
MOST_NAMED = 3  # differences in an error message
MAX_VALUE = 30  # characters of a value there


class NotShared(FrozenModel):
    """Scenario and target that some runs do not have; `missing_in` are their labels."""

    scenario: str
    target: str
    load_kind: LoadKind
    missing_in: list[str]


class StoredRun(FrozenModel):
    """Run that is compared. `missing` measurements were not made; `started` is local time."""

    label: str
    run: str
    started: str
    blocks: int
    valid: int
    measured: int
    missing: int
    compared_versions: ComparedVersions | None = None


class SameWork(FrozenModel):
    """Ratio of the same work to itself.

    An A/A check within `run` (paired, at `load`), or the scenario noop, of `run` to the first run
    (unpaired). `targets` are one or two names.
    """

    kind: Literal["A/A", "noop"]
    figure: RatioFigure
    run: str
    scenario: str
    targets: list[str]
    load: Load | None
    ratio: Estimate


class RunValue(FrozenModel):
    """Figure of one run.

    `load`: at which it is; of an SLO load, the load itself, None where no load meets it.
    `at_least`: no higher load has a result; `collapsed`: the server did, at the next load.
    `value`: requests/s of a capacity, milliseconds of a p99 and of CPU time per correct response.
    """

    load: int | None
    value: Estimate | None = None
    at_least: bool = False
    collapsed: bool = False


class RunRow(FrozenModel):
    """One figure of a later run beside that of the first run.

    `ratio` is later / first. Its interval is unpaired; an SLO load has none, since it is a step on
    the loads of a plan. `excludes_one`: the interval does. `beyond_same_work`: the ratio is
    further from 1 than that of the same work, None where that is not known. `reason`: why there
    is no ratio.
    """

    scenario: str
    target: str
    load_kind: LoadKind
    figure: RunFigure
    run: str
    first: RunValue | None
    later: RunValue | None
    ratio: Estimate | None = None
    excludes_one: bool = False
    beyond_same_work: bool | None = None
    reason: str = ""


class RunsComparison(FrozenModel):
    """compare.json of stored runs; the first of `runs` is the baseline.

    `differences` are empty unless runs that differ were compared all the same. `moved`: how far
    the same work was from 1 at most, by figure (0.04: 4 % more, or less by a factor of 1.04).
    """

    format: Literal[1] = 1
    runs: list[StoredRun]
    slo_ms: float
    differences: list[RunDifference] = Field(default=[])
    not_shared: list[NotShared] = Field(default=[])
    same_work: list[SameWork] = Field(default=[])
    moved: dict[RatioFigure, float] = Field(default={})
    rows: list[RunRow]


@dataclass(frozen=True, slots=True)
class LabelledRun:
    """Results of a run, with the letter that stands for it and its folder."""

    label: str
    folder: Path
    results: Results

    @property
    def curves(self) -> dict[tuple[str, str, LoadKind], Curve]:
        return {(c.scenario, c.target, c.load_kind): c for c in self.results.curves}


def labelled(results: Sequence[tuple[Path, Results]]) -> list[LabelledRun]:
    """Return runs with their letters, by their order."""
    return [LabelledRun(label, *each) for label, each in zip(LABELS, results, strict=False)]


def compare_stored(runs: Sequence[LabelledRun], *, anyway: bool = False) -> RunsComparison:
    """Compare each later run with the first.

    Raises UserError where nothing can be compared, and, unless `anyway`, where the runs differ in
    more than the app.
    """
    _check_comparable(runs)
    found = differences([run.results for run in runs])
    if found and not anyway:
        raise UserError(_refusal(runs, found))
    rows = [row for later in runs[1:] for row in _rows(runs[0], later)]
    same_work = [*_aa_checks(runs), *_noop(rows)]
    moved = _moved(same_work)
    return RunsComparison(
        runs=[_stored(run) for run in runs],
        slo_ms=runs[0].results.plan.slo_ms,
        differences=found,
        not_shared=list(_not_shared(runs)),
        same_work=same_work,
        moved=moved,
        rows=[_beside_same_work(row, moved) for row in rows],
    )


def distance(ratio: Estimate) -> float:
    """Return how far a ratio is from 1: 0.04 is 4 % more, or less by a factor of 1.04."""
    return max(ratio.estimate, 1 / ratio.estimate) - 1


def _check_comparable(runs: Sequence[LabelledRun]) -> None:
    """Raise UserError where runs have no figures in common."""
    for run in runs:
        if not any(cell.status == "valid" for cell in run.results.cells):
            raise UserError(f"{run.folder}: no valid measurement, nothing can be compared")
    for later in runs[1:]:
        if runs[0].curves.keys().isdisjoint(later.curves):
            raise UserError(
                f"{later.folder}: has no scenario with a target and a kind of load in common with"
                f" {runs[0].folder}; name runs of one plan"
            )


def _refusal(runs: Sequence[LabelledRun], found: Sequence[RunDifference]) -> str:
    named = ", ".join(
        f"{each.key} ({' / '.join(_short(value) for value in each.values)})"
        for each in found[:MOST_NAMED]
    )
    more = f" and {len(found) - MOST_NAMED} more" * (len(found) > MOST_NAMED)
    names = ", ".join(run.results.run for run in runs)
    return f"{one_line(names, 60)}: differ in {named}{more}; --anyway compares them all the same"


def _short(value: str | None) -> str:
    return "none" if value is None else one_line(value, MAX_VALUE)


def _stored(run: LabelledRun) -> StoredRun:
    results = run.results
    return StoredRun(
        label=run.label,
        run=results.run,
        started=results.timing.started,
        blocks=results.plan.blocks,
        valid=sum(cell.status == "valid" for cell in results.cells),
        measured=len(results.cells),
        missing=results.missing_cells,
        compared_versions=results.compared_versions,
    )


def _not_shared(runs: Sequence[LabelledRun]) -> Iterator[NotShared]:
    curves = [run.curves for run in runs]
    for scenario, target, kind in dict.fromkeys(key for of_run in curves for key in of_run):
        missing = [
            run.label
            for run, of_run in zip(runs, curves, strict=True)
            if (scenario, target, kind) not in of_run
        ]
        if missing:
            yield NotShared(scenario=scenario, target=target, load_kind=kind, missing_in=missing)


# Figures.


@dataclass(frozen=True, slots=True)
class _Pair:
    """One curve in the first run and in a later one."""

    first: LabelledRun
    later: LabelledRun
    curves: tuple[Curve, Curve]

    def row(self, figure: RunFigure, **values: object) -> RunRow:
        curve = self.curves[0]
        found = {"first": None, "later": None} | values
        where = {"scenario": curve.scenario, "target": curve.target, "load_kind": curve.load_kind}
        return RunRow.model_validate({**where, "figure": figure, "run": self.later.label, **found})

    def blocks(self, metric: Metric, loads: tuple[int, int]) -> list[list[float]]:
        """Return the figures of the valid blocks of both, each at its load."""
        runs = (self.first.results, self.later.results)
        return [
            [
                value
                for cell in results.cells_of(curve)
                if (cell.load.value, cell.status) == (load, "valid")
                and (value := of_cell(metric, cell))
            ]
            for results, curve, load in zip(runs, self.curves, loads, strict=True)
        ]


def _rows(first: LabelledRun, later: LabelledRun) -> Iterator[RunRow]:
    curves = later.curves
    for key, curve in first.curves.items():
        if key in curves:
            pair = _Pair(first, later, (curve, curves[key]))
            if curve.load_kind == "closed":
                yield _capacity_row(pair)
            yield _slo_row(pair)
            yield from _common_row(pair, "p99")
            yield from _common_row(pair, "cpu")


def _capacity_row(pair: _Pair) -> RunRow:
    """Compare the highest throughputs, each at its own load."""
    capacities = [curve.capacity for curve in pair.curves]
    first, later = (
        found and RunValue(load=found.value, value=found.throughput_rps, at_least=found.at_edge)
        for found in capacities
    )
    if not (first and later and first.load and later.load):
        reason = "no result in one"
        return pair.row("capacity", first=first, later=later, reason=reason)
    blocks = pair.blocks("throughput", (first.load, later.load))
    return pair.row("capacity", first=first, later=later, **_compared(*blocks))


def _slo_row(pair: _Pair) -> RunRow:
    """Compare the highest loads with a p99 within the SLO: two values without an interval."""
    found = [curve.objective for curve in pair.curves]
    if len({each and each.slo_ms for each in found}) > 1:
        return pair.row("slo_load", reason="slo_ms is not the same")
    first, later = (each and _slo_value(each) for each in found)
    ratio = None
    if first and later and first.load and later.load and not (first.at_least or later.at_least):
        ratio = Estimate(estimate=later.load / first.load)
    return pair.row("slo_load", first=first, later=later, ratio=ratio)


def _slo_value(found: Objective) -> RunValue:
    at_least, collapsed = found.until in ("range", "not known"), found.until == "collapsed"
    return RunValue(load=found.value, at_least=at_least, collapsed=collapsed)


def _common_row(pair: _Pair, figure: Literal["p99", "cpu"]) -> Iterator[RunRow]:
    """Compare at the highest load at which both have the figure; no row if neither has it."""
    known = [
        {point.value: value for point in curve.points if (value := _point_value(figure, point))}
        for curve in pair.curves
    ]
    loads = known[0].keys() & known[1].keys()
    if not loads:
        if any(known):
            yield pair.row(figure, reason="no common load")
        return
    load = max(loads)
    values = [of_run[load] for of_run in known]
    blocks = pair.blocks(METRIC_OF[figure], (load, load))
    if figure == "cpu":
        blocks.reverse()  # CPU time per response is the inverse of responses per CPU second
    compared = _compared(*blocks)
    if any(value.low is None for value in values):
        # Pooled over blocks, of which each has too few samples; or a single block.
        compared = {"ratio": Estimate(estimate=values[1].estimate / values[0].estimate)}
    first, later = (RunValue(load=load, value=value) for value in values)
    yield pair.row(figure, first=first, later=later, **compared)


def _compared(first: Sequence[float], later: Sequence[float]) -> dict[str, object]:
    """Return the ratio of a row, and whether its interval excludes 1."""
    ratio = unpaired_ratio(first, later)
    low, high = (ratio.low, ratio.high) if ratio else (None, None)
    excludes = low is not None and high is not None and not low <= 1 <= high
    return {"ratio": ratio, "excludes_one": excludes}


def _point_value(figure: Literal["p99", "cpu"], point: Point) -> Estimate | None:
    """Return the figure of a load in milliseconds; None where it is not known, or collapsed."""
    if point.status != "valid":
        return None
    return point.p99_ms if figure == "p99" else point.per_cpu_s and point.per_cpu_s.inverse(1e3)


# The same work.


def _aa_checks(runs: Sequence[LabelledRun]) -> Iterator[SameWork]:
    """Yield what each run's A/A checks show; of an open load the throughput is fixed."""
    figures = {metric: figure for figure, metric in METRIC_OF.items()}
    for run in runs:
        for found in run.results.comparisons:
            figure = figures.get(found.metric)
            fixed = (figure, found.load.kind) == ("capacity", "open")
            if figure and found.aa_check and found.ratio and not fixed:
                yield SameWork(
                    kind="A/A",
                    figure=figure,
                    run=run.label,
                    scenario=found.scenario,
                    targets=[found.baseline, found.candidate],
                    load=found.load,
                    ratio=found.ratio,
                )


def _noop(rows: Iterable[RunRow]) -> Iterator[SameWork]:
    for row in rows:
        if row.scenario == NOOP and row.ratio and row.figure != "slo_load":
            at = row.first.load if row.first and row.figure != "capacity" else None
            yield SameWork(
                kind="noop",
                figure=row.figure,
                run=row.run,
                scenario=row.scenario,
                targets=[row.target],
                load=None if at is None else Load(row.load_kind, at),
                ratio=row.ratio,
            )


def _moved(same_work: Iterable[SameWork]) -> dict[RatioFigure, float]:
    moved: dict[RatioFigure, float] = {}
    for each in same_work:
        moved[each.figure] = max(moved.get(each.figure, 0.0), distance(each.ratio))
    return moved


def _beside_same_work(row: RunRow, moved: Mapping[RatioFigure, float]) -> RunRow:
    if row.figure == "slo_load" or not row.ratio or row.figure not in moved:
        return row
    beyond = distance(row.ratio) > moved[row.figure]
    return row.model_copy(update={"beyond_same_work": beyond})
