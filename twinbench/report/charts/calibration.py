"""What calibration read off servers with known answers: whatever an item has to show."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from twinbench.findings import Picture, Series
from twinbench.report import style
from twinbench.report.charts.axes import legend, titled
from twinbench.report.hover import hover_each

# More points than this lie on each other: who rests on one of them learns nothing.
TOLD_AT_MOST = 100


def picture_figure(picture: Picture) -> Figure:
    """Points with a marker, lines thin, steps as stairs; theory and reading by name."""
    figure, axes = titled(f"{picture.title}: {picture.y_label}")
    drawn = [_draw(axes, series, n) for n, series in enumerate(picture.series)]
    axes.set_xlabel(picture.x_label)
    if picture.log_x:
        axes.set_xscale("log")
    if picture.log_y:
        axes.set_yscale("log")
    if drawn:
        half = (len(drawn) + 1) // 2
        named = [(line, series.name) for line, series in zip(drawn, picture.series, strict=True)]
        legend(figure, axes, [named[:half], named[half:]])
    return figure


def _draw(axes: Axes, series: Series, n: int) -> Line2D:
    points = series.kind == "points"
    [line] = axes.plot(
        series.x,
        series.y,
        color=style.colour(n),
        marker=style.marker(n) if points else "none",
        markersize=4,
        linestyle="none" if points else "-",
        linewidth=1.4,
        drawstyle="steps-post" if series.kind == "steps" else "default",
        zorder=3 if points else 2,
    )
    if points and len(series.x) <= TOLD_AT_MOST:
        told = zip(series.x, series.y, strict=True)
        hover_each(line, [f"{style.figure(x)}: {style.figure(y)}" for x, y in told])
    return line
