"""The frame that charts share: users or rates along, a logarithmic measure up, a legend below.

Every plot has the same size and stands at the same place in its picture: pictures side by side can
be compared, and nothing needs to be laid out, which would take longer than drawing it.
"""

import math
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.charts.frame import (
    BOTTOM,
    INCH,
    LETTER_WIDTH,
    LETTERS,
    RIGHT,
    ROW,
    TITLE,
    WIDTH,
    explain,
    place_labels,
)
from twinbench.report.hover import hover_each
from twinbench.report.kinds import AXIS

PLOT, LEFT, TOP = 180.0, 44.0, 24.0  # in points
# How matplotlib draws here: text stays text (smaller files, the reader's own font); equal data give
# equal bytes; what is not coloured otherwise is INK.
RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "twinbench",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": LETTERS,
    "axes.titley": 1.0,  # where it stands anyway; to find that out takes long
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), style.INK
    ),
}
# A line that nobody sees, and a pointer finds.
UNSEEN = (style.INK, 0.001)


def titled(title: str) -> tuple[Figure, Axes]:
    """A picture with its title, and axes without anything on them."""
    figure = Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    _resize(figure, axes, 0)
    fitting = (WIDTH - LEFT) / (LETTER_WIDTH * max(len(title), 1))
    axes.set_title(title, loc="left", fontsize=min(TITLE, fitting))
    axes.grid(axis="y", color=style.GREY, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.patch.set_visible(False)
    return figure, axes


def load_axis(axes: Axes, kind: LoadKind, loads: Sequence[int]) -> None:
    """Every load a tick; users and rates double from one to the next, roughly."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(loads), [str(load) for load in loads])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(loads) / 1.3, max(loads) * 1.3)
    axes.set_xlabel(AXIS[kind])


def linear_axis(axes: Axes, highest: float) -> None:
    """From nothing to a little above `highest`."""
    axes.set_ylim(0, 1.12 * highest)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def log_axis(axes: Axes, drawn: Sequence[float]) -> None:
    """Logarithmic, around the values `drawn` rather than around their widest interval, and
    labelled 1, 2, 5, 10 rather than in powers of ten; more finely where the range is narrow."""
    low, high = min(drawn) / 1.25, max(drawn) * 1.25
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in _steps(high / low)]
    inside = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(inside, [f"{tick:,.10g}" for tick in inside])
    axes.yaxis.set_minor_locator(NullLocator())


def _steps(span: float) -> tuple[float, ...]:
    """At most a dozen ticks, and three at least."""
    if span > 10_000:
        return (1,)
    return (1, 2, 5) if span > 10 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


def legend(figure: Figure, axes: Axes, columns: Sequence[Sequence[tuple[Artist, str]]]) -> None:
    """Below the plot, where no data are: what each of `columns` says in a column of its own, or
    under another one where there are more than two. The picture grows by that much."""
    longest = max(map(len, columns))
    blank = (Line2D([], [], linestyle="none"), "")
    entries = [entry for column in columns for entry in _padded(column, longest, blank)]
    side_by_side = min(2, len(columns))
    entries += [blank] * (longest * (-len(columns) % side_by_side))
    _resize(figure, axes, len(entries) // side_by_side)
    artists, names = [artist for artist, _ in entries], [text for _, text in entries]
    explain(figure, artists, side_by_side, names)


def tell_at_loads(axes: Axes, loads: Sequence[int], texts: Sequence[str]) -> None:
    """Wherever at a load a pointer rests, it is told the text; marks above have their own."""
    up = axes.get_xaxis_transform()
    lines = axes.vlines(loads, 0, 1, transform=up, colors=[UNSEEN], linewidth=24, zorder=0.5)
    hover_each(lines, texts)


def _padded(
    column: Sequence[tuple[Artist, str]], length: int, blank: tuple[Artist, str]
) -> list[tuple[Artist, str]]:
    return [*column, *[blank] * (length - len(column))]


def _resize(figure: Figure, axes: Axes, rows: int) -> None:
    """So much room below the plot that a legend of so many rows fits."""
    below = BOTTOM + rows * ROW
    height = TOP + PLOT + below
    figure.set_size_inches(WIDTH / INCH, height / INCH)
    place_labels(axes, LEFT, PLOT)
    axes.set_position((LEFT / WIDTH, below / height, (WIDTH - LEFT - RIGHT) / WIDTH, PLOT / height))
