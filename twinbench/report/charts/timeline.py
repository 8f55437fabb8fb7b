"""One measurement over time: response times as a heat map, and beneath it what telemetry saw."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from twinbench.analyse.results import Timeline
from twinbench.report.charts.frame import (
    GREY,
    SMALL,
    colour,
    framed,
    hover,
    legend,
    log_axis,
)
from twinbench.report.elements import TimelineChart

HEAT, PANEL = 150.0, 36.0
# Opacity of a single response: it is still seen, on white and on black.
FAINTEST = 0.3
# Field of a timeline, its line, and its title.
PANELS = (
    ("loop_lag_ms", "-", "event-loop lag (ms)"),
    ("threads_waiting", "-", "requests waiting for a thread"),
    ("connections_waiting", "-", "requests waiting for a connection"),
)


def timeline_figure(chart: TimelineChart) -> Figure:
    """Draw `chart` on the scales of those beside it."""
    panels = [panel for panel in PANELS if _highest(chart.beside, panel[0])]
    heights = [HEAT, *[PANEL] * len(panels)]
    figure, [heat, *below] = framed(chart.title, heights, rows=1)
    _draw_heat(figure, heat, chart)
    for axes, panel in zip(below, panels, strict=True):
        _draw_panel(axes, chart, *panel)
    for axes in (heat, *below):
        _shade_outside(axes, chart)
    [heat, *below][-1].set_xlabel("seconds (grey: outside the measuring window)")
    return figure


def _highest(timelines: Iterable[Timeline], field: str) -> float:
    values = (value for timeline in timelines for value in getattr(timeline, field))
    return max((value for value in values if value is not None), default=0.0)


def _draw_heat(figure: Figure, axes: Axes, chart: TimelineChart) -> None:
    edges = [edge for timeline in chart.beside for edge in timeline.latency_ms]
    if edges:
        log_axis(axes, [min(edges), max(edges)])
    timeline = chart.timeline
    if not any(map(any, timeline.counts)):
        axes.text(0.5, 0.5, "no response", transform=axes.transAxes, ha="center")
        return
    most = max(max(map(max, one.counts)) for one in chart.beside if one.latency_ms)
    own = colour(chart.side)
    ramp = LinearSegmentedColormap.from_list("", [to_rgba(own, FAINTEST), to_rgba(own, 1)])
    norm = LogNorm(1, max(most, 2))
    axes.pcolormesh(
        np.array(timeline.seconds),
        np.array(timeline.latency_ms),
        np.ma.masked_equal(np.array(timeline.counts).T, 0),
        cmap=ramp,
        norm=norm,
        rasterized=True,  # a thousand rectangles are 100 kB of SVG, a picture of them is 5
    )
    _explain(figure, ramp, norm, most)


def _explain(figure: Figure, ramp: Colormap, norm: LogNorm, most: int) -> None:
    """Name the colours of one response, ten, a hundred, ..."""
    counts = [10**power for power in range(int(math.log10(most)) + 1)]
    patches = [Patch(facecolor=ramp(float(norm(count)))) for count in counts]
    texts = ["1 response", *[f"{count:,}" for count in counts[1:]]]
    legend(figure, list(zip(patches, texts, strict=True)), columns=6)


def _draw_panel(axes: Axes, chart: TimelineChart, field: str, dashes: str, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=SMALL, pad=3)
    values: Sequence[float | None] = getattr(chart.timeline, field)
    drawn = [math.nan if value is None else value for value in values]
    [line] = axes.plot(
        chart.timeline.sampled_s, drawn, color=colour(chart.side), linewidth=1.4, linestyle=dashes
    )
    hover(line, f"{title}: up to {_highest([chart.timeline], field):,.3g}")
    axes.set_ylim(0, 1.1 * _highest(chart.beside, field))
    axes.locator_params(axis="y", nbins=3)


def _shade_outside(axes: Axes, chart: TimelineChart) -> None:
    left = min(timeline.seconds[0] for timeline in chart.beside)
    right = max(timeline.seconds[-1] for timeline in chart.beside)
    axes.set_xlim(left, right)
    # A collapse ends the load, and with it what was measured.
    end_s = min(chart.timeline.window_s, chart.timeline.seconds[-1])
    for begin, end in ((left, 0.0), (end_s, right)):
        axes.axvspan(begin, end, color=GREY, alpha=0.18, linewidth=0, zorder=0)
