"""Gates: validity checks on one measurement.

A gate returns what is wrong and what to do about it, or None. Why each is as it is:
docs/decisions/0011-gates.md.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from twinbench.analyse.results import CellFigures, CellStatus
from twinbench.analyse.statistics import fitted_line
from twinbench.analyse.window import Windows
from twinbench.plan import LoadKind, Plan
from twinbench.selfcheck.result import Floor
from twinbench.store import CellRecord
from twinbench.text import count, number

MAX_ERRORS = 0.001  # share of wrong responses: fewer do not move a p99, nor a throughput visibly
# Above it the generator, not the server, may set the figure: what is left of its core goes in
# bursts, and a request that waits for the generator looks like a slow one. Time in which it waited
# for its core counts like time in which it used it.
MAX_GENERATOR_CPU = 0.8
MIN_OFFERED = 0.99  # of the scheduled rate: less is another load than the plan names
# A request or two due at the window's last instant leave after it.
EDGE_REQUESTS = 3
# A timer of the kernel wakes a process within 0.1 ms here; thrice that at the median is no longer
# the machine but a generator that cannot keep up.
MAX_LAG_P50_MS = 0.3
# A p99 that is late by less than a tenth of the p99 response cannot have made it.
LAG_OF_RESPONSE = 0.1
# What the self-check measures in a second moves by this factor from minute to minute on a shared
# machine, and its bare timer does nothing with an arrival: in a clump, each waits for those before.
FLOOR_TIMES, CLUMP_MS = 3, 0.2
# Of a core: it slows the target whose turn it is by about as much, which is the smallest effect
# worth showing. Idle servers with telemetry use 0.5 %, measured.
MAX_IDLE_CPU = 0.03
# Of the users: a server that serves in another order than that of arrival leaves some of them out
# for a while. More than a tenth is something that a reader should know.
MAX_UNSERVED = 0.1
# Of each user of a locustfile: with fewer, the figures are those of a few requests.
LEAST_RESPONSES = 2
# Little's law, N = throughput x latency, holds exactly for users who always have one request in
# flight: what is missing is time they spent otherwise.
LITTLE_TOLERANCE = 0.03
# Between a response and the next request of a user the generator works: a tenth of all its CPU time
# with one user, up to three tenths with several, measured. At one user and 4,900 requests/s that
# is 2.6 % of N: no fault, so this share of its CPU time is granted.
GENERATOR_BETWEEN = 0.3
# Samples of the requests in flight in a window, to which a line is fitted. A backlog that
# grows lies on it (R2 near 1); a queue that goes up and down does not, nor does one stall, be it
# at the window's end (R2 0.6). Below 10 requests there is no backlog to speak of.
BACKLOG_SAMPLES = 50
BACKLOG_R2 = 0.7
MIN_BACKLOG = 10
# More slices find a trend sooner, but also take the slow wandering of a shared machine for one.
SLICES, MIN_SLICES = 10, 5
# Per slice; the logarithm of a smaller count is ruled by chance (sd 0.22 at 20).
MIN_PER_SLICE = 20
# On a machine whose throughput wanders by 21 % from one quarter of a second to the next, one
# steady cell in a thousand looks so by chance; a run of 300 cells would lose none or one.
TREND_P = 0.001
MAX_TREND = 0.2  # change over the window; less is within what blocks differ by


@dataclass(frozen=True, slots=True)
class GateInput:
    """One cell as gates see it; `floor` where the run has a self-check.

    `errors` are the reasons of the wrong responses.
    """

    plan: Plan
    record: CellRecord
    figures: CellFigures
    window: Windows
    errors: pl.Series
    floor: Floor | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Status of a cell, its reasons, and whether the machine was the cause of an invalid one."""

    status: CellStatus
    reasons: list[str]
    disturbed: bool = False


Gate = Callable[[GateInput], str | None]


def judge_cell(cell: GateInput) -> Judgement:
    """Return the status of a cell by what is known of it alone."""
    record = cell.record
    if record.outcome == "lost":
        return Judgement("invalid", [record.reason])
    if record.outcome == "collapsed":
        silence = f"no response for {cell.plan.collapse_s:g} s"
        in_flight = f"while {record.unanswered} requests were in flight"
        return Judgement("collapsed", [f"{silence} {in_flight}", *record.remarks])
    failed = {gate: reason for gate in GATES[record.load.kind] if (reason := gate(cell))}
    disturbed = bool(failed) and failed.keys() <= {lag, generator_cpu} and not _busy(cell)
    reasons = [*failed.values(), *_remarks(cell)]
    return Judgement("invalid" if failed else "valid", reasons, disturbed)


def _busy(cell: GateInput) -> bool:
    """Return whether the generator used its core by itself, without waiting for it."""
    return cell.figures.generator.cpu > MAX_GENERATOR_CPU


def _remarks(cell: GateInput) -> Iterable[str]:
    """Return what a reader should know, and what invalidates nothing."""
    yield from cell.record.remarks
    if restarted := cell.record.restarted:
        yield f"on a fresh server: the one before in this block {restarted}"
    users = cell.record.load.value
    if cell.record.locust and 0 < cell.figures.requests < LEAST_RESPONSES * users:
        yield (
            f"{count(cell.figures.requests, 'request')} of {count(users, 'user')}: users wait for"
            " most of the window; lengthen measure_s, or measure more users"
        )
    if (locust := cell.record.locust) and locust.exceptions and not exceptions(cell):
        raised = count(locust.exceptions, "exception")
        yield f"the locustfile raised {raised}; the first: {locust.first_exception}"
    unserved = cell.record.users_unserved
    if unserved > MAX_UNSERVED * cell.record.load.value:
        yield f"{count(unserved, 'user')} had no response yet when the window began"
    if cell.record.load.kind == "open" and cell.floor is None and _tail_is_late(cell):
        yield (
            f"one request in a hundred was sent more than {_lag_p99_ms(cell):.2g} ms late, above a"
            " tenth of the p99 response time; without a self-check it is not known whether this"
            " machine is always so late"
        )


def no_requests(cell: GateInput) -> str | None:
    """Check that something was measured."""
    if cell.figures.requests:
        return None
    if cell.record.load.kind == "open":
        return "no request was due in the window: raise the rate, or lengthen measure_s"
    return "no response in the window: lengthen measure_s"


def errors(cell: GateInput) -> str | None:
    """Check that nearly all responses were correct."""
    figures = cell.figures
    if not figures.errors or figures.errors / figures.requests <= MAX_ERRORS:
        return None
    most = cell.errors.value_counts(sort=True).row(0)[0]
    return (
        f"{figures.errors} of {figures.requests} responses were wrong, most of them '{most}':"
        " check what the app responds to these requests"
    )


def generator_cpu(cell: GateInput) -> str | None:
    """Check that the generator had CPU time to spare."""
    used, waited = cell.figures.generator.cpu, cell.figures.generator.waited
    if used + waited <= MAX_GENERATOR_CPU:
        return None
    others = f" and waited for it {waited:.0%} of the time" if waited else ""
    if (client := cell.figures.client) and _busy(cell):
        most = cell.figures.client_limit_rps
        limit = f", enough for about {number(most)} requests/s of this file," if most else ""
        return (
            f"Locust's {client} used {used:.0%} of its core{others}{limit} and may have been the"
            " limit: lower the load, raise processes, use FastHttpUser, or write the requests into"
            " the plan, for twinbench's own client"
        )
    return (
        f"the load generator used {used:.0%} of its core{others}, and may have been the limit:"
        " lower the load, or give it more or faster cores (processes) of its own"
    )


def not_drained(cell: GateInput) -> str | None:
    """Check that the server's work ended with its responses."""
    if cell.record.drained:
        return None
    return (
        "the server was still busy after the last response, so the figures do not include all of"
        " its work: lower the load"
    )


def idle_servers(cell: GateInput) -> str | None:
    """Check that the servers of other targets, on the same cores, were idle."""
    if (cell.figures.idle_cpu or 0.0) <= MAX_IDLE_CPU:
        return None
    name, cpu_s = max(cell.record.idle_cpu_s.items(), key=lambda item: item[1])
    return (
        f"'{name}' used {cpu_s / cell.record.window_s:.0%} of the server's core while it should"
        f" have been idle ({MAX_IDLE_CPU:.0%} is allowed): measure them one after the other"
        ' (schedule = "sequential")'
    )


def little(cell: GateInput) -> str | None:
    """Check Little's law: as many requests are in flight as there are users.

    Exact at the edges of the window (`Window.mean_in_flight`). Throughput x latency misses the law
    by several percent where a latency is a quarter of the window.
    """
    users, in_flight = cell.record.load.value, cell.window.mean_in_flight
    if cell.record.locust:  # they wait as their file says: `users_ended` checks what can be
        return None
    off = in_flight / users - 1
    # The record has the CPU time of the busiest of the generator's processes.
    generators = min(cell.plan.processes, users)
    granted = GENERATOR_BETWEEN * cell.figures.generator.cpu * generators / users
    if not cell.figures.requests or -LITTLE_TOLERANCE - granted <= off <= LITTLE_TOLERANCE:
        return None
    return (
        f"{in_flight:.3g} requests were in flight on average with {users} users"
        f" ({off:+.1%}; Little's law allows {LITTLE_TOLERANCE:.0%}): users paused, so the load was"
        " not that of the plan; look for connections that fail or close"
    )


def users_ended(cell: GateInput) -> str | None:
    """Check that all users of a locustfile ran to the end."""
    locust, users = cell.record.locust, cell.record.load.value
    if not locust or not locust.users_ended:
        return None
    why = f"; the first exception: {locust.first_exception}" if locust.first_exception else ""
    return (
        f"{locust.users_ended} of {users} users had ended (an error in on_start, StopUser, or"
        f" runner.quit), so the load was not that of the plan{why}"
    )


def exceptions(cell: GateInput) -> str | None:
    """Check that the code of a locustfile raised nearly no exceptions."""
    locust = cell.record.locust
    if not locust or locust.exceptions <= MAX_ERRORS * cell.figures.requests:
        return None
    return (
        f"the locustfile raised {count(locust.exceptions, 'exception')}, beside"
        f" {count(cell.figures.requests, 'request')}; the first: {locust.first_exception}"
    )


def trend(cell: GateInput) -> str | None:
    """Check that responses per slice of the window have no trend."""
    window = cell.window
    arrived_ns = window.elapsed_ns(window.done_ns[window.counted])
    slices = min(SLICES, len(arrived_ns) // MIN_PER_SLICE)
    if slices < MIN_SLICES:
        return None
    counts, _ = np.histogram(arrived_ns, slices, range=(0, window.total_ns))
    # An empty slice has no logarithm; half a response is as near as a count can come.
    change, p = fitted_change(np.log(np.maximum(counts, 0.5)))
    if abs(change) <= math.log(1 + MAX_TREND) or p >= TREND_P:
        return None
    return (
        f"throughput changed by a factor of {math.exp(change):.2g} from the window's beginning to"
        " its end: not a steady state; lengthen warmup_s, or look for what grows"
    )


def fitted_change(logs: np.ndarray) -> tuple[float, float]:
    """Return the change of the fitted line from first edge to last, and the p-value of none."""
    if np.ptp(logs) == 0:
        return 0.0, 1.0
    fit = fitted_line(logs)
    return fit.slope * len(logs), fit.p


def dropped_arrivals(cell: GateInput) -> str | None:
    """Check that no arrival was dropped. Those would have been the slowest."""
    record = cell.record
    if not record.dropped:
        return None
    return (
        f"censored: {record.dropped:,} of {record.scheduled:,} arrivals were dropped because too"
        " many requests were in flight already, so response times look better than they were:"
        " lower the rate, or raise in_flight"
    )


def backlog(cell: GateInput) -> str | None:
    """Check that requests in flight do not grow all the time, in every window."""
    growths = [_growth(in_flight) for in_flight in cell.window.in_flight_at(BACKLOG_SAMPLES)]
    if not growths or not all(growths):
        return None
    begin, end = growths[-1] or (0.0, 0.0)
    return (
        f"not a steady state: requests in flight grew from {max(0.0, begin):.0f} to {end:.0f} in"
        " the window. Either the rate is above what the server can take: lower it; or the window"
        " is too short to tell: lengthen measure_s"
    )


def _growth(in_flight: np.ndarray) -> tuple[float, float] | None:
    """Return begin and end of the line that they grow along, if they do."""
    if np.ptp(in_flight) == 0:
        return None
    fit = fitted_line(in_flight)
    growth = fit.slope * BACKLOG_SAMPLES
    if fit.r2 < BACKLOG_R2 or growth < max(MIN_BACKLOG, MAX_TREND * in_flight.mean()):
        return None
    return fit.intercept, fit.intercept + growth


def offered_rate(cell: GateInput) -> str | None:
    """Check that the scheduled rate was sent."""
    due = cell.record.scheduled - cell.record.dropped
    sent = int(cell.window.contains(cell.window.sent_ns).sum())
    if sent >= MIN_OFFERED * due or due - sent <= EDGE_REQUESTS:
        return None
    return (
        f"only {sent:,} of {due:,} requests were sent inside the window: the generator did not"
        " reach the rate; lower it, or raise processes"
    )


def lag(cell: GateInput) -> str | None:
    """Check that requests were sent on time, at p99 within what the machine itself is late."""
    lag_ms = _lag_ms(cell)
    if not len(lag_ms):
        return None
    p50_ms, p99_ms = np.percentile(lag_ms, [50, 99])
    if p50_ms > MAX_LAG_P50_MS:
        return (
            f"half of the requests were sent more than {p50_ms:.2g} ms late"
            f" ({MAX_LAG_P50_MS} ms is allowed): lower the rate, or raise processes"
        )
    if cell.floor is None or not _tail_is_late(cell):
        return None
    floor_ms = cell.floor.lag_p99_ms
    max_ms = max(FLOOR_TIMES * floor_ms, floor_ms + CLUMP_MS)
    if p99_ms <= max_ms:
        return None
    return (
        f"one request in a hundred was sent more than {p99_ms:.2g} ms late, above a tenth of the"
        f" p99 response time and above {max_ms:.2g} ms (this machine is {floor_ms:.2g} ms late by"
        " itself): measure again when it is calm, or lower the rate"
    )


def _lag_ms(cell: GateInput) -> np.ndarray:
    return cell.window.lag_ms(cell.window.contains(cell.window.intended_ns))


def _lag_p99_ms(cell: GateInput) -> float:
    return float(np.percentile(_lag_ms(cell), 99))


def _tail_is_late(cell: GateInput) -> bool:
    """Compare with timed requests only: slow background requests would hide a late generator."""
    response_ms = cell.window.response_ms()
    if not len(_lag_ms(cell)) or not len(response_ms):
        return False
    return _lag_p99_ms(cell) > LAG_OF_RESPONSE * float(np.percentile(response_ms, 99))


# The deeper reason first: what is dropped or piles up also fails later gates.
GATES: dict[LoadKind, tuple[Gate, ...]] = {
    "closed": (
        *(users_ended, exceptions, no_requests, errors, generator_cpu, idle_servers, little),
        *(trend, not_drained),
    ),
    "open": (
        *(no_requests, dropped_arrivals, backlog, errors, generator_cpu, idle_servers),
        *(offered_rate, lag, not_drained),
    ),
}
