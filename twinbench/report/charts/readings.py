"""A metric read off cells and points: as a figure, and in words."""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

from twinbench.analyse.results import CellResult, Curve, Estimate, Metric, Point, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import TITLES, UNITS, span

OF_CELL: dict[Metric, Callable[[CellResult], float | None]] = {
    "throughput": lambda cell: cell.throughput_rps,
    "p50": lambda cell: cell.latency_ms.p50,
    "p99": lambda cell: cell.latency_ms.p99,
}
OF_POINT: dict[Metric, Callable[[Point], Estimate | None]] = {
    "throughput": lambda point: point.throughput_rps,
    "p50": lambda point: point.p50_ms,
    "p99": lambda point: point.p99_ms,
}

Measured = tuple[Curve, list[CellResult]]  # and the cells behind it


def estimates(curve: Curve, metric: Metric) -> list[tuple[Point, Estimate]]:
    """The points of a curve that have an estimate of `metric`."""
    return [(point, found) for point in curve.points if (found := OF_POINT[metric](point))]


def blocks(cells: Iterable[CellResult], metric: Metric) -> list[tuple[CellResult, float]]:
    """The cells that have a figure of `metric` above zero; of a collapse it means nothing."""
    return [
        (cell, value)
        for cell in cells
        if cell.status != "collapsed" and (value := OF_CELL[metric](cell))
    ]


def drawn(curves: Sequence[Measured], metrics: Sequence[Metric]) -> list[float]:
    """What a chart must have room for: estimates and blocks."""
    found = []
    for curve, cells in curves:
        for metric in metrics:
            found += [estimate.estimate for _, estimate in estimates(curve, metric)]
            found += [value for _, value in blocks(cells, metric)]
    return found


def of_load(curves: Sequence[Curve], n: int, metric: Metric) -> str:
    """What all targets show at the n-th load."""
    told = "; ".join(f"{curve.target} {of_point(curve.points[n], metric)}" for curve in curves)
    return f"{span(curves[0].load_kind, [curves[0].points[n].value])}: {told}"


def of_point(point: Point, metric: Metric) -> str:
    """An estimate with its interval; or why there is none."""
    found = OF_POINT[metric](point)
    if found is None:
        return "stops answering" if point.collapsed else "nothing to show"
    said = style.number(found.estimate) + UNITS[metric]
    if found.low is not None and found.high is not None:
        said += f" ({style.number(found.low)} to {style.number(found.high)})"
    return said


def of_block(cell: CellResult, value: float, metric: Metric) -> str:
    """One measurement, and why it does not count."""
    said = (
        f"{cell.target}, block {cell.block}: {style.number(value)}{UNITS[metric]}, cell {cell.id}"
    )
    return said if cell.status == "valid" else f"{said}, {cell.status}: {'; '.join(cell.reasons)}"


def curve_alt(results: Results, scenario: str, kind: LoadKind, metric: Metric) -> str:
    """What each curve does: where it begins, its lowest and highest, where it ends."""
    courses = [
        f"{curve.target}: {_course(curve, metric)}." for curve in results.curves_of(scenario, kind)
    ]
    return f"{TITLES[kind][metric]}, {scenario}. {' '.join(courses)}"


def _course(curve: Curve, metric: Metric) -> str:
    known = [(point.value, found.estimate) for point, found in estimates(curve, metric)]
    parts = []
    if known:
        turns = min(known, key=itemgetter(1)), max(known, key=itemgetter(1))
        for load, value in sorted({known[0], *turns, known[-1]}):
            parts.append(f"{style.number(value)} at {span(curve.load_kind, [load])}")
    if stops := [span(curve.load_kind, [p.value]) for p in curve.points if p.collapsed]:
        parts.append(f"stops answering at {', at '.join(stops)}")
    return ", ".join(parts) or "nothing valid"
