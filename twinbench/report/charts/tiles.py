"""Heat map: a tile for each scenario and load, in the colour of the faster target."""

import textwrap

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from twinbench.report.charts.frame import (
    GREY,
    INCH,
    INK,
    LETTER_WIDTH,
    LETTERS,
    PAGE,
    PALE,
    SMALL,
    colour,
    hover_each,
    legend,
    place_labels,
    set_title,
)
from twinbench.report.elements import HeatMap, Tile

TILE_WIDTH, TILE_HEIGHT, GAP = 42.0, 24.0, 2.0
GROUP = 0.75  # height of a group's heading, in tiles
TOP, BOTTOM, RIGHT = 24.0, 64.0, 6.0
LEAST_WIDTH = 390.0  # for the title and the legend
LABEL = 32  # letters in a line; longer titles take two
# By strength. Letters on the first three are INK, on the last PAGE: a contrast of 4.5.
OPACITY = (1.0, 0.22, 0.5, 1.0)


def heat_map_figure(chart: HeatMap) -> Figure:
    labels: list[tuple[float, str]] = []
    headings: list[tuple[float, str]] = []
    tiles: list[tuple[int, float, Tile]] = []
    y = 0.0
    for group, rows in chart.table.groups:
        if group:
            headings.append((y - 0.5 + GROUP / 2, group))
            y += GROUP
        for row in rows:
            labels.append((y, "\n".join(textwrap.wrap(row.label, LABEL)[:2])))
            tiles += [(x, y, tile) for x, tile in enumerate(row.tiles) if tile]
            y += 1
    figure, axes = _framed(chart, labels, y)
    for place, group in headings:
        axes.text(-0.5, place, group, ha="left", va="center", fontsize=SMALL, color=GREY)
    _draw_tiles(axes, [one for one in tiles if one[2].known], None)
    _draw_tiles(axes, [one for one in tiles if not one[2].known], "////")
    for x, y, tile in tiles:
        ink = PAGE if OPACITY[tile.strength] == 1 and tile.target is not None else INK
        axes.text(x, y, tile.text, ha="center", va="center", color=ink, linespacing=0.95)
    _add_legend(figure, chart, [tile for *_, tile in tiles])
    return figure


def _framed(chart: HeatMap, labels: list[tuple[float, str]], rows: float) -> tuple[Figure, Axes]:
    longest = max(len(line) for _, label in labels for line in label.split("\n"))
    left, columns = LETTER_WIDTH * LETTERS * longest + 8, len(chart.table.loads)
    plot = TILE_WIDTH * columns, TILE_HEIGHT * rows
    width, height = max(left + plot[0] + RIGHT, LEAST_WIDTH), TOP + plot[1] + BOTTOM
    figure = Figure(figsize=(width / INCH, height / INCH))
    axes = figure.add_axes((left / width, BOTTOM / height, plot[0] / width, plot[1] / height))
    place_labels(axes, left, plot[1])
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    closed = chart.table.kind == "closed"  # open loads differ between rows
    axes.set_xticks(range(columns), [load if closed else "" for load in chart.table.loads])
    axes.set_yticks([place for place, _ in labels], [label for _, label in labels])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)
    axes.set_xlabel(chart.x_label)
    set_title(figure, chart.title)
    return figure, axes


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


def _add_legend(figure: Figure, chart: HeatMap, tiles: list[Tile]) -> None:
    entries = [
        (Patch(color=colour(target.target)), f"{target.text} is faster") for target in chart.targets
    ]
    entries.append((Patch(color=PALE), "~ no difference shown"))
    if any(tile.text.startswith("only") for tile in tiles):
        entries.append((Patch(alpha=0), "only: the other collapsed"))
    if not all(tile.known for tile in tiles):
        entries.append((Patch(facecolor=PALE, edgecolor=PAGE, hatch="////"), "? not comparable"))
    legend(figure, entries)
