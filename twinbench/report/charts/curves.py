"""One measure of every target over the loads: a line, a band, each block a dot."""

import math
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twinbench.analyse.results import CellResult, Curve, Estimate, Metric, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.charts import expected, readings
from twinbench.report.charts.axes import (
    legend,
    linear_axis,
    load_axis,
    log_axis,
    tell_at_loads,
    titled,
)
from twinbench.report.charts.frame import SMALL
from twinbench.report.hover import hover_each
from twinbench.report.kinds import TITLES

LATENCIES: tuple[Metric, ...] = ("p50", "p99")
# From one target's blocks to the next one's, as a share of the width of the plot: so that they
# stand beside each other, and at their load all the same.
BESIDE = 0.016


def curve_figure(results: Results, scenario: str, kind: LoadKind, metric: Metric) -> Figure:
    """A line through the estimates, a band of their 95 % intervals, a dot for every block, grey if
    it is void, and a cross where the server stopped answering. p50 and p99 of one scenario share
    their range. Throughput with its bounds and its capacity, p99 with what is promised."""
    curves = results.curves_of(scenario, kind)
    figure, axes = titled(TITLES[kind][metric])
    load_axis(axes, kind, loads := [point.value for point in curves[0].points])
    measured = [(curve, results.cells_of(curve)) for curve in curves]
    if not readings.drawn(measured, [metric]):
        axes.set_yticks([])
        axes.text(0.5, 0.5, "too few samples", transform=axes.transAxes, ha="center")
        return figure
    _scale(axes, measured, metric)
    tell_at_loads(axes, loads, [readings.of_load(curves, n, metric) for n in range(len(loads))])
    left, right = axes.get_xlim()
    apart = (right / left) ** BESIDE
    columns = [
        _draw_curve(axes, of, metric, n, apart ** (n - (len(curves) - 1) / 2))
        for n, of in enumerate(measured)
    ]
    if metric != "throughput":
        levels = expected.draw_levels(axes, results.calibration, curves, metric)
        for n, level in enumerate(levels):
            columns[n % len(columns)].append(level)
    legend(figure, axes, columns)
    return figure


def _draw_curve(
    axes: Axes, of: readings.Measured, metric: Metric, n: int, beside: float
) -> list[tuple[Artist, str]]:
    """The n-th target's estimates, blocks and collapses, with what they are held against; what of
    it stands in the legend."""
    curve, cells = of
    line = _draw_estimates(axes, curve, metric, n)
    _draw_blocks(axes, readings.blocks(cells, metric), metric, n, beside)
    _draw_collapses(axes, curve, n, at_top=metric != "throughput")
    notes = expected.draw_law(axes, curve, n) if metric == "throughput" else []
    return [(line, curve.target), *notes]


def _scale(axes: Axes, curves: Sequence[readings.Measured], metric: Metric) -> None:
    if metric == "throughput":
        highest = max(readings.drawn(curves, [metric]))
        linear_axis(axes, expected.highest([curve for curve, _ in curves], highest))
        return
    drawn = readings.drawn(curves, LATENCIES)
    fallen = any(point.collapsed for curve, _ in curves for point in curve.points)
    # Room above the highest latency for the crosses.
    log_axis(axes, [*drawn, max(drawn) * 3] if fallen else drawn)


def _draw_estimates(axes: Axes, curve: Curve, metric: Metric, n: int) -> Artist:
    """A line with a mark for each estimate, none through a load that has no figure; the intervals
    as a band, and as a whisker at each load."""
    known = readings.estimates(curve, metric)
    at = {point.value: found for point, found in known}
    loads = [point.value for point in curve.points]
    [line] = axes.plot(
        loads,
        [at[load].estimate if load in at else math.nan for load in loads],
        color=style.colour(n),
        marker=style.marker(n),
        markersize=5,
        linewidth=1.6,
        label=curve.target,
    )
    hover_each(
        line,
        [f"{curve.target}: {readings.of_point(p, metric)}, {p.blocks} blocks" for p, _ in known],
    )
    _draw_intervals(axes, loads, at, style.colour(n))
    return line


def _draw_intervals(axes: Axes, loads: Sequence[int], at: dict[int, Estimate], colour: str) -> None:
    known = {
        load: (found.low, found.high)
        for load, found in at.items()
        if found.low is not None and found.high is not None
    }
    if not known:
        return
    low, high = zip(*(known.get(load, (math.nan, math.nan)) for load in loads), strict=True)
    axes.fill_between(loads, low, high, color=(colour, 0.15), linewidth=0)
    low, high = zip(*known.values(), strict=True)
    axes.vlines(list(known), low, high, colors=[(colour, 0.45)], linewidth=1)


def _draw_blocks(
    axes: Axes,
    found: Sequence[tuple[CellResult, float]],
    metric: Metric,
    n: int,
    beside: float,
) -> None:
    """A dot for each block, in the target's colour; grey and open if it is void."""
    for status, colour in (("valid", style.colour(n)), ("void", style.GREY)):
        blocks = [(cell, value) for cell, value in found if cell.status == status]
        if not blocks:
            continue
        [dots] = axes.plot(
            [cell.load.value * beside for cell, _ in blocks],
            [value for _, value in blocks],
            marker=style.marker(n),
            markersize=3,
            linestyle="none",
            color=(colour, 0.55),
            markerfacecolor="none" if status == "void" else (colour, 0.55),
        )
        hover_each(dots, [readings.of_block(cell, value, metric) for cell, value in blocks])


def _draw_collapses(axes: Axes, curve: Curve, n: int, *, at_top: bool) -> None:
    """A cross where no answer is best seen: at no throughput, at endless latency."""
    fallen = [point for point in curve.points if point.collapsed]
    if not fallen:
        return
    edge = axes.get_ylim()[1 if at_top else 0]
    loads, edges = [point.value for point in fallen], [edge] * len(fallen)
    axes.plot(loads, edges, "X", markersize=9, color=style.colour(n), clip_on=False, zorder=5)
    for point in fallen:
        axes.annotate(
            f"stops\n{point.collapsed} of {point.blocks + point.collapsed}",
            (point.value, edge),
            xytext=(0, (-1 if at_top else 1) * (8 + 26 * n)),
            textcoords="offset points",
            ha="center",
            va="top" if at_top else "bottom",
            fontsize=SMALL,
            linespacing=0.9,
            color=style.colour(n),
        )
