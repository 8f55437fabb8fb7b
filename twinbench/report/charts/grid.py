"""The map of IO and CPU: a tile for each share of computing and number of users, and the line
along which both are equal."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from twinbench.analyse.results import Comparison, Results
from twinbench.report import style
from twinbench.report.charts.frame import explain, framed
from twinbench.report.grid import Row, ahead_of, both_ahead, grid, grid_loads, said
from twinbench.report.hover import hover
from twinbench.report.kinds import AXIS

# Opacity of the leader's colour: from little, at 1, to the fullest under which letters of one
# ink can be read, at a factor of four and more.
PALEST, FULLEST, FULL_AT = 0.15, 0.6, 4.0
# Of somebody who goes on alone only the sign is known. Taken as twice as fast, which is in the
# middle of the colours, the line runs between its tile and that of the other.
ALONE = 2.0
SOLID, DOTTED = 2.2, 1.4  # points: what is decided, and what is not
LEFT, ROW = 58.0, 32.0  # points
HEIGHT, WIDTH = 0.9, 0.94  # of a tile's place


def map_figure(results: Results) -> Figure:
    """Throughput, candidate / baseline, of the rows of `grid`, which must not be empty."""
    rows = grid(results)
    loads = grid_loads(rows)
    compared = [comparison for row in rows for comparison in row.compared]
    title = f"Throughput, {compared[0].candidate} / {compared[0].baseline}"
    figure, [axes] = framed(title, [ROW * len(rows)], left=LEFT, rows=2)
    for y, row in enumerate(rows):
        for comparison in row.compared:
            _draw_tile(axes, loads.index(comparison.load.value), y, comparison, row)
    line = both_ahead(rows)
    if line:
        _draw_line(axes, rows, loads, decided=False)
        _draw_line(axes, rows, loads, decided=True)
    _label(axes, rows, loads)
    explain(figure, _handles(compared, line=line), columns=3)
    return figure


def _label(axes: Axes, rows: Sequence[Row], loads: Sequence[int]) -> None:
    axes.set_xlim(-0.5, len(loads) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(loads)), [str(load) for load in loads])
    axes.set_yticks(range(len(rows)), [row.percent for row in rows])
    axes.tick_params(length=0)
    axes.set_xlabel(AXIS["closed"])
    axes.set_ylabel("requests that compute")
    axes.spines[:].set_visible(False)


def _draw_tile(axes: Axes, x: int, y: int, comparison: Comparison, row: Row) -> None:
    known = bool(comparison.survivor or comparison.ratio)
    corner = x - WIDTH / 2, y - HEIGHT / 2
    tile = Rectangle(corner, WIDTH, HEIGHT, linewidth=0, **_fill(comparison))
    axes.add_patch(tile)
    text = said(comparison)
    hover(tile, f"{row.percent} compute, {comparison.load.label}: {text}")
    shown = text.replace(" ", "\n") if known else "–"
    ink = style.INK if known else style.GREY
    axes.text(x, y, shown, ha="center", va="center", color=ink, linespacing=0.95)


def _fill(comparison: Comparison) -> dict[str, Any]:
    """The leader's colour, the fuller the further ahead; pale where nobody is shown to lead."""
    if not comparison.survivor and comparison.ratio and not ahead_of(comparison):
        return {"facecolor": style.PALE}
    if comparison.survivor:
        return {"facecolor": to_rgba(style.of_target(comparison.survivor, comparison), FULLEST)}
    if comparison.ratio is None:
        return {"facecolor": "none", "edgecolor": style.GREY, "hatch": "////"}
    ratio = comparison.ratio.estimate
    leader = comparison.candidate if ratio > 1 else comparison.baseline
    reach = min(abs(math.log(ratio)) / math.log(FULL_AT), 1.0)
    opacity = PALEST + (FULLEST - PALEST) * reach
    return {"facecolor": to_rgba(style.of_target(leader, comparison), opacity)}


def _draw_line(axes: Axes, rows: Sequence[Row], loads: Sequence[int], *, decided: bool) -> None:
    """The contour of equality through all ratios, dotted, or through the decided ones, solid."""
    logs = _logs(rows, loads, decided=decided)
    # Out to the edges of the outermost tiles, as in their middles.
    padded = np.ma.masked_invalid(np.pad(logs, 1, mode="edge"))
    along, down = ([-0.5, *range(n), n - 0.5] for n in (len(loads), len(rows)))
    axes.contour(
        *(along, down, padded),
        levels=[0],
        colors=[style.INK],
        linestyles="solid" if decided else "dotted",
        linewidths=SOLID if decided else DOTTED,
    )


def _logs(rows: Sequence[Row], loads: Sequence[int], *, decided: bool) -> np.ndarray:
    """The logarithm of each ratio, nan where there is none."""
    logs = np.full((len(rows), len(loads)), np.nan)
    for y, row in enumerate(rows):
        for comparison in row.compared:
            ratio = _ratio(comparison)
            if ratio and (ahead_of(comparison) or not decided):
                logs[y, loads.index(comparison.load.value)] = math.log(ratio)
    return logs


def _ratio(comparison: Comparison) -> float | None:
    if comparison.survivor:
        return ALONE if comparison.survivor == comparison.candidate else 1 / ALONE
    return comparison.ratio.estimate if comparison.ratio else None


def _handles(compared: Sequence[Comparison], *, line: bool) -> list[Artist]:
    """Of what is drawn, and of nothing else."""
    first = compared[0]
    handles: list[Artist] = [
        Patch(facecolor=to_rgba(style.of_target(name, first), FULLEST), label=f"{name} is ahead")
        for name in (first.baseline, first.candidate)
    ]
    if any(not c.ratio and not c.survivor for c in compared):
        handles.append(
            Patch(
                facecolor="none",
                edgecolor=style.GREY,
                hatch="////",
                linewidth=0,
                label="not comparable",
            )
        )
    if line:
        handles.append(_handle(SOLID, "-", "both are equal"))
    if any(c.ratio and not ahead_of(c) for c in compared):
        # Edged: a ground that light would not be seen as a swatch.
        pale = Patch(facecolor=style.PALE, edgecolor=style.GREY, linewidth=0.6)
        pale.set_label("not decided (?)")
        handles.append(pale)
        if line:
            handles.append(_handle(DOTTED, ":", "equal, not decided"))
    return handles


def _handle(width: float, dashes: Literal["-", ":"], label: str) -> Line2D:
    return Line2D([], [], color=style.INK, linewidth=width, linestyle=dashes, label=label)
