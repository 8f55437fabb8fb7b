"""Ratios of two targets: over the loads, and of all scenarios in one picture."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twinbench.analyse.comparisons import MARGIN
from twinbench.analyse.results import Comparison, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.charts.axes import load_axis, log_axis, titled
from twinbench.report.kinds import AXIS, RATIOS
from twinbench.report.tables import overview_loads


def ratio_figure(results: Results, scenario: str, kind: LoadKind) -> Figure:
    """The decisive metric of each candidate / baseline over the loads, with the interval of each
    ratio; the grey strip is the margin within which a difference does not matter."""
    metric = results.decisive(scenario, kind)
    found = results.compared(scenario, kind, metric)
    baseline = found[0].baseline
    candidates = list(dict.fromkeys(comparison.candidate for comparison in found))
    figure, axes = titled(
        f"{RATIOS[metric]}, {' and '.join(candidates)} / {baseline}"
        f"  ({'below' if metric == 'throughput' else 'above'} 1: {baseline} ahead)"
    )
    for comparison in found:
        _draw_ratio(axes, comparison, style.marker(1 + candidates.index(comparison.candidate)))
    ratios = [comparison.ratio.estimate for comparison in found if comparison.ratio]
    reach = max([1.3, *(max(ratio, 1 / ratio) for ratio in ratios)])
    log_axis(axes, [1 / reach, reach])
    load_axis(axes, kind, sorted({comparison.load.value for comparison in found}))
    axes.axhspan(1 / (1 + MARGIN), 1 + MARGIN, color=style.GREY, alpha=0.25, linewidth=0)
    axes.axhline(1, color=style.GREY, linewidth=0.8)
    return figure


def overview_figure(results: Results, kind: LoadKind) -> Figure:
    """All scenarios in one picture: who is ahead, at each load of one kind."""
    pairs = results.pairs(kind)
    loads = overview_loads(results, kind)
    figure = Figure(figsize=(1.9 + 0.95 * len(loads), 0.9 + 0.55 * len(pairs)))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    axes.set_xlim(-0.5, len(loads) - 0.5)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    for y, (_, comparisons) in enumerate(pairs):
        for comparison in comparisons:
            _draw_tile(axes, loads.index(comparison.load.value), y, comparison)
    axes.set_xticks(range(len(loads)), [str(load) for load in loads])
    axes.set_yticks(range(len(pairs)), [name for name, _ in pairs])
    axes.tick_params(length=0)
    axes.set_xlabel(AXIS[kind])
    axes.spines[:].set_visible(False)
    return figure


def _draw_ratio(axes: Axes, comparison: Comparison, marker: str) -> None:
    x, ratio = comparison.load.value, comparison.ratio
    if ratio is None:
        _draw_words(axes, comparison)
        return
    ahead = style.advantage(comparison)
    colour = style.of_target(ahead, comparison)
    if ratio.low is not None and ratio.high is not None:
        axes.plot([x, x], [ratio.low, ratio.high], color=colour, linewidth=2, alpha=0.6)
    axes.plot([x], [ratio.estimate], marker=marker, markersize=6, color=colour, linestyle="none")


def _draw_words(axes: Axes, comparison: Comparison) -> None:
    """Where there is no ratio: who goes on, on the side where a point would have been."""
    survivor = comparison.survivor
    more_is_ahead = comparison.metric == "throughput"
    below = survivor == (comparison.baseline if more_is_ahead else comparison.candidate)
    axes.annotate(
        f"{survivor}\nonly" if survivor else "not\ncomparable",
        (comparison.load.value, 1),
        xytext=(0, -9 if below else 9),
        textcoords="offset points",
        ha="center",
        va="top" if below else "bottom",
        fontsize=8.5,
        linespacing=0.9,
        color=style.of_target(survivor or "", comparison),
    )


def _draw_tile(axes: Axes, x: int, y: int, comparison: Comparison) -> None:
    survivor = comparison.survivor
    ahead = survivor or style.advantage(comparison)
    shown = f"{survivor}\nonly" if survivor else style.times(comparison.ratio)
    # A pair too few to compare is hatched rather than coloured: nothing can be said.
    known = ahead or comparison.decision == "no difference shown"
    axes.bar(
        x,
        0.86,
        width=0.92,
        bottom=y - 0.43,
        linewidth=0,
        color=style.of_target(ahead, comparison) if ahead else style.PALE,
        hatch=None if known else "////",
        edgecolor="white",
    )
    ink = "white" if ahead else style.INK
    axes.text(x, y, shown, ha="center", va="center", fontsize=9, color=ink, linespacing=0.95)
