"""What a curve is held against: bounds, a fitted law, what is promised, what this machine shows
of nothing."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from twinbench.analyse.results import Bound, Capacity, Curve, Law, Metric, Usl
from twinbench.findings import Calibration
from twinbench.report import style
from twinbench.report.hover import hover
from twinbench.report.kinds import span

# A prediction may lie so far above all that was measured and still be seen; the rest is cut off.
PREDICTED_AT_MOST = 1.6
SMOOTH = 40  # points of a drawn law: it bends, on an axis of logarithms
Note = tuple[Artist, str]  # for a legend


def predicted_rps(law: Law, users: np.ndarray) -> np.ndarray:
    """Requests a second by the bounds at so many users: at each the least of them."""
    bounds = [users * b.rps if b.by == "users" else np.full(len(users), b.rps) for b in law.bounds]
    least: np.ndarray = np.min(bounds, axis=0)
    return least


def fitted_rps(usl: Usl, users: np.ndarray) -> np.ndarray:
    """Requests a second by the Universal Scalability Law: see `Usl`."""
    waiting = usl.contention * (users - 1) + usl.coherency * users * (users - 1)
    rps: np.ndarray = usl.rate_rps * users / (1 + waiting)
    return rps


def highest(curves: Sequence[Curve], measured: float) -> float:
    """What there must be room for above what was `measured`: predictions, within reason."""
    laws = [rps for curve in curves if curve.law for rps in curve.law.predicted_rps]
    return min(max([measured, *laws]), PREDICTED_AT_MOST * measured)


def draw_law(axes: Axes, curve: Curve, n: int) -> list[Note]:
    """The bounds dotted, a fit thin within its range, a ring around the capacity."""
    colour = style.colour(n)
    if curve.capacity:
        _draw_ring(axes, curve.target, curve.capacity, colour)
    if curve.law is None or not curve.law.bounds:
        return []
    law, loads = curve.law, [point.value for point in curve.points]
    users = np.geomspace(loads[0], loads[-1], SMOOTH)
    [dotted] = axes.plot(
        users, predicted_rps(law, users), color=colour, linewidth=1.1, linestyle=":", zorder=1.5
    )
    said = _cap(law, loads[-1])
    hover(dotted, f"{curve.target} by its bounds: {said}")
    if law.usl is None:
        return [(dotted, said)]
    users = np.geomspace(law.usl.low, law.usl.high, SMOOTH)
    [thin] = axes.plot(users, fitted_rps(law.usl, users), color=colour, linewidth=0.8, zorder=1.5)
    fit = f"scalability law, R² {law.usl.r2:.2f}"
    hover(thin, f"{curve.target}, fitted from {law.usl.low} to {law.usl.high} users: {fit}")
    return [(dotted, said), (thin, fit)]


def draw_levels(
    axes: Axes, calibration: Calibration | None, curves: Sequence[Curve], metric: Metric
) -> Iterable[Note]:
    """Latencies to compare with, where they are in the picture: hatched those that a server shows
    which does nothing; a line for the p99 that users are promised."""
    bottom, top = axes.get_ylim()
    floor = calibration.floor if calibration else None
    shown = floor and (floor.latency_p50_ms if metric == "p50" else floor.latency_p99_ms)
    if shown and shown > bottom:
        band = axes.axhspan(
            bottom,
            min(shown, top),
            facecolor=style.PALE,
            edgecolor=style.PAGE,
            hatch="////",
            linewidth=0,
            zorder=0,
        )
        yield band, f"this machine's floor, {style.number(shown)} ms"
    promised = next((curve.objective.slo_ms for curve in curves if curve.objective), None)
    if metric == "p99" and promised and bottom < promised < top:
        line = axes.axhline(promised, color=style.INK, linewidth=0.9, linestyle="--", zorder=1)
        yield line, f"promised: {promised:g} ms"


def _draw_ring(axes: Axes, target: str, capacity: Capacity, colour: str) -> None:
    rps = capacity.throughput_rps.estimate
    [ring] = axes.plot(
        [capacity.value],
        [rps],
        marker="o",
        markersize=12,
        markerfacecolor="none",
        color=colour,
        linestyle="none",
    )
    more = ", the highest load tried" if capacity.at_edge else ""
    at = span("closed", [capacity.value])
    hover(ring, f"capacity of {target}: {style.number(rps)}/s at {at}{more}")


def _cap(law: Law, users: int) -> str:
    """The least bound at so many users, in words: `800/s: 40 threads / 50 ms`."""
    least = min(law.bounds, key=lambda b: b.rps * (users if b.by == "users" else 1))
    return f"{style.number(least.rps)}/s{_reason(least, law)}"


def _reason(bound: Bound, law: Law) -> str:
    service = f"{style.number(law.service_ms)} ms"
    if bound.by == "users":
        return f" a user: {service} each"
    if bound.by == "cpu":
        return f": {style.number(bound.limit)} ms of CPU each"
    return f": {bound.limit:g} {bound.by} / {service}"
