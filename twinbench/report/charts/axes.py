"""The axes that charts share: users or rates along, a logarithmic measure up."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import AXIS

SIZE = (5.6, 3.9)  # inches


def titled(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="y", color=style.GREY, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def load_axis(axes: Axes, kind: LoadKind, loads: Sequence[int]) -> None:
    """Every load a tick; users and rates double from one to the next, roughly."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(loads), [str(load) for load in loads])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(loads) / 1.3, max(loads) * 1.3)
    axes.set_xlabel(AXIS[kind])


def log_axis(axes: Axes, drawn: Sequence[float]) -> None:
    """Logarithmic, around the values `drawn` rather than around their widest interval, and
    labelled 1, 2, 5, 10 rather than in powers of ten; more finely where the range is narrow."""
    low, high = min(drawn) / 1.25, max(drawn) * 1.25
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    steps = (1, 2, 5) if high / low > 10 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    inside = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(inside, [f"{tick:g}" for tick in inside])
    axes.yaxis.set_minor_locator(NullLocator())
