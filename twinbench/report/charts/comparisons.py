"""The ratio of two targets over the loads."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from twinbench.analyse.margins import MARGIN
from twinbench.analyse.results import Comparison, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.charts.axes import legend, load_axis, log_axis, titled
from twinbench.report.charts.frame import SMALL
from twinbench.report.hover import hover, hover_each
from twinbench.report.kinds import RATIOS, span

NAME_LETTERS = 6  # so many fit between two loads, or into a tile
UNKNOWN = "?"


def ratio_figure(results: Results, scenario: str, kind: LoadKind) -> Figure:
    """The decisive metric of each candidate / baseline over the loads, with the interval of each
    ratio, in the colour of who is ahead; the grey strip is the margin within which a difference
    does not matter."""
    metric = results.decisive(scenario, kind)
    found = results.compared(scenario, kind, metric)
    candidates = list(dict.fromkeys(comparison.candidate for comparison in found))
    figure, axes = titled(f"{RATIOS[metric]}, {', '.join(candidates)} / {found[0].baseline}")
    load_axis(axes, kind, sorted({comparison.load.value for comparison in found}))
    ratios = [comparison.ratio.estimate for comparison in found if comparison.ratio]
    reach = max([1.3, *(max(ratio, 1 / ratio) for ratio in ratios)])
    log_axis(axes, [1 / reach, reach])
    strip = axes.axhspan(1 / (1 + MARGIN), 1 + MARGIN, color=(style.GREY, 0.25), linewidth=0)
    hover(strip, f"margin of {MARGIN:.0%}: a difference within it does not matter")
    axes.axhline(1, color=style.GREY, linewidth=0.8)
    for n, candidate in enumerate(candidates, start=1):
        own = [comparison for comparison in found if comparison.candidate == candidate]
        _draw_ratios(axes, own, style.marker(n))
        for comparison in own:
            if comparison.ratio is None:
                _draw_words(axes, comparison)
    legend(figure, axes, _notes(found, candidates))
    return figure


def ratio_alt(results: Results, scenario: str, kind: LoadKind) -> str:
    """Who is ahead at each load, and by how much."""
    metric = results.decisive(scenario, kind)
    found = results.compared(scenario, kind, metric)
    told = "; ".join(describe(comparison) for comparison in found)
    return f"{RATIOS[metric]}, ratio, {scenario}. {told}."


def alone(survivor: str) -> str:
    """Who goes on where the other does not answer; told by colour only if the name is long."""
    return f"{survivor}\nonly" if len(survivor) <= NAME_LETTERS else "only"


def describe(comparison: Comparison) -> str:
    """One comparison: at which load, who is ahead, the ratio and its interval."""
    at = span(comparison.load.kind, [comparison.load.value])
    if comparison.ratio is None:
        return f"{at}: {style.verdict(comparison)}"
    ahead = style.advantage(comparison)
    bounds = style.bounds(comparison.ratio)
    return (
        f"{at}: {comparison.candidate} / {comparison.baseline} {style.times(comparison.ratio)}"
        + (f" ({bounds})" if bounds else "")
        + (f", {ahead} ahead" if ahead else ", no difference shown")
        + "".join(f"; {collapse}" for collapse in comparison.collapses)
    )


def _notes(
    found: Sequence[Comparison], candidates: Sequence[str]
) -> list[list[tuple[Artist, str]]]:
    """For the legend: which side is whose; what the strip and, of several, the markers mean."""
    unknown = any(c.ratio is None and not c.survivor for c in found)
    told = [*_sides(found[0]), *([f"{UNKNOWN}: cannot be compared"] if unknown else [])]
    margin = (Patch(color=(style.GREY, 0.25)), f"margin of {MARGIN:.0%}")
    markers = [
        (Line2D([], [], marker=style.marker(n), color=style.INK, linestyle="none"), candidate)
        for n, candidate in enumerate(candidates, start=1)
    ]
    return [
        [(Line2D([], [], linestyle="none"), text) for text in told],
        [margin, *(markers if len(markers) > 1 else [])],
    ]


def _draw_ratios(axes: Axes, found: Sequence[Comparison], marker: str) -> None:
    known = [(c.load.value, c.ratio, c) for c in found if c.ratio]
    if not known:
        return
    colours = [style.of_target(style.advantage(c), c) for *_, c in known]
    whiskers = [
        (load, ratio.low, ratio.high, (colour, 0.6))
        for (load, ratio, _), colour in zip(known, colours, strict=True)
        if ratio.low is not None and ratio.high is not None
    ]
    if whiskers:
        loads, lows, highs, shades = zip(*whiskers, strict=True)
        axes.vlines(loads, lows, highs, colors=shades, linewidth=2)
    points = axes.scatter(
        [load for load, *_ in known],
        [ratio.estimate for _, ratio, _ in known],
        c=colours,
        marker=marker,
        s=36,
        zorder=3,
    )
    hover_each(points, [describe(comparison) for *_, comparison in known])


def _draw_words(axes: Axes, comparison: Comparison) -> None:
    """Where there is no ratio: who goes on, on the side where a point would have been."""
    survivor = comparison.survivor
    above = survivor == _above(comparison)
    words = axes.annotate(
        alone(survivor) if survivor else UNKNOWN,
        (comparison.load.value, 1),
        xytext=(0, 9 if above else -9),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=SMALL,
        linespacing=0.9,
        color=style.of_target(survivor or "", comparison),
    )
    hover(words, describe(comparison))


def _above(comparison: Comparison) -> str:
    """Who is ahead above 1."""
    more_is_ahead = comparison.metric == "throughput"
    return comparison.candidate if more_is_ahead else comparison.baseline


def _sides(comparison: Comparison) -> list[str]:
    above = _above(comparison)
    below = comparison.baseline if above == comparison.candidate else comparison.candidate
    return [f"above 1: {above} ahead", f"below 1: {below} ahead"]
