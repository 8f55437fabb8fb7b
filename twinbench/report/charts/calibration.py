"""What calibration read off servers with known answers: whatever an item has to show."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twinbench.findings import Picture, Series
from twinbench.report import style
from twinbench.report.charts.axes import titled


def picture_figure(picture: Picture) -> Figure:
    """Points with a marker, lines thin, steps as stairs; theory and reading by name."""
    figure, axes = titled(picture.title)
    for n, series in enumerate(picture.series):
        _draw(axes, series, n)
    axes.set_xlabel(picture.x_label)
    axes.set_ylabel(picture.y_label)
    if picture.log_x:
        axes.set_xscale("log")
    if picture.log_y:
        axes.set_yscale("log")
    if picture.series:
        axes.legend(loc="best", frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, series: Series, n: int) -> None:
    points = series.kind == "points"
    axes.plot(
        series.x,
        series.y,
        label=series.name,
        color=style.colour(n),
        marker=style.marker(n) if points else "none",
        markersize=4,
        linestyle="none" if points else "-",
        linewidth=1.4,
        drawstyle="steps-post" if series.kind == "steps" else "default",
        zorder=3 if points else 2,
    )
