"""One measure of every target over the users: a line, a band, each block a dot."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twinbench.analyse.results import CellResult, Curve, Estimate, Metric, Point, Results
from twinbench.report import style
from twinbench.report.charts.axes import log_axis, titled, users_axis

TITLES: dict[Metric, str] = {
    "throughput": "Throughput (good answers a second)",
    "p50": "Latency, median (ms)",
    "p99": "Latency, 99th percentile (ms)",
}
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


def curve_figure(results: Results, scenario: str, metric: Metric) -> Figure:
    """One measure of every target over the users: a line through the estimates, a dot for every
    block, a band from the lowest to the highest, a cross where the server stopped answering."""
    figure, axes = titled(TITLES[metric])
    curves = [curve for curve in results.curves if curve.scenario == scenario]
    for n, curve in enumerate(curves):
        _draw_curve(axes, curve, metric, n)
        blocks = [c for c in results.cells if (c.scenario, c.target) == (scenario, curve.target)]
        _draw_spread(axes, blocks, metric, n)
        for cell in blocks:
            _draw_block(axes, cell, metric, n)
    users_axis(axes, [point.value for point in curves[0].points])
    drawn = _drawn(results, scenario, metric)
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
    for n, curve in enumerate(curves):
        _mark_collapses(axes, curve, n, at_top=metric != "throughput")
    axes.legend(loc="best", frameon=False, fontsize=9)
    return figure


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


def _drawn(results: Results, scenario: str, metric: Metric) -> list[float]:
    """What a chart must have room for: estimates and blocks."""
    curves = [curve for curve in results.curves if curve.scenario == scenario]
    estimates = [OF_POINT[metric](point) for curve in curves for point in curve.points]
    cells = [cell for cell in results.cells if cell.scenario == scenario]
    blocks = [OF_CELL[metric](cell) for cell in cells if cell.status != "collapsed"]
    found = [estimate.estimate for estimate in estimates if estimate] + blocks
    return [value for value in found if value]
