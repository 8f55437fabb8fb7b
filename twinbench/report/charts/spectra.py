"""How long the slowest took: percentiles of response and service times, from 1 to 99.99 %."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from twinbench.analyse.results import PERCENTS, Point, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.charts.axes import log_axis
from twinbench.report.charts.frame import explain, framed, grid_lines
from twinbench.report.hover import hover
from twinbench.report.kinds import span

# Labelled and marked: the median, and one request in ten, a hundred, a thousand, ten thousand.
LANDMARKS = (50, 90, 99, 99.9, 99.99)
NOTHING = "too few samples"
LEFT, HEIGHT = 44.0, 180.0  # points


def spectrum_load(results: Results, scenario: str, kind: LoadKind) -> int | None:
    """The highest load at which all targets have valid percentiles; failing that, as many as do
    anywhere; None where none has."""
    told = [
        point.value
        for curve in results.curves_of(scenario, kind)
        for point in curve.points
        if _told(point)
    ]
    return max(told, key=lambda value: (told.count(value), value), default=None)


def spectrum_figure(results: Results, scenario: str, kind: LoadKind) -> Figure:
    """A line for each target; of open loads, where a request may be sent later than it was meant
    to be, a dashed one for the time since it was sent."""
    load = spectrum_load(results, scenario, kind)
    at = f" at {span(kind, [load])}" if load else ""
    points = _points(results, scenario, kind, load)
    figure, [axes] = framed(
        f"Response time by percentile{at} (ms)", [HEIGHT], left=LEFT, rows=len(points)
    )
    grid_lines(axes, "y")
    for n, (target, point) in enumerate(points):
        if point is None:
            continue
        meant = f"{target}, since it was to be sent" if kind == "open" else target
        _draw(axes, point.response_ms, n, meant)
        if kind == "open":
            _draw(axes, point.service_ms, n, f"{target}, since it was sent", dashed=True)
        _mark(axes, point, n, target)
    _scale(axes, [point for _, point in points if point])
    explain(figure, axes.get_legend_handles_labels()[0], columns=1 + (kind == "open"))
    return figure


def spectrum_alt(results: Results, scenario: str, kind: LoadKind) -> str:
    """What the lines say at their landmarks."""
    load = spectrum_load(results, scenario, kind)
    if load is None:
        return f"Percentiles of response times: {NOTHING}."
    told = [
        f"{target}: {', '.join(_within(point))}"
        for target, point in _points(results, scenario, kind, load)
        if point
    ]
    return f"Percentiles of response times at {span(kind, [load])}. {'; '.join(told)}."


def _points(
    results: Results, scenario: str, kind: LoadKind, load: int | None
) -> list[tuple[str, Point | None]]:
    """Each target's point at that load, if it has something to show."""
    return [
        (curve.target, next((p for p in curve.points if p.value == load and _told(p)), None))
        for curve in results.curves_of(scenario, kind)
    ]


def _told(point: Point) -> bool:
    return point.status == "valid" and any(point.response_ms)


def _within(point: Point) -> list[str]:
    return [
        f"{percent:g} % within {style.number(value)} ms"
        for percent, value in zip(PERCENTS, point.response_ms, strict=True)
        if percent in LANDMARKS and value is not None
    ]


def _along(percent: float) -> float:
    """One request in so many takes longer."""
    return 100 / (100 - percent)


def _draw(
    axes: Axes, values_ms: Sequence[float | None], n: int, label: str, *, dashed: bool = False
) -> None:
    known = [
        (_along(percent), value)
        for percent, value in zip(PERCENTS, values_ms, strict=True)
        if value is not None
    ]
    axes.plot(
        [x for x, _ in known],
        [y for _, y in known],
        color=style.colour(n),
        linewidth=1.0 if dashed else 1.8,
        linestyle="--" if dashed else "-",
        label=label,
    )


def _mark(axes: Axes, point: Point, n: int, target: str) -> None:
    for percent, value in zip(PERCENTS, point.response_ms, strict=True):
        if percent in LANDMARKS and value is not None:
            [dot] = axes.plot(
                [_along(percent)],
                [value],
                marker=style.marker(n),
                markersize=5,
                color=style.colour(n),
                linestyle="none",
            )
            hover(dot, f"{target}: {percent:g} % within {style.number(value)} ms")


def _scale(axes: Axes, points: Sequence[Point]) -> None:
    known = [
        (percent, value)
        for point in points
        for values in (point.response_ms, point.service_ms)
        for percent, value in zip(PERCENTS, values, strict=True)
        if value
    ]
    if not known:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, NOTHING, transform=axes.transAxes, ha="center")
        return
    highest = max(percent for percent, _ in known)
    axes.set_xscale("log")
    shown = [percent for percent in LANDMARKS if percent <= max(highest, 50)]
    axes.set_xticks([_along(p) for p in shown], [f"{p:g} %" for p in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(1, 1.3 * _along(max(highest, 50)))
    axes.set_xlabel("of the requests, the fastest first")
    log_axis(axes, [value for _, value in known])
