"""One measure of every target over the loads: a line, a band, each block a dot."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twinbench.analyse.results import CellResult, Curve, Estimate, Metric, Point, Results
from twinbench.findings import Calibration
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.charts.axes import load_axis, log_axis, titled
from twinbench.report.kinds import TITLES

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


def curve_figure(results: Results, scenario: str, kind: LoadKind, metric: Metric) -> Figure:
    """One measure of every target over the loads: a line through the estimates, a dot for every
    block, a band from the lowest to the highest, a cross where the server stopped answering."""
    figure, axes = titled(TITLES[kind][metric])
    curves = results.curves_of(scenario, kind)
    for n, curve in enumerate(curves):
        _draw_curve(axes, curve, metric, n)
        blocks = results.cells_of(curve)
        _draw_spread(axes, blocks, metric, n)
        for cell in blocks:
            _draw_block(axes, cell, metric, n)
    load_axis(axes, kind, [point.value for point in curves[0].points])
    drawn = [value for curve in curves for value in _drawn(results, curve, metric)]
    if not drawn:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "too few samples", transform=axes.transAxes, ha="center")
        return figure
    if metric == "throughput":
        axes.set_ylim(0, 1.15 * max(drawn))
    else:
        fallen = any(point.collapsed for curve in curves for point in curve.points)
        # Room above the highest latency for the crosses.
        log_axis(axes, [*drawn, max(drawn) * 3] if fallen else drawn)
        _draw_floor(axes, results.calibration, metric)
    for n, curve in enumerate(curves):
        _mark_collapses(axes, curve, n, at_top=metric != "throughput")
    axes.legend(loc="best", frameon=False, fontsize=9)
    return figure


def _draw_floor(axes: Axes, calibration: Calibration | None, metric: Metric) -> None:
    """Hatched: latencies that a server shows which does nothing. Not drawn below the picture."""
    if calibration is None:
        return
    floor = calibration.floor
    top = floor.latency_p50_ms if metric == "p50" else floor.latency_p99_ms
    bottom = axes.get_ylim()[0]
    if top <= bottom:
        return
    axes.axhspan(
        bottom,
        min(top, axes.get_ylim()[1]),
        facecolor=style.PALE,
        edgecolor="white",
        hatch="////",
        linewidth=0,
        zorder=0,
        label="this machine's floor",
    )


def _draw_curve(axes: Axes, curve: Curve, metric: Metric, n: int) -> None:
    drawn = [(point.value, OF_POINT[metric](point)) for point in curve.points]
    colour, marker = style.colour(n), style.marker(n)
    axes.plot(
        [x for x, _ in drawn],
        # No line through a load that has no figure.
        [estimate.estimate if estimate else math.nan for _, estimate in drawn],
        color=colour,
        marker=marker,
        markersize=5,
        linewidth=1.6,
        label=curve.target,
    )


def _draw_spread(axes: Axes, cells: Sequence[CellResult], metric: Metric, n: int) -> None:
    """A band from the lowest block to the highest."""
    values: dict[int, list[float]] = {cell.load.value: [] for cell in cells}
    for cell in cells:
        value = OF_CELL[metric](cell)
        if cell.status == "valid" and value is not None:
            values[cell.load.value].append(value)
    loads = sorted(values)
    lows = [min(values[load], default=math.nan) for load in loads]
    highs = [max(values[load], default=math.nan) for load in loads]
    axes.fill_between(loads, lows, highs, color=style.colour(n), alpha=0.15, linewidth=0)


def _draw_block(axes: Axes, cell: CellResult, metric: Metric, n: int) -> None:
    """One block: a dot in the target's colour, grey and open if it is void."""
    value = OF_CELL[metric](cell)
    if value is None or cell.status == "collapsed":
        return
    # The targets' dots stand beside each other rather than on each other.
    x = cell.load.value * (0.97 if n == 0 else 1.03)
    void = cell.status == "void"
    axes.plot(
        [x],
        [value],
        marker=style.marker(n),
        markersize=3,
        linestyle="none",
        alpha=0.55,
        color=style.GREY if void else style.colour(n),
        markerfacecolor="none" if void else style.colour(n),
    )


def _mark_collapses(axes: Axes, curve: Curve, n: int, *, at_top: bool) -> None:
    """A cross where no answer is best seen: at no throughput, at endless latency."""
    edge = axes.get_ylim()[1 if at_top else 0]
    away = (-1 if at_top else 1) * (8 + 24 * n)
    for point in curve.points:
        if not point.collapsed:
            continue
        axes.plot(
            [point.value],
            [edge],
            marker="X",
            markersize=9,
            color=style.colour(n),
            clip_on=False,
            zorder=5,
            linestyle="none",
        )
        axes.annotate(
            f"stops\n{point.collapsed} of {point.blocks + point.collapsed}",
            (point.value, edge),
            xytext=(0, away),
            textcoords="offset points",
            ha="center",
            va="top" if at_top else "bottom",
            fontsize=7.5,
            linespacing=0.9,
            color=style.colour(n),
        )


def _drawn(results: Results, curve: Curve, metric: Metric) -> list[float]:
    """What a chart must have room for: estimates and blocks."""
    estimates = [OF_POINT[metric](point) for point in curve.points]
    cells = results.cells_of(curve)
    blocks = [OF_CELL[metric](cell) for cell in cells if cell.status != "collapsed"]
    found = [estimate.estimate for estimate in estimates if estimate] + blocks
    return [value for value in found if value]
