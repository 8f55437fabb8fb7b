"""Figures by matplotlib, from results: nothing here reads or writes a file."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from twinbench.analyse.comparisons import MARGIN
from twinbench.analyse.results import (
    CellResult,
    Comparison,
    Curve,
    Estimate,
    Metric,
    Point,
    Results,
)
from twinbench.report import style

SIZE = (5.6, 3.9)  # inches
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
    figure, axes = _figure(TITLES[metric])
    curves = [curve for curve in results.curves if curve.scenario == scenario]
    for n, curve in enumerate(curves):
        _draw_curve(axes, curve, metric, n)
        blocks = [c for c in results.cells if (c.scenario, c.target) == (scenario, curve.target)]
        _draw_spread(axes, blocks, metric, n)
        for cell in blocks:
            _draw_block(axes, cell, metric, n)
    _users_axis(axes, [point.value for point in curves[0].points])
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
        _log_axis(axes, [*drawn, max(drawn) * 3] if fallen else drawn)
    for n, curve in enumerate(curves):
        _mark_collapses(axes, curve, n, at_top=metric != "throughput")
    axes.legend(loc="best", frameon=False, fontsize=9)
    return figure


def ratio_figure(results: Results, scenario: str) -> Figure:
    """Throughput of each candidate / baseline over the users, with the interval of each ratio;
    the grey strip is the margin within which a difference does not matter."""
    found = results.compared(scenario, "throughput")
    candidates = list(dict.fromkeys(comparison.candidate for comparison in found))
    figure, axes = _figure(
        f"Throughput, {' and '.join(candidates)} / {found[0].baseline}"
        f"  (below 1: {found[0].baseline} ahead)"
    )
    for comparison in found:
        _draw_ratio(axes, comparison, style.marker(1 + candidates.index(comparison.candidate)))
    ratios = [comparison.ratio.estimate for comparison in found if comparison.ratio]
    reach = max([1.3, *(max(ratio, 1 / ratio) for ratio in ratios)])
    _log_axis(axes, [1 / reach, reach])
    _users_axis(axes, sorted({comparison.load.value for comparison in found}))
    axes.axhspan(1 / (1 + MARGIN), 1 + MARGIN, color=style.GREY, alpha=0.25, linewidth=0)
    axes.axhline(1, color=style.GREY, linewidth=0.8)
    return figure


def overview_figure(results: Results) -> Figure:
    """All scenarios in one picture: who has the higher throughput, at each load."""
    pairs = results.pairs()
    loads = sorted({comparison.load.value for comparison in results.comparisons})
    figure = Figure(figsize=(1.9 + 0.95 * len(loads), 0.9 + 0.55 * len(pairs)))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    axes.set_xlim(-0.5, len(loads) - 0.5)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    for y, (_, comparisons) in enumerate(pairs):
        for comparison in comparisons:
            _draw_tile(axes, loads.index(comparison.load.value), y, comparison)
    axes.set_xticks(range(len(loads)), [str(load) for load in loads])
    axes.set_yticks(range(len(pairs)), [name for name, _ in pairs])
    axes.tick_params(length=0)
    axes.set_xlabel("users")
    axes.spines[:].set_visible(False)
    return figure


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="y", color=style.GREY, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


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


def _draw_ratio(axes: Axes, comparison: Comparison, marker: str) -> None:
    x, ratio = comparison.load.value, comparison.ratio
    if ratio is None:
        survivor = comparison.survivor
        text = f"{survivor}\nonly" if survivor else "not\ncomparable"
        below = survivor == comparison.baseline
        axes.annotate(
            text,
            (x, 1),
            xytext=(0, -9 if below else 9),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            fontsize=8.5,
            linespacing=0.9,
            color=style.of_target(survivor or "", comparison),
        )
        return
    ahead = style.advantage(comparison)
    colour = style.of_target(ahead, comparison)
    if ratio.low is not None and ratio.high is not None:
        axes.plot([x, x], [ratio.low, ratio.high], color=colour, linewidth=2, alpha=0.6)
    axes.plot([x], [ratio.estimate], marker=marker, markersize=6, color=colour, linestyle="none")


def _draw_tile(axes: Axes, x: int, y: int, comparison: Comparison) -> None:
    survivor = comparison.survivor
    ahead = survivor or style.advantage(comparison)
    shown = f"{survivor}\nonly" if survivor else style.times(comparison.ratio)
    # A pair too few to compare is hatched rather than coloured: nothing can be said.
    known = ahead or comparison.decision == "no difference shown"
    axes.bar(
        x,
        0.86,
        width=0.92,
        bottom=y - 0.43,
        linewidth=0,
        color=style.of_target(ahead, comparison) if ahead else style.PALE,
        hatch=None if known else "////",
        edgecolor="white",
    )
    ink = "white" if ahead else style.INK
    axes.text(x, y, shown, ha="center", va="center", fontsize=9, color=ink, linespacing=0.95)


def _users_axis(axes: Axes, loads: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(loads), [str(load) for load in loads])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(loads) / 1.3, max(loads) * 1.3)
    axes.set_xlabel("users")


def _log_axis(axes: Axes, drawn: Sequence[float]) -> None:
    """Logarithmic, around the values `drawn` rather than around their widest interval, and
    labelled 1, 2, 5, 10 rather than in powers of ten; more finely where the range is narrow."""
    low, high = min(drawn) / 1.25, max(drawn) * 1.25
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    steps = (1, 2, 5) if high / low > 10 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    inside = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(inside, [f"{tick:g}" for tick in inside])
    axes.yaxis.set_minor_locator(NullLocator())


def _drawn(results: Results, scenario: str, metric: Metric) -> list[float]:
    """What a chart must have room for: estimates and blocks."""
    curves = [curve for curve in results.curves if curve.scenario == scenario]
    estimates = [OF_POINT[metric](point) for curve in curves for point in curve.points]
    cells = [cell for cell in results.cells if cell.scenario == scenario]
    blocks = [OF_CELL[metric](cell) for cell in cells if cell.status != "collapsed"]
    found = [estimate.estimate for estimate in estimates if estimate] + blocks
    return [value for value in found if value]
