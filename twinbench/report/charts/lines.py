"""Values over loads or percentiles: lines, intervals, a dot for every block."""

import math
from collections.abc import Sequence

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
from twinbench.report.elements import Annotation, LineChart, Series

# Distance between the blocks of two targets at one load, as a share of the width of the plot.
SHIFT = 0.016
LEAST_LIMIT = 1.3  # an axis around 1 reaches so far at least
MARGIN_TEXT = "margin of {:.2g} %: a smaller difference does not matter"
BAND = (GREY, 0.25)


def line_figure(chart: LineChart) -> Figure:
    entries = _legend_entries(chart)
    figure, [axes] = framed(chart.title, [PLOT], rows=(len(entries) + 1) // 2)
    x_axis(axes, chart.ticks, chart.x_label)
    if not (values := _values(chart)):
        axes.set_yticks([])
        axes.text(0.5, 0.5, "too few samples", transform=axes.transAxes, ha="center")
        return figure
    _set_scale(axes, chart, values)
    if chart.scale == "ratio":
        margin = axes.axhspan(1 / (1 + chart.margin), 1 + chart.margin, color=BAND, linewidth=0)
        hover(margin, MARGIN_TEXT.format(100 * chart.margin))
        axes.axhline(1, color=GREY, linewidth=0.8)
    for reference in chart.reference_lines:
        line = axes.axhline(reference.y, color=colour(reference.target), linewidth=1, linestyle=":")
        hover(line, f"{reference.label}: {reference.y:,.4g}")
    for series in chart.series:
        draw = _draw_points if series.line == "none" else _draw_line
        draw(axes, series)
    for series in chart.dots:
        _draw_dots(axes, series, len(chart.dots))
    for annotation in chart.annotations:
        _draw_annotation(axes, annotation)
    legend(figure, entries)
    return figure


def _values(chart: LineChart) -> list[float]:
    series = [*chart.series, *chart.dots]
    values = [p.y for one in series for p in one.points if not math.isnan(p.y)]
    return values or [1.0 for _ in chart.annotations if chart.scale == "ratio"]


def _set_scale(axes: Axes, chart: LineChart, values: Sequence[float]) -> None:
    highest = max(values)
    if chart.scale == "linear":
        lines = [line.y for line in chart.reference_lines if line.y < 1.5 * highest]
        linear_axis(axes, max([highest, *lines]))
    elif chart.scale == "ratio":
        limit = max([LEAST_LIMIT, highest, 1 / min(values)])
        log_axis(axes, [1 / limit, limit])
    else:
        # Room above the highest value for the crosses.
        log_axis(axes, [*values, highest * 3] if chart.annotations else values)


def _draw_line(axes: Axes, series: Series) -> None:
    own, solid = colour(series.target), series.line == "solid"
    if solid:
        _draw_intervals(axes, series, [own] * len(series.points))
    [line] = axes.plot(
        [point.x for point in series.points],
        [point.y for point in series.points],
        color=own,
        linewidth=1.6 if solid else 1.0,
        linestyle=series.line,
        marker=marker(series.target),
        markersize=5 if solid else 3,
    )
    hover_each(line, [point.text for point in series.points if not math.isnan(point.y)])


def _draw_points(axes: Axes, series: Series) -> None:
    colours = [colour(point.target) for point in series.points]
    _draw_intervals(axes, series, colours)
    points = axes.scatter(
        [point.x for point in series.points],
        [point.y for point in series.points],
        c=colours,
        marker=marker(series.target),
        s=36,
        zorder=3,
    )
    hover_each(points, [point.text for point in series.points])


def _draw_intervals(axes: Axes, series: Series, colours: Sequence[str]) -> None:
    known = [
        (point.x, point.low, point.high, (own, 0.5))
        for point, own in zip(series.points, colours, strict=True)
        if point.low is not None and point.high is not None
    ]
    if known:
        places, lows, highs, shades = zip(*known, strict=True)
        axes.vlines(places, lows, highs, colors=shades, linewidth=2)


def _draw_dots(axes: Axes, series: Series, count: int) -> None:
    """Draw the blocks of one of `count` targets; grey and hollow where they are not valid."""
    left, right = axes.get_xlim()
    shift = (right / left) ** (SHIFT * (series.target - (count - 1) / 2))
    for target in (series.target, None):
        points = [point for point in series.points if point.target == target]
        if points:
            shade = (colour(target), 0.55)
            [dots] = axes.plot(
                [point.x * shift for point in points],
                [point.y for point in points],
                marker=marker(series.target),
                markersize=3,
                linestyle="none",
                color=shade,
                markerfacecolor="none" if target is None else shade,
            )
            hover_each(dots, [point.text for point in points])


def _draw_annotation(axes: Axes, annotation: Annotation) -> None:
    y, offset, shade = 1.0, 9, colour(annotation.target)
    if annotation.place in ("bottom", "top"):
        y = axes.get_ylim()[annotation.place == "top"]
        # Crosses of several targets at one load are named one above the other.
        offset = 8 + 13 * (annotation.target or 0)
        [cross] = axes.plot(
            [annotation.x], [y], "X", markersize=9, color=shade, clip_on=False, zorder=5
        )
        hover(cross, f"collapsed in {annotation.text} blocks")
    upwards = annotation.place in ("bottom", "above 1")
    axes.annotate(
        annotation.text,
        (annotation.x, y),
        xytext=(0, offset if upwards else -offset),
        textcoords="offset points",
        ha="center",
        va="bottom" if upwards else "top",
        fontsize=SMALL,
        linespacing=0.9,
        color=shade,
    )


def _legend_entries(chart: LineChart) -> list[tuple[Artist, str]]:
    """Return the targets, reference lines, the margin and crosses, with their names.

    Dashed lines have the names of solid ones; a title may have the only name.
    """
    by_label = {series.label: series for series in reversed(chart.series)}
    named = [series for series in chart.series if by_label[series.label] is series]
    if len(named) == 1 and chart.scale == "ratio":
        named = []
    entries: list[tuple[Artist, str]] = []
    for series in named:
        own, shape = colour(series.target), marker(series.target)
        own = GREY if series.line == "none" else own
        line = Line2D([], [], color=own, marker=shape, markersize=5, linestyle=series.line)
        entries.append((line, series.label))
    for reference in chart.reference_lines:
        line = Line2D([], [], color=colour(reference.target), linewidth=1, linestyle=":")
        entries.append((line, reference.label))
    if chart.scale == "ratio":
        entries.append((Patch(color=BAND), "margin"))
    elif chart.annotations:
        cross = Line2D([], [], color=GREY, marker="X", markersize=7, linestyle="none")
        entries.append((cross, "collapsed, in n of N blocks"))
    return entries
