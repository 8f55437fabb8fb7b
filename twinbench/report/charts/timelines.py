"""How one cell went: latencies over time as a heatmap, and beneath it what telemetry saw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from twinbench.analyse.results import Results, Timeline
from twinbench.report import style
from twinbench.report.charts.axes import log_axis
from twinbench.report.charts.frame import SMALL, explain, framed, grid_lines
from twinbench.report.hover import hover
from twinbench.report.kinds import span
from twinbench.report.over_time import highest, silence, timelines_of

LEFT, TOP, HEAT, PANEL = 44.0, 30.0, 150.0, 36.0  # points
# Opacity of a single answer: it is still seen, on white and on black.
FAINTEST = 0.3


@dataclass(frozen=True, slots=True)
class Line:
    """`field` of a timeline, drawn as `dashes`; `said` on hover, with its highest value."""

    field: str
    dashes: str
    said: str
    unit: str


LAG = Line("loop_lag_ms", "-", "event loop late", "ms")
THREADS = Line("threads_waiting", "-", "waiting for a thread", "requests")
CONNECTIONS = Line("connections_waiting", ":", "waiting for a connection", "requests")
TITLES = {
    (LAG,): "event loop late by (ms)",
    (THREADS,): "requests waiting for a thread",
    (CONNECTIONS,): "requests waiting for a connection (dotted)",
    (THREADS, CONNECTIONS): "requests waiting for a thread, and for a connection (dotted)",
}


def timeline_figure(results: Results, timeline: Timeline) -> Figure:
    """One cell; its scales are those of all timelines beside it, so that they compare."""
    beside = timelines_of(results, timeline.scenario, timeline.load.kind)
    panels = _panels(beside)
    at = span(timeline.load.kind, [timeline.load.value])
    heights = [HEAT, *[PANEL] * len(panels)]
    figure, (heat, *below) = framed(f"{timeline.target} at {at}", heights, left=LEFT, top=TOP)
    targets = results.plan.targets_of(results.plan.scenario(timeline.scenario))
    colour = style.colour(targets.index(timeline.target))
    _draw_heat(figure, heat, timeline, beside, colour)
    for axes, lines in zip(below, panels, strict=True):
        _draw_panel(axes, timeline, beside, lines, colour)
    for axes in (heat, *below):
        _shade_outside(axes, timeline, beside)
    [heat, *below][-1].set_xlabel("seconds (grey: outside the measuring window)")
    return figure


def _panels(beside: Sequence[Timeline]) -> list[tuple[Line, ...]]:
    """Only what somebody has values of, other than zero."""

    def told(*lines: Line) -> tuple[Line, ...]:
        return tuple(line for line in lines if any(highest(getattr(t, line.field)) for t in beside))

    return [panel for panel in (told(LAG), told(THREADS, CONNECTIONS)) if panel]


def _draw_heat(
    figure: Figure, axes: Axes, timeline: Timeline, beside: Sequence[Timeline], colour: str
) -> None:
    _entitle(axes, "response time of the answers that came (ms)")
    edges = [edge for t in beside for edge in t.latency_ms]
    if edges:
        log_axis(axes, [min(edges), max(edges)])
    if any(map(any, timeline.counts)):
        most = max(max(map(max, t.counts)) for t in beside if t.latency_ms)
        _draw_counts(figure, axes, timeline, most, colour)
    if gap := silence(timeline):
        axes.text(
            *(sum(gap) / 2, 0.5, f"no answer\nfor {gap[1] - gap[0]:.2g} s"),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="center",
            color=colour,
        )


def _draw_counts(figure: Figure, axes: Axes, timeline: Timeline, most: int, colour: str) -> None:
    ramp = LinearSegmentedColormap.from_list("", [to_rgba(colour, FAINTEST), to_rgba(colour, 1)])
    norm = LogNorm(1, max(most, 2))
    axes.pcolormesh(
        np.array(timeline.seconds),
        np.array(timeline.latency_ms),
        np.ma.masked_equal(np.array(timeline.counts).T, 0),
        cmap=ramp,
        norm=norm,
        rasterized=True,  # a thousand rectangles are 100 kB of SVG, a picture of them is 5
    )
    explain(figure, _steps(ramp, norm, most), columns=6)


def _steps(ramp: Colormap, norm: LogNorm, most: int) -> list[Patch]:
    """One answer, ten, a hundred, ... in their colours."""
    counts = [10**power for power in range(int(math.log10(most)) + 1)]
    unit = ["1 answer", *[f"{count:,}" for count in counts[1:]]]
    return [
        Patch(facecolor=ramp(float(norm(count))), label=label)
        for count, label in zip(counts, unit, strict=True)
    ]


def _draw_panel(
    axes: Axes,
    timeline: Timeline,
    beside: Sequence[Timeline],
    lines: tuple[Line, ...],
    colour: str,
) -> None:
    _entitle(axes, TITLES[lines])
    for line in lines:
        values = getattr(timeline, line.field)
        drawn = [math.nan if value is None else value for value in values]
        [artist] = axes.plot(
            timeline.sampled_s, drawn, color=colour, linewidth=1.4, linestyle=line.dashes
        )
        hover(artist, f"{line.said}: up to {style.number(highest(values))} {line.unit}")
    axes.set_ylim(0, 1.1 * max(highest(getattr(t, line.field)) for t in beside for line in lines))
    axes.locator_params(axis="y", nbins=3)


def _shade_outside(axes: Axes, timeline: Timeline, beside: Sequence[Timeline]) -> None:
    left = min(t.seconds[0] for t in beside)
    right = max(t.seconds[-1] for t in beside)
    axes.set_xlim(left, right)
    # A collapse ends the load, and with it what was measured.
    end_s = min(timeline.window_s, timeline.seconds[-1])
    for begin, end in ((left, 0.0), (end_s, right)):
        axes.axvspan(begin, end, color=style.GREY, alpha=0.18, linewidth=0, zorder=0)


def _entitle(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=SMALL, pad=3)
    grid_lines(axes, "y")
