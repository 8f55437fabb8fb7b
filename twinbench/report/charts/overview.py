"""All scenarios in one picture: who is ahead at each load, and where nothing can be said."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from twinbench.analyse.results import Comparison, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.charts.comparisons import NAME_LETTERS, alone, describe
from twinbench.report.charts.frame import INCH, LETTER_WIDTH, LETTERS, SMALL, TITLE, place_labels
from twinbench.report.hover import hover_each
from twinbench.report.kinds import AXIS
from twinbench.report.overview import ahead_of, overview_title
from twinbench.report.tables import overview_loads

# In points.
TILE_WIDTH, TILE_HEIGHT, GAP = NAME_LETTERS * LETTER_WIDTH * LETTERS + 6, 24.0, 2.0
TOP, BOTTOM, RIGHT = 24.0, 64.0, 6.0
LEAST_WIDTH = 390.0  # for the title and the legend
NOT_COMPARED = "not compared: one valid block, or none"
Tile = tuple[int, int, Comparison]  # column, row


def overview_figure(results: Results, kind: LoadKind) -> Figure:
    """A row for each scenario (and candidate), a tile for each load: coloured for who is ahead,
    grey where no difference was shown, hatched where nothing can be said. Users stand in columns;
    rates, of which each scenario has its own, in the tiles."""
    names = [name for name, _ in results.pairs(kind)]
    headings, tiles = _arranged(results, kind)
    figure, axes = _framed(names, headings)
    _entitle(figure, overview_title(results, kind))
    axes.set_xlabel(AXIS[kind] + (", in the tiles" if kind == "open" else ""))
    _draw_tiles(axes, [tile for tile in tiles if _known(tile[2])], names)
    _draw_tiles(axes, [tile for tile in tiles if not _known(tile[2])], names, "////")
    for x, y, comparison in tiles:
        ink = style.PAGE if ahead_of(comparison) else style.INK
        axes.text(x, y, _shown(comparison), ha="center", va="center", color=ink, linespacing=0.95)
    _explain(figure, [comparison for *_, comparison in tiles])
    return figure


def _arranged(results: Results, kind: LoadKind) -> tuple[list[str], list[Tile]]:
    """Headings of the columns, and what stands in them."""
    rows = [found for _, found in results.pairs(kind)]
    if kind == "open":
        tiles = [(x, y, found) for y, row in enumerate(rows) for x, found in enumerate(row)]
        return [""] * max(map(len, rows)), tiles
    loads = overview_loads(results, kind)
    tiles = [
        (loads.index(found.load.value), y, found) for y, row in enumerate(rows) for found in row
    ]
    return [str(load) for load in loads], tiles


def _framed(names: Sequence[str], headings: Sequence[str]) -> tuple[Figure, Axes]:
    left = LETTER_WIDTH * LETTERS * max(map(len, names)) + 8
    plot = TILE_WIDTH * len(headings), TILE_HEIGHT * len(names)
    width, height = max(left + plot[0] + RIGHT, LEAST_WIDTH), TOP + plot[1] + BOTTOM
    figure = Figure(figsize=(width / INCH, height / INCH))
    axes = figure.add_axes((left / width, BOTTOM / height, plot[0] / width, plot[1] / height))
    place_labels(axes, left, plot[1])
    axes.set_xlim(-0.5, len(headings) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xticks(range(len(headings)), headings)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)
    return figure, axes


def _entitle(figure: Figure, title: str) -> None:
    width, height = figure.get_size_inches() * INCH
    size = min(TITLE, (width - 8) / (LETTER_WIDTH * len(title)))
    figure.text(4 / width, 1 - 4 / height, title, va="top", fontsize=size)


def _draw_tiles(
    axes: Axes, tiles: Sequence[Tile], names: Sequence[str], hatch: str | None = None
) -> None:
    if not tiles:
        return
    right, up = (0.5 - GAP / 2 / TILE_WIDTH), (0.5 - GAP / 2 / TILE_HEIGHT)
    corners = ((-right, -up), (right, -up), (right, up), (-right, up))
    polygons = PolyCollection(
        [[(x + dx, y + dy) for dx, dy in corners] for x, y, _ in tiles],
        facecolors=[_colour(comparison) for *_, comparison in tiles],
        edgecolors=style.PAGE,
        linewidths=0,
        hatch=hatch,
    )
    hover_each(polygons, [f"{names[y]}, {describe(comparison)}" for _, y, comparison in tiles])
    axes.add_collection(polygons, autolim=False)


def _explain(figure: Figure, found: Sequence[Comparison]) -> None:
    """The colours, by name. A target measured once more has no name here: it cannot be ahead."""
    versus = [comparison for comparison in found if not comparison.same] or found
    candidates, baselines = (
        ", ".join(dict.fromkeys(names))
        for names in ([c.candidate for c in versus], [c.baseline for c in versus])
    )
    handles = [
        Patch(color=style.CANDIDATE, label=f"ahead: {candidates}"),
        Patch(color=style.BASELINE, label=f"ahead: {baselines}"),
        Patch(color=style.PALE, label="no difference shown"),
    ]
    if not all(map(_known, found)):
        hatched = Patch(facecolor=style.PALE, edgecolor=style.PAGE, hatch="////")
        hatched.set_label(NOT_COMPARED)
        handles.append(hatched)
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 0),
        ncols=2,
        fontsize=SMALL,
        frameon=False,
        handlelength=1.2,
        borderaxespad=0.2,
    )


def _known(comparison: Comparison) -> bool:
    return bool(ahead_of(comparison)) or comparison.decision == "no difference shown"


def _colour(comparison: Comparison) -> str:
    ahead = ahead_of(comparison)
    return style.of_target(ahead, comparison) if ahead else style.PALE


def _shown(comparison: Comparison) -> str:
    survivor, load = comparison.survivor, comparison.load
    if load.kind == "closed":
        return alone(survivor) if survivor else style.times(comparison.ratio)
    return f"{'only' if survivor else style.times(comparison.ratio)}\n{load.value}/s"
