"""Gates on the steady state: a figure of a window means nothing if the window's end differs from
its beginning."""

import math

import numpy as np
from scipy import stats

from twinbench.analyse.gates.evidence import GateInput

# Little's law, N = throughput x latency, holds exactly for users who always have one request
# under way: what is missing is time they spent otherwise.
LITTLE_OFF = 0.03
# Between an answer and the next request of a user the generator works for a moment: a tenth of
# all its CPU time with one user, up to three tenths with several, measured. At one user and 4,900
# requests a second that is 2.6 % of N: no fault, so up to so much of its CPU time is granted.
GENERATOR_BETWEEN = 0.3
# Requests in flight are looked at so many times in the window, and a line drawn through them. A
# backlog that grows lies on it (R2 near 1); a queue that goes up and down does not, nor does one
# stall, be it at the window's end (R2 0.6). Below 10 requests there is no backlog to speak of.
LOOKS = 50
BACKLOG_R2 = 0.7
LEAST_BACKLOG = 10
# The trend is looked for in so many slices. More of them find it sooner, but also take the slow
# wandering of a shared machine for one.
SLICES, LEAST_SLICES = 10, 5
# Per slice; the logarithm of a smaller count is ruled by chance (sd 0.22 at 20).
LEAST_PER_SLICE = 20
# On a machine whose throughput wanders by 21 % from one quarter of a second to the next, one
# steady cell in a thousand looks so by chance; a run of 300 cells would lose none or one.
TREND_P = 0.001
MOST_TREND = 0.2  # change over the window; less is within what blocks differ by


def little(seen: GateInput) -> str | None:
    """The number of requests in flight, against the number of users.

    It is throughput x latency, but exact at the edges of the window: each request counts with
    the part of it that lies inside (`Window.in_flight`). With whole latencies of answers that
    arrived in the window the law is missed by several percent where a latency is a quarter of
    the window, for no fault of anybody. Users who pause after an error are off: that is what
    the gate is for.
    """
    users = seen.record.load.value
    off = seen.window.in_flight / users - 1
    # The record knows the busiest of the generator's processes.
    generators = min(seen.plan.processes, users)
    granted = GENERATOR_BETWEEN * seen.cell.generator.cpu * generators / users
    if not seen.cell.requests or -LITTLE_OFF - granted <= off <= LITTLE_OFF:
        return None
    return (
        f"{seen.window.in_flight:.3g} requests were in flight on average with {users} users"
        f" ({off:+.1%}; Little's law allows {LITTLE_OFF:.0%}): users paused, so the load was not"
        " what the plan says; look for connections that fail or close"
    )


def backlog(seen: GateInput) -> str | None:
    """More comes than is answered: requests in flight grow as long as one watches, and so do
    latencies."""
    in_flight = seen.window.in_flight_at(LOOKS)
    if np.ptp(in_flight) == 0:
        return None
    fit = stats.linregress(np.arange(LOOKS), in_flight)
    grown = float(fit.slope) * LOOKS
    if fit.rvalue**2 < BACKLOG_R2 or grown < max(LEAST_BACKLOG, MOST_TREND * in_flight.mean()):
        return None
    end = fit.intercept + grown
    return (
        f"not a steady state: requests in flight grew from {max(0.0, fit.intercept):.0f} to"
        f" {end:.0f} in the window, and latencies with them. Either the rate is above what the"
        " server can take: lower it; or the window is too short to tell: lengthen measure_s"
    )


def trend(seen: GateInput) -> str | None:
    """A line through the logarithms of answers per slice."""
    window = seen.window
    arrived = window.done_ns[window.arrived] - window.begin_ns
    slices = min(SLICES, len(arrived) // LEAST_PER_SLICE)
    if slices < LEAST_SLICES:
        return None
    counts, _ = np.histogram(arrived, bins=slices, range=(0, window.length_ns))
    # An empty slice has no logarithm; half an answer is as near as a count can come.
    logs = np.log(np.maximum(counts, 0.5))
    # The p-value takes a hundred times as long as the slope, and most windows are steady.
    steps = np.arange(slices) - (slices - 1) / 2
    change = float(steps @ logs / (steps @ steps)) * slices
    if abs(change) <= math.log(1 + MOST_TREND) or slope(logs)[1] >= TREND_P:
        return None
    return (
        f"throughput changed by a factor of {math.exp(change):.2g} from the window's beginning to"
        " its end: not a steady state; lengthen warmup_s, or look for what grows"
    )


def slope(logs: np.ndarray) -> tuple[float, float]:
    """Change of the fitted line from the first edge to the last, and the p-value of none."""
    if np.ptp(logs) == 0:
        return 0.0, 1.0
    fit = stats.linregress(np.arange(len(logs)), logs)
    return float(fit.slope) * len(logs), float(fit.pvalue)


def busy_afterwards(seen: GateInput) -> str | None:
    if seen.record.drained:
        return None
    return (
        "the server was still busy after the last answer, so these do not show all the work that"
        " they caused: lower the load"
    )
