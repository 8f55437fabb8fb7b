"""One measurement over time: response times as a heat map, telemetry in panels beneath it."""

import math
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from twinbench.analyse.results import Timeline
from twinbench.report.charts.frame import GREY, SMALL, colour, framed, hover, legend, log_axis
from twinbench.report.elements import TimelineChart

HEAT_MAP, PANEL = 150.0, 36.0
# Opacity of a single response: visible on white and on black.
FAINTEST = 0.3
# Field of a timeline, and the title of its panel.
PANELS = {
    "loop_lag_ms": "event-loop lag (ms)",
    "threads_waiting": "requests waiting for a thread",
    "connections_waiting": "requests waiting for a connection",
}


def timeline_figure(chart: TimelineChart) -> Figure:
    panels = [field for field in PANELS if _highest(chart.shown, field)]
    heights = [HEAT_MAP, *[PANEL] * len(panels)]
    figure, plots = framed(chart.title, heights, rows=1)
    _draw_heat_map(figure, plots[0], chart)
    for axes, field in zip(plots[1:], panels, strict=True):
        _draw_panel(axes, chart, field)
    for axes in plots:
        _shade_outside(axes, chart)
    plots[-1].set_xlabel("seconds (grey: outside the measuring window)")
    return figure


def _highest(timelines: Iterable[Timeline], field: str) -> float:
    values = (value for timeline in timelines for value in getattr(timeline, field))
    return max((value for value in values if value is not None), default=0.0)


def _draw_heat_map(figure: Figure, axes: Axes, chart: TimelineChart) -> None:
    edges = [edge for timeline in chart.shown for edge in timeline.latency_ms]
    if edges:
        log_axis(axes, [min(edges), max(edges)])
    timeline = chart.timeline
    if not any(map(any, timeline.counts)):
        axes.text(0.5, 0.5, "no response", transform=axes.transAxes, ha="center")
        return
    most = max(max(map(max, one.counts)) for one in chart.shown if one.latency_ms)
    own = colour(chart.target)
    colours = LinearSegmentedColormap.from_list("", [to_rgba(own, FAINTEST), to_rgba(own, 1)])
    norm = LogNorm(1, max(most, 2))
    axes.pcolormesh(
        np.array(timeline.seconds),
        np.array(timeline.latency_ms),
        np.ma.masked_equal(np.array(timeline.counts).T, 0),
        cmap=colours,
        norm=norm,
        rasterized=True,  # a thousand rectangles are 100 kB of SVG, an image of them is 5
    )
    counts = [10**power for power in range(int(math.log10(most)) + 1)]
    patches = [Patch(facecolor=colours(float(norm(count)))) for count in counts]
    texts = ["1 response", *[f"{count:,}" for count in counts[1:]]]
    legend(figure, list(zip(patches, texts, strict=True)), columns=6)


def _draw_panel(axes: Axes, chart: TimelineChart, field: str) -> None:
    axes.set_title(PANELS[field], loc="left", fontsize=SMALL, pad=3)
    values = [math.nan if value is None else value for value in getattr(chart.timeline, field)]
    [line] = axes.plot(chart.timeline.sampled_s, values, color=colour(chart.target), linewidth=1.4)
    hover(line, f"{PANELS[field]}: up to {_highest([chart.timeline], field):,.3g}")
    axes.set_ylim(0, 1.1 * _highest(chart.shown, field))
    axes.locator_params(axis="y", nbins=3)


def _shade_outside(axes: Axes, chart: TimelineChart) -> None:
    left = min(timeline.seconds[0] for timeline in chart.shown)
    right = max(timeline.seconds[-1] for timeline in chart.shown)
    axes.set_xlim(left, right)
    # A collapse ends the load, and the measurement with it.
    end_s = min(chart.timeline.window_s, chart.timeline.seconds[-1])
    for begin, end in ((left, 0.0), (end_s, right)):
        axes.axvspan(begin, end, color=GREY, alpha=0.18, linewidth=0, zorder=0)
