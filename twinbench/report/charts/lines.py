"""Values over loads or percentiles: lines, intervals, a dot for every block."""

import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from twinbench.report.charts.frame import (
    GREY,
    PLOT,
    SMALL,
    colour,
    framed,
    hover,
    hover_each,
    legend,
    linear_axis,
    log_axis,
    marker,
    x_axis,
)
from twinbench.report.elements import Dot, LineChart, Series, Word

# From one target's blocks to the next one's, as a share of the width of the plot: so that they
# stand beside each other, and at their load all the same.
BESIDE = 0.016
LineStyle = Literal["-", "--", "none"]
STYLES: dict[str, LineStyle] = {"solid": "-", "dashed": "--", "none": "none"}
# An axis around 1 reaches so far at least.
LEAST_REACH = 1.3


def line_figure(chart: LineChart) -> Figure:
    """Draw `chart`."""
    entries = _names(chart)
    figure, [axes] = framed(chart.title, [PLOT], rows=(len(entries) + 1) // 2)
    x_axis(axes, chart.ticks, chart.x_label)
    if not _values(chart):
        axes.set_yticks([])
        axes.text(0.5, 0.5, "too few samples", transform=axes.transAxes, ha="center")
        return figure
    _scale(axes, chart)
    if chart.band:
        width, text = chart.band
        hover(axes.axhspan(1 / (1 + width), 1 + width, color=(GREY, 0.25), linewidth=0), text)
        axes.axhline(1, color=GREY, linewidth=0.8)
    for level in chart.levels:
        line = axes.axhline(level.y, color=colour(level.side), linewidth=1, linestyle=":")
        hover(line, f"{level.label}: {level.y:,.4g}")
    for series in chart.series:
        _draw_series(axes, chart, series)
    _draw_dots(axes, chart.dots)
    for word in chart.collapses:
        _draw_collapse(axes, word)
    for word in chart.words:
        _draw_word(axes, word)
    legend(figure, entries)
    return figure


def _values(chart: LineChart) -> list[float]:
    points = [point.y for series in chart.series for point in series.points]
    return [*points, *(dot.y for dot in chart.dots)] or [1.0 for _ in chart.words]


def _scale(axes: Axes, chart: LineChart) -> None:
    values = _values(chart)
    if chart.y_scale == "linear":
        near = [level.y for level in chart.levels if level.y < 1.5 * max(values)]
        linear_axis(axes, max(*values, *near) if near else max(values))
    elif chart.band:
        reach = max([LEAST_REACH, *(max(value, 1 / value) for value in values)])
        log_axis(axes, [1 / reach, reach])
    else:
        # Room above the highest for the crosses.
        log_axis(axes, [*values, max(values) * 3] if chart.collapses else values)


def _draw_series(axes: Axes, chart: LineChart, series: Series) -> None:
    own = colour(series.side)
    colours = [own if series.line != "none" else colour(point.side) for point in series.points]
    _draw_intervals(axes, series, colours)
    if series.line == "none":
        dots = axes.scatter(
            [point.x for point in series.points],
            [point.y for point in series.points],
            c=colours,
            marker=marker(series.side),
            s=36,
            zorder=3,
        )
        hover_each(dots, [point.text for point in series.points])
        return
    at = {point.x: point.y for point in series.points}
    places = sorted({*at, *(place for place, _ in chart.ticks if chart.gaps)})
    [line] = axes.plot(
        places,
        [at.get(place, math.nan) for place in places],
        color=own,
        linewidth=1.6 if series.line == "solid" else 1.0,
        linestyle=STYLES[series.line],
        marker=marker(series.side),
        markersize=5 if series.line == "solid" else 3,
    )
    hover_each(line, [point.text for point in series.points])


def _draw_intervals(axes: Axes, series: Series, colours: Sequence[str]) -> None:
    known = [
        (point.x, point.low, point.high, (own, 0.5))
        for point, own in zip(series.points, colours, strict=True)
        if point.low is not None and point.high is not None
    ]
    if known and series.line != "dashed":
        places, lows, highs, shades = zip(*known, strict=True)
        axes.vlines(places, lows, highs, colors=shades, linewidth=2)


def _draw_dots(axes: Axes, dots: Sequence[Dot]) -> None:
    """Small, in the colour of their target; grey and hollow where they are not valid."""
    left, right = axes.get_xlim()
    sides = sorted({dot.side for dot in dots})
    for side in sides:
        shift = (right / left) ** (BESIDE * (side - (len(sides) - 1) / 2))
        for valid in (True, False):
            own = [dot for dot in dots if (dot.side, dot.valid) == (side, valid)]
            if not own:
                continue
            shade = (colour(side if valid else None), 0.55)
            [drawn] = axes.plot(
                [dot.x * shift for dot in own],
                [dot.y for dot in own],
                marker=marker(side),
                markersize=3,
                linestyle="none",
                color=shade,
                markerfacecolor=shade if valid else "none",
            )
            hover_each(drawn, [dot.text for dot in own])


def _draw_collapse(axes: Axes, word: Word) -> None:
    """A cross at no throughput, or at endless latency, with the number of blocks."""
    top = word.edge == "top"
    y = axes.get_ylim()[1 if top else 0]
    shade, side = colour(word.side), word.side or 0
    [cross] = axes.plot([word.x], [y], "X", markersize=9, color=shade, clip_on=False, zorder=5)
    hover(cross, f"collapsed in {word.text} blocks")
    axes.annotate(
        word.text,
        (word.x, y),
        xytext=(0, (-1 if top else 1) * (8 + 13 * side)),
        textcoords="offset points",
        ha="center",
        va="top" if top else "bottom",
        fontsize=SMALL,
        color=shade,
    )


def _draw_word(axes: Axes, word: Word) -> None:
    above = word.edge == "above 1"
    axes.annotate(
        word.text,
        (word.x, 1),
        xytext=(0, 9 if above else -9),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=SMALL,
        linespacing=0.9,
        color=colour(word.side),
    )


def _named(chart: LineChart) -> list[Series]:
    """Return one series for each name; none where the title has the only name."""
    by_label = {series.label: series for series in reversed(chart.series)}
    shown = [series for series in chart.series if by_label[series.label] is series]
    return [] if len(shown) == 1 and shown[0].line == "none" else shown


def _names(chart: LineChart) -> list[tuple[Artist, str]]:
    """Return what the legend says: targets, levels, the margin, and crosses."""
    found: list[tuple[Artist, str]] = [
        (
            Line2D(
                [],
                [],
                color=colour(series.side) if series.line != "none" else GREY,
                marker=marker(series.side),
                markersize=5,
                linestyle=STYLES[series.line],
            ),
            series.label,
        )
        for series in _named(chart)
    ]
    found += [
        (Line2D([], [], color=colour(level.side), linewidth=1, linestyle=":"), level.label)
        for level in chart.levels
    ]
    if chart.band:
        found.append((Patch(color=(GREY, 0.25)), "margin"))
    if chart.collapses:
        cross = Line2D([], [], color=GREY, marker="X", markersize=7, linestyle="none")
        found.append((cross, "collapsed, in n of N blocks"))
    return found
