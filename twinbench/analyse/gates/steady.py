"""Gates on the steady state: a figure of a window means nothing if the window's end differs from
its beginning."""

import math

import numpy as np
from scipy import stats

from twinbench.analyse.gates.evidence import Evidence

# Little's law, N = throughput x latency, holds exactly for users who always have one request
# under way: what is missing is time they spent otherwise.
LITTLE_OFF = 0.03
# Between an answer and the next request of a user the generator works for a moment: a tenth of
# all its CPU time with one user, up to three tenths with several, measured. At one user and 4,900
# requests a second that is 2.6 % of N: no fault, so up to so much of its CPU time is granted.
GENERATOR_BETWEEN = 0.3
# Arrivals less answers, as a share of arrivals, and in standard deviations of a Poisson count:
# an honest backlog goes up and down, and by chance no further than four of them.
MOST_BACKLOG = 0.05
MOST_BACKLOG_SDS = 4
# The trend is looked for in so many slices. More of them find it sooner, but also take the slow
# wandering of a shared machine for one.
SLICES, LEAST_SLICES = 10, 5
# Per slice; the logarithm of a smaller count is ruled by chance (sd 0.22 at 20).
LEAST_PER_SLICE = 20
# On a machine whose throughput wanders by 21 % from one quarter of a second to the next, one
# steady cell in a thousand looks so by chance; a run of 300 cells would lose none or one.
TREND_P = 0.001
MOST_TREND = 0.2  # change over the window; less is within what blocks differ by


def little(seen: Evidence) -> str | None:
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


def backlog(seen: Evidence) -> str | None:
    """More came than was answered: latencies grow as long as one watches."""
    window = seen.window
    came = int(window.inside(window.intended_ns).sum())
    left = int((window.answered & window.inside(window.done_ns)).sum())
    if came - left <= max(MOST_BACKLOG * came, MOST_BACKLOG_SDS * math.sqrt(came)):
        return None
    return (
        f"not a steady state: {came:,} requests arrived in the window and {left:,} answers; the"
        " backlog grows, and latencies with it. The rate is above what the server can take:"
        " lower it"
    )


def trend(seen: Evidence) -> str | None:
    """A line through the logarithms of answers per slice."""
    window = seen.window
    arrived = window.done_ns[window.arrived] - window.begin_ns
    slices = min(SLICES, len(arrived) // LEAST_PER_SLICE)
    if slices < LEAST_SLICES:
        return None
    counts, _ = np.histogram(arrived, bins=slices, range=(0, window.length_ns))
    # An empty slice has no logarithm; half an answer is as near as a count can come.
    change, p = slope(np.log(np.maximum(counts, 0.5)))
    if p >= TREND_P or abs(change) <= math.log(1 + MOST_TREND):
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


def busy_afterwards(seen: Evidence) -> str | None:
    if seen.record.drained:
        return None
    return (
        "the server was still busy after the last answer, so these do not show all the work that"
        " they caused: lower the load"
    )
