"""Tiles: the faster target in each scenario and at each load; settings of a sweep at a load."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from twinbench.report.charts.frame import (
    GREY,
    INCH,
    INK,
    LETTER_WIDTH,
    LETTERS,
    PAGE,
    PALE,
    ROW,
    SMALL,
    WIDTH,
    colour,
    hover_each,
    legend,
    place_labels,
    set_title,
)
from twinbench.report.elements import HeatMap, SweepMap, Tile, TileRow, VerdictRow

TILE_WIDTH, TILE_HEIGHT, GAP = 42.0, 24.0, 2.0
SWEEP_TILE_WIDTH = 56.0  # for "collapsed"
GROUP = 0.75  # height of a group's heading, in tiles
TOP, BELOW, RIGHT = 24.0, 38.0, 6.0
LEAST_WIDTH = 390.0  # for the title and the legend
LABEL = 32  # letters in a line; longer titles take two
# By strength. Letters on the first three are INK, on the last PAGE: a contrast of 4.5.
OPACITY = (1.0, 0.22, 0.5, 1.0)
SHADE = 1  # the target in whose colour a sweep is
OUTLINE = 2.0

Entries = list[tuple[Artist, str]]


@dataclass(slots=True)
class _Layout:
    """Where everything is: x in columns, y in rows from the top."""

    labels: list[tuple[float, str]] = field(default_factory=list)
    headings: list[tuple[float, str]] = field(default_factory=list)
    tiles: list[tuple[int, float, Tile]] = field(default_factory=list)
    height: float = 0.0


def heat_map_figure(chart: HeatMap) -> Figure:
    layout, entries = _layout(chart.table.groups), _entries(chart)
    closed = chart.table.kind == "closed"  # open loads differ between rows
    columns = [load if closed else "" for load in chart.table.loads]
    figure, axes = _framed(layout, columns, LEAST_WIDTH, TILE_WIDTH, len(entries))
    axes.set_xlabel(chart.x_label)
    set_title(figure, chart.title)
    _draw(axes, layout)
    legend(figure, entries)
    return figure


def sweep_figure(chart: SweepMap) -> Figure:
    layout, entries = _layout(chart.groups), _sweep_entries(chart)
    # As wide as the other charts of a scenario.
    room = (WIDTH - _left(layout) - RIGHT) / len(chart.columns)
    tile_width = max(room, SWEEP_TILE_WIDTH)
    figure, axes = _framed(layout, chart.columns, WIDTH, tile_width, len(entries))
    axes.set_xlabel(chart.x_label)
    set_title(figure, chart.title)
    _draw(axes, layout)
    outlined = {(x, y) for x, y, tile in layout.tiles if tile.outlined}
    lines = LineCollection(list(_outline(outlined)), colors=INK, linewidths=OUTLINE)
    axes.add_collection(lines, autolim=False)
    legend(figure, entries)
    return figure


def _layout(groups: Iterable[tuple[str, Sequence[VerdictRow | TileRow]]]) -> _Layout:
    found = _Layout()
    for group, rows in groups:
        if group:
            found.headings.append((found.height - 0.5 + GROUP / 2, group))
            found.height += GROUP
        for row in rows:
            y = found.height
            found.labels.append((y, "\n".join(textwrap.wrap(row.label, LABEL)[:2])))
            found.tiles += [(x, y, tile) for x, tile in enumerate(row.tiles) if tile]
            found.height += 1
    return found


def _left(layout: _Layout) -> float:
    """Return the width of the longest label, in points."""
    longest = max(len(line) for _, label in layout.labels for line in [*label.split("\n"), ""])
    return LETTER_WIDTH * LETTERS * longest + 8


def _framed(
    layout: _Layout, columns: Sequence[str], least: float, tile_width: float, entries: int
) -> tuple[Figure, Axes]:
    """Return a figure of at least this width, with room for the entries of a legend."""
    left, bottom = _left(layout), BELOW + ROW * -(-entries // 2)
    plot = tile_width * len(columns), TILE_HEIGHT * layout.height
    width, height = max(left + plot[0] + RIGHT, least), TOP + plot[1] + bottom
    figure = Figure(figsize=(width / INCH, height / INCH))
    axes = figure.add_axes((left / width, bottom / height, plot[0] / width, plot[1] / height))
    place_labels(axes, left, plot[1])
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(layout.height - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks([place for place, _ in layout.labels], [label for _, label in layout.labels])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)
    return figure, axes


def _draw(axes: Axes, layout: _Layout) -> None:
    """Draw headings, tiles and their texts; tiles that are not known are hatched."""
    for place, group in layout.headings:
        axes.text(-0.5, place, group, ha="left", va="center", fontsize=SMALL, color=GREY)
    _draw_tiles(axes, [one for one in layout.tiles if one[2].known], None)
    _draw_tiles(axes, [one for one in layout.tiles if not one[2].known], "////")
    for x, y, tile in layout.tiles:
        ink = PAGE if OPACITY[tile.strength] == 1 and tile.target is not None else INK
        axes.text(x, y, tile.text, ha="center", va="center", color=ink, linespacing=0.95)


def _draw_tiles(axes: Axes, tiles: list[tuple[int, float, Tile]], hatch: str | None) -> None:
    if not tiles:
        return
    right, up = 0.5 - GAP / 2 / TILE_WIDTH, 0.5 - GAP / 2 / TILE_HEIGHT
    corners = ((-right, -up), (right, -up), (right, up), (-right, up))
    polygons = PolyCollection(
        [[(x + dx, y + dy) for dx, dy in corners] for x, y, _ in tiles],
        facecolors=[
            PALE if tile.target is None else (colour(tile.target), OPACITY[tile.strength])
            for *_, tile in tiles
        ],
        edgecolors=PAGE,
        linewidths=0,
        hatch=hatch,
    )
    hover_each(polygons, [tile.hover for *_, tile in tiles])
    axes.add_collection(polygons, autolim=False)


def _outline(
    tiles: set[tuple[int, float]],
) -> Iterable[tuple[tuple[float, float], tuple[float, float]]]:
    """Yield the sides of tiles on whose other side there is none of them."""
    for x, y in tiles:
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            if (x + dx, y + dy) not in tiles:
                at, along = (x + dx / 2, y + dy / 2), (dy / 2, dx / 2)
                yield (at[0] - along[0], at[1] - along[1]), (at[0] + along[0], at[1] + along[1])


def _entries(chart: HeatMap) -> Entries:
    tiles = [tile for row in chart.table.rows for tile in row.tiles if tile]
    entries: Entries = [
        (Patch(color=colour(target.target)), f"{target.text} is faster") for target in chart.targets
    ]
    entries.append((Patch(color=PALE), "~ no difference shown"))
    if any(tile.text.startswith("only") for tile in tiles):
        entries.append((Patch(alpha=0), "only: the other collapsed"))
    if not all(tile.known for tile in tiles):
        entries.append((_hatched(), "? not comparable"))
    return entries


def _sweep_entries(chart: SweepMap) -> Entries:
    entries: Entries = [
        (Patch(color=(colour(SHADE), OPACITY[strength]) if strength else PALE), text)
        for strength, text in reversed(chart.shades)
    ]
    entries.append((Patch(color=PALE), chart.below))
    rows = [row for _, rows in chart.groups for row in rows]
    if not all(tile.known for row in rows for tile in row.tiles):
        entries.append((_hatched(), "collapsed in some blocks, or invalid"))
    if chart.outline:
        entries.append((Line2D([], [], color=INK, linewidth=OUTLINE), chart.outline))
    return entries


def _hatched() -> Patch:
    return Patch(facecolor=PALE, edgecolor=PAGE, hatch="////")
