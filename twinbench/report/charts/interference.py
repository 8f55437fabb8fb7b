"""A route alone and beside neighbours: how long its answers take, one line for each setting."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from twinbench.analyse.results import Estimate, Point, Results
from twinbench.report import style
from twinbench.report.beside import Interference, mix_of, neighbours_of, point_of
from twinbench.report.charts.frame import (
    LETTER_WIDTH,
    LETTERS,
    SMALL,
    explain,
    framed,
    grid_lines,
)
from twinbench.report.hover import hover

ROW = 16.0  # points, for each target of a setting
APART = 0.34  # between two targets of a setting, whose place is 1 high
WHY_NOT = {"collapsed": "stops answering", "void": "void", "valid": "too few samples"}


def interference_figure(results: Results, found: Interference) -> Figure:
    """Of each target and setting the p99 with its interval, and the median, small."""
    longest = max(len(line) for name in _named(results, found) for line in name.split("\n"))
    figure, [axes] = framed(
        f"p99 (large) and median, {mix_of(results, found, found.alone)}",
        [ROW * len(found.targets) * len(found.settings)],
        left=LETTER_WIDTH * LETTERS * longest + 8,
    )
    _scale(axes, results, found)
    for y, setting in enumerate(found.settings):
        for n, target in enumerate(found.targets):
            point = point_of(results, setting, target)
            offset = (n - (len(found.targets) - 1) / 2) * APART
            _draw(axes, point, y + offset, n, f"{setting.name}, {target}")
    explain(figure, [_handle(n, target) for n, target in enumerate(found.targets)], columns=4)
    return figure


def _named(results: Results, found: Interference) -> list[str]:
    """Each setting with the rate of what is beside."""
    neighbours = [neighbours_of(results, found, setting) for setting in found.settings]
    return [
        setting.name + (f"\n+ {beside}" if beside else "")
        for setting, beside in zip(found.settings, neighbours, strict=True)
    ]


def _scale(axes: Axes, results: Results, found: Interference) -> None:
    axes.set_yticks(range(len(found.settings)), _named(results, found))
    axes.set_ylim(len(found.settings) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    grid_lines(axes, "x")
    points = [point_of(results, s, t) for s in found.settings for t in found.targets]
    told = [point for point in points if point and point.status == "valid"]
    known = [e.estimate for point in told for e in (point.p50_ms, point.p99_ms) if e]
    axes.set_xscale("log")
    if known:
        # To the right there is room for a figure.
        room = (max(known) / min(known)) ** 0.2
        axes.set_xlim(min(known) / 1.4, max(known) * 1.3 * room)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("response time (ms)")


def _draw(axes: Axes, point: Point | None, y: float, n: int, name: str) -> None:
    if point is None or point.status != "valid" or not point.p99_ms:
        why = WHY_NOT[point.status] if point else "not measured"
        axes.text(
            *(0.01, y, why),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=SMALL,
            color=style.colour(n),
        )
        return
    if point.p50_ms:
        _draw_median(axes, (point.p50_ms.estimate, point.p99_ms.estimate), y, n, name)
    _draw_p99(axes, point.p99_ms, y, n, name)


def _draw_median(axes: Axes, ms: tuple[float, float], y: float, n: int, name: str) -> None:
    """A small marker, and a line from there to the p99."""
    colour = style.colour(n)
    axes.plot(ms, [y, y], color=colour, linewidth=0.9)
    [dot] = axes.plot([ms[0]], [y], marker=style.marker(n), markersize=3.5, color=colour)
    hover(dot, f"{name}: median {style.number(ms[0])} ms")


def _draw_p99(axes: Axes, p99: Estimate, y: float, n: int, name: str) -> None:
    colour, said = style.colour(n), style.number(p99.estimate)
    if p99.low is not None and p99.high is not None:
        axes.plot([p99.low, p99.high], [y, y], color=colour, linewidth=5, alpha=0.35)
    [dot] = axes.plot([p99.estimate], [y], marker=style.marker(n), markersize=7, color=colour)
    hover(dot, f"{name}: p99 {said} ms")
    axes.annotate(
        said,
        (max(p99.high or 0.0, p99.estimate), y),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        color=style.INK,
    )


def _handle(n: int, target: str) -> Line2D:
    colour, marker = style.colour(n), style.marker(n)
    return Line2D([], [], color=colour, marker=marker, linewidth=0.9, label=target)
