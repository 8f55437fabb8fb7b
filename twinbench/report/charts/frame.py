"""Parts of all figures: colours, sizes, axes at fixed places, a legend, texts on hover.

Every plot has the same size and place in its figure, so that figures side by side can be compared.
It also saves matplotlib's layout, which takes longer than drawing. Lengths are in points; a page
shows a point as a pixel, or a little larger.
"""

import json
import math
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from twinbench.report.elements import TargetIndex

INCH = 72.0
# So narrow that the letters can be read on a phone.
WIDTH, PLOT = 350.0, 180.0
LEFT, RIGHT, TOP, BOTTOM, ROW = 44.0, 8.0, 24.0, 34.0, 13.0
LETTERS, TITLE, SMALL = 9.0, 10.5, 8.5
LABEL_BELOW = 18.0  # ticks and their letters
# Width of an average letter by its height, in matplotlib's own font; others are narrower.
LETTER_WIDTH = 0.6

# The first four are distinct for colour-blind readers and in grey: they differ in lightness, as
# markers do in shape.
COLOURS = (
    *("#b84f08", "#1565c0", "#2e7d32", "#8e24aa"),
    *("#c2185b", "#00767a", "#7a6a00", "#4e342e"),
)
MARKERS = ("s", "o", "^", "D", "v", "P", "*", "p")
GREY, PALE, INK, PAGE = "#6b7078", "#e4e6e9", "#30343a", "#ffffff"
# The CSS variable of each colour, in the light and in the dark. Letters in any of them can be read
# on the page: a contrast of 4.5 (WCAG AA). PALE is a ground for INK, not a colour for letters.
PALETTE = {
    "baseline": (COLOURS[0], "#f2955a"),
    "candidate": (COLOURS[1], "#7db4f5"),
    "third": (COLOURS[2], "#7cc47f"),
    "fourth": (COLOURS[3], "#d493e0"),
    "fifth": (COLOURS[4], "#f28ab2"),
    "sixth": (COLOURS[5], "#5fc9c4"),
    "seventh": (COLOURS[6], "#d2c25a"),
    "eighth": (COLOURS[7], "#c4a89e"),
    "quiet": (GREY, "#a2a8b1"),
    "ink": (INK, "#e6e8eb"),
    "pale": (PALE, "#343941"),
    "page": (PAGE, "#16181c"),
}
# How matplotlib draws here: text stays text (smaller files, the reader's own font), and what has no
# other colour is INK.
RC = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar is a dollar
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": LETTERS,
    "axes.titley": 1.0,  # where it is anyway; finding that out takes long
    # Set here, not for each plot, which would take a tenth of the time of all charts.
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
}
# A mark's text travels as the id of its artist; svg.py makes a title of it.
ONE, EACH = "hover:", "hover-each:"


def colour(target: TargetIndex) -> str:
    return GREY if target is None else COLOURS[target % len(COLOURS)]


def marker(target: int) -> str:
    return MARKERS[target % len(MARKERS)]


def hover(artist: Artist, text: str) -> None:
    """Show `text` on all of `artist`."""
    artist.set_gid(ONE + _printable(text))


def hover_each(artist: Artist, texts: Sequence[str]) -> None:
    """Show each of `texts` on one mark of `artist`, in order."""
    artist.set_gid(EACH + json.dumps([_printable(text) for text in texts], ensure_ascii=False))


def _printable(text: str) -> str:
    """Return `text` without the characters that XML cannot hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def framed(title: str, heights: Sequence[float], rows: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with plots one below the other, above a legend of `rows` rows.

    The plots have these heights, in points, and a common x axis.
    """
    below = BOTTOM + rows * ROW
    height = sum(heights) + TOP * len(heights) + below
    figure = Figure(figsize=(WIDTH / INCH, height / INCH))
    set_title(figure, title)
    plots: list[Axes] = []
    y = height
    for n, plot_height in enumerate(heights, start=1):
        y -= TOP + plot_height
        place = (LEFT / WIDTH, y / height, (WIDTH - LEFT - RIGHT) / WIDTH, plot_height / height)
        axes = figure.add_axes(place, sharex=plots[0] if plots else None)
        place_labels(axes, LEFT, plot_height)
        axes.patch.set_visible(False)
        if n < len(heights):
            axes.tick_params(axis="x", bottom=False, labelbottom=False)
        plots.append(axes)
    return figure, plots


def set_title(figure: Figure, title: str) -> None:
    """Set the title at the top left, in smaller letters if it is long."""
    width, height = figure.get_size_inches() * INCH
    size = min(TITLE, (width - 8) / (LETTER_WIDTH * max(len(title), 1)))
    figure.text(4 / width, 1 - 4 / height, title, va="top", fontsize=size)


def place_labels(axes: Axes, left: float, plot_height: float) -> None:
    """Place axis labels at fixed distances, which saves matplotlib a search for room."""
    axes.xaxis.set_label_coords(0.5, -LABEL_BELOW / plot_height)
    axes.yaxis.set_label_coords(-(left - LETTERS) / (WIDTH - left - RIGHT), 0.5)


def x_axis(axes: Axes, ticks: Sequence[tuple[float, str]], label: str) -> None:
    places = [place for place, _ in ticks]
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [text for _, text in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(places) / 1.3, max(places) * 1.3)
    axes.set_xlabel(label)


def linear_axis(axes: Axes, highest: float) -> None:
    """Set a y axis from 0 to a little above `highest`."""
    axes.set_ylim(0, 1.12 * highest)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def log_axis(axes: Axes, values: Sequence[float]) -> None:
    """Set a logarithmic y axis around `values`."""
    low, high = min(values) / 1.25, max(values) * 1.25
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    inside = log_ticks(low, high)
    axes.set_yticks(inside, [f"{tick:,.10g}" for tick in inside])
    axes.yaxis.set_minor_locator(NullLocator())


def log_ticks(low: float, high: float) -> list[float]:
    """Return ticks of a logarithmic axis: 1, 2, 5, 10; closer if the range is narrow."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in _steps(high / low)]
    return [tick for tick in ticks if low <= tick <= high]


def _steps(span: float) -> tuple[float, ...]:
    """Return the ticks of a decade: three at least in all, and few more, as each takes 1 ms."""
    if span > 300:
        return (1,)
    if span > 10:
        return (1, 2, 5)
    return (1, 1.5, 2, 3, 5, 7) if span > 3 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


def legend(figure: Figure, entries: Sequence[tuple[Artist, str]], columns: int = 2) -> None:
    figure.legend(
        [artist for artist, _ in entries],
        [text for _, text in entries],
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
