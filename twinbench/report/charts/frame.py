"""Pictures of one plot or several, one below the other, each at a fixed place: nothing needs to be
laid out, which takes longer than to draw it."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twinbench.report import style

INCH = 72.0  # in points, as all below. A page shows a point as a pixel, or a little larger
# So narrow that the letters can be read on a phone.
WIDTH = 350.0
RIGHT, BOTTOM, ROW = 8.0, 34.0, 13.0
LETTERS, TITLE, SMALL = 9.0, 10.5, 8.5
LABEL_BELOW = 18.0  # ticks and their letters
# Width of an average letter by its height, as matplotlib's own font has it; others are narrower.
LETTER_WIDTH = 0.6


def framed(
    title: str, heights: Sequence[float], *, left: float, top: float = 24.0, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """A picture with a plot of each of `heights`, and a common x axis under the lowest. `top`: from
    the top of the picture to a plot, and between two; `rows`: of an explanation at the bottom."""
    below = BOTTOM + rows * ROW
    height = sum(heights) + top * len(heights) + below
    figure = Figure(figsize=(WIDTH / INCH, height / INCH))
    figure.text(4 / WIDTH, 1 - 4 / height, title, va="top", fontsize=TITLE)
    plots: list[Axes] = []
    y = height
    for plot_height in heights:
        y -= top + plot_height
        place = (left / WIDTH, y / height, (WIDTH - left - RIGHT) / WIDTH, plot_height / height)
        plots.append(figure.add_axes(place, sharex=plots[0] if plots else None))
        place_labels(plots[-1], left, plot_height)
        plots[-1].patch.set_visible(False)
        plots[-1].spines[["top", "right"]].set_visible(False)
        lowest = len(plots) == len(heights)
        plots[-1].tick_params(axis="x", bottom=lowest, labelbottom=lowest)
    return figure, plots


def place_labels(axes: Axes, left: float, plot_height: float) -> None:
    """Labels of the axes where there is room for them; left alone, matplotlib looks for that."""
    axes.xaxis.set_label_coords(0.5, -LABEL_BELOW / plot_height)
    axes.yaxis.set_label_coords(-(left - LETTERS) / (WIDTH - left - RIGHT), 0.5)


def grid_lines(axes: Axes, along: str) -> None:
    """Faint lines at the ticks of the axis `along`, x or y."""
    axes.grid(axis=along, color=style.GREY, alpha=0.25, linewidth=0.6)  # type: ignore[arg-type]


def explain(
    figure: Figure,
    handles: Sequence[Artist],
    columns: int,
    names: Sequence[str] | None = None,
) -> None:
    """What is drawn, at the bottom: by `names`, or by the labels of the handles."""
    figure.legend(
        list(handles),
        list(names or [str(handle.get_label()) for handle in handles]),
        loc="lower left",
        bbox_to_anchor=(0, 0),
        ncols=columns,
        fontsize=SMALL,
        frameon=False,
        handlelength=1.8,
        handletextpad=0.5,
        columnspacing=1.0,
        labelspacing=0.35,
        borderaxespad=0.2,
    )
