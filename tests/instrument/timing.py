"""Items 2 to 5, 7 and 8: times of requests beside the log of the server or the schedule."""

from typing import NamedTuple

import numpy as np
import polars as pl

from tests.instrument import MissingDataError, checks
from tests.instrument.checks import Values, at_most, between, within
from tests.instrument.plans import RATE, SERIAL, SLOTS, STALL_RATE, STALL_USERS
from tests.instrument.recording import Recording
from twinbench.selfcheck import evaluate
from twinbench.selfcheck.evaluate import MOST_FLOOR_MS, NS_PER_MS, Measurement, ms
from twinbench.selfcheck.result import Check

SLOPE_OFF = 0.005  # at 100 ms half a millisecond
WAIT_OFF = 0.05
# After the stall the requests of a second are sent at once: some 200, at 0.05 ms each, and as
# much again on a busy machine.
CATCH_UP_MS = 25.0
STALL_OFF = 0.05  # of the number of requests, beside one more or less at each end of the stall
# The p99 of the bare timer loop moves by this factor between minutes on a shared machine
# (docs/calibration.md).
LAG_TIMES = 1.5
NS_EVEN = 1_000_000_000 // RATE


def recorded(recording: Recording, measurement: Measurement) -> Check:
    """Check that every request that the server answered is recorded, and no other."""
    record = measurement.record
    logged = len(recording.log(record.target, measurement))
    return within(f"{record.scenario}: requests recorded", "", len(measurement.requests), logged)


class Matched(NamedTuple):
    """Requests beside the log: an array for each column, a row for each request, in ms."""

    request: Values  # index into the scenario's requests
    sent: Values
    service: Values  # by the log, from its beginning to the response
    response_wait: Values  # done - intended, beyond the service
    exchange_wait: Values  # done - sent, beyond the service
    in_window: Values


def matched(recording: Recording, measurement: Measurement) -> Matched:
    """Return requests and log row by row, as far as both go (`recorded` checks that).

    The servers take requests in the order of sending, so the nth sent is the nth begun.
    """
    log = recording.log(measurement.record.target, measurement)
    rows = measurement.requests.sort("sent_ns")
    both = min(len(rows), len(log))
    rows, log = rows[:both], log[:both]
    ((begin, end),) = measurement.record.windows_ns
    service = ms(log, "ended_ns", "began_ns")
    return Matched(
        request=rows["request"].to_numpy(),
        sent=rows["sent_ns"].to_numpy() / NS_PER_MS,
        service=service,
        response_wait=ms(rows, "done_ns", "intended_ns") - service,
        exchange_wait=ms(rows, "done_ns", "sent_ns") - service,
        in_window=rows["intended_ns"].is_between(begin, end, closed="left").to_numpy(),
    )


def delays(recording: Recording) -> list[Check]:
    """Check that latencies grow with the delay one to one."""
    measurement = recording.measurement("delays")
    rows = matched(recording, measurement)
    # Medians, request by request: a pause of the machine delays some, and not most.
    of_request = [rows.request == request for request in np.unique(rows.request)]
    logged = np.array([np.median(rows.service[own]) for own in of_request])
    read = logged + [np.median(rows.response_wait[own]) for own in of_request]
    slope, intercept = np.polyfit(logged, read, 1)
    return [
        within("slope of latency over delay", "", slope, 1.0, share=SLOPE_OFF),
        at_most("intercept (floor)", "ms", intercept, MOST_FLOOR_MS),
        recorded(recording, measurement),
    ]


def serial_queue(recording: Recording) -> list[Check]:
    """Check mean waits against Pollaczek-Khinchine, with the moments of the log."""
    queues = [
        _queue(recording, f"serial_{load}", 1, f", {service.replace('_', ' ')}")
        for load, service in SERIAL.items()
    ]
    return [check for kind in zip(*queues, strict=True) for check in kind]


def pool(recording: Recording) -> list[Check]:
    """Check the mean wait for one of 40 slots against Erlang C."""
    return _queue(recording, "pool", SLOTS, "")


def _queue(recording: Recording, scenario: str, slots: int, kind: str) -> list[Check]:
    """Check the mean wait against the formula, and against the recursion; count the requests."""
    measurement = recording.measurement(scenario)
    rows = matched(recording, measurement)
    inside = rows.in_window
    services = rows.service[inside]
    rate = len(services) / (measurement.record.window_s * 1e3)  # a ms
    load = rate * float(services.mean()) / slots
    if load >= 1:
        raise MissingDataError(f"{measurement.record.label}: overloaded ({load:.0%})")
    if slots == 1:
        expected = checks.pollaczek_khinchine(rate, services)
    else:
        expected = checks.erlang_c(slots, rate, float(services.mean()))
    # The floor: the mean time beyond the service where no request waits, under an open load too.
    floor = matched(recording, recording.measurement("unqueued"))
    wait = checks.batch_mean(rows.response_wait[inside] - _mean(floor.response_wait, floor))
    # A generator that sends a request late does not change what the queue does with it.
    sent_wait = rows.exchange_wait[inside] - _mean(floor.exchange_wait, floor)
    exact = checks.waits(rows.sent, rows.service, slots)[inside]
    name = f"mean wait at {load:.0%}{kind}"
    # Within a twentieth, or what chance leaves open in a window of this length ...
    reach = max(WAIT_OFF * expected, wait.reach)
    return [
        between(name, "ms", wait.value, max(0.0, expected - reach), expected + reach),
        within(
            f"{name}, of these arrivals and services",
            "ms",
            float(sent_wait.mean()),
            float(exact.mean()),
            share=WAIT_OFF,
            reach=checks.batch_mean(sent_wait - exact).reach,  # ... or pauses of the machine.
        ),
        recorded(recording, measurement),
    ]


def _mean(values: Values, rows: Matched) -> float:
    return float(values[rows.in_window].mean())


def stalls(recording: Recording) -> list[Check]:
    """Check that an open load shows a stall whole, of the server or of the generator."""
    opened, closed = recording.measurement("frozen_open"), recording.measurement("frozen_closed")
    freeze = _freeze(recording, opened)
    stop = recording.other("stop")[0]
    stopped = recording.measurement("stopped")
    return [
        *_slow(freeze, opened),
        *_hidden(_freeze(recording, closed), closed),
        *_complete("server frozen, open load", freeze, opened),
        *_complete("generator stopped, open load", stop, stopped),
    ]


def _freeze(recording: Recording, measurement: Measurement) -> tuple[int, int]:
    """Return when the server's freeze began and ended, in ns."""
    log = recording.log("frozen", measurement)
    if log.is_empty():
        raise MissingDataError(f"{measurement.record.label}: the server never froze")
    _, began_ns, ended_ns, _ = log.row(0)
    return began_ns, ended_ns


def _slow(freeze: tuple[int, int], measurement: Measurement) -> list[Check]:
    """With constant arrivals, half of the requests due meanwhile wait for more than half of it."""
    lasted = _lasted_ms(freeze)
    response = ms(measurement.requests, "done_ns", "intended_ns")
    slow = int((response > lasted / 2).sum())
    due = STALL_RATE * lasted / 2e3
    # Requests due shortly before the half wait for more than it while the others are answered.
    reach = 2 + STALL_RATE * CATCH_UP_MS / 1e3
    name = "open load: requests above half the freeze"
    low, high = lasted - 2e3 / STALL_RATE, lasted + CATCH_UP_MS
    return [
        within(name, "", slow, due, share=STALL_OFF, reach=reach),
        between("open load: longest response", "ms", response.max(), low, high),
    ]


def _hidden(freeze: tuple[int, int], measurement: Measurement) -> list[Check]:
    """Check that a closed load stalls with its server: one request of each user shows it."""
    lasted = _lasted_ms(freeze)
    response = ms(measurement.requests, "done_ns", "intended_ns")
    slow = int((response > lasted / 2).sum())
    p99 = float(np.percentile(response, 99))
    return [
        within("closed load: requests that waited for the freeze", "", slow, STALL_USERS),
        at_most("closed load: p99", "ms", p99, lasted / 20),
    ]


def _complete(name: str, stall: tuple[int, int], measurement: Measurement) -> list[Check]:
    """All requests due meanwhile are recorded, and each waited until the end of the stall."""
    began_ns, ended_ns = stall
    rows = measurement.requests
    rows = rows.filter(pl.col("intended_ns").is_between(began_ns, ended_ns, closed="left"))
    lasted = _lasted_ms(stall)
    due = STALL_RATE * lasted / 1e3
    beyond = (rows["done_ns"].to_numpy() - ended_ns) / NS_PER_MS if len(rows) else -lasted
    return [
        within(f"{name}: requests due meanwhile", "", len(rows), due, share=STALL_OFF, reach=2),
        at_most(f"{name}: answered after its end, first", "ms", np.min(beyond), CATCH_UP_MS),
        at_most(f"{name}: answered after its end, last", "ms", np.max(beyond), CATCH_UP_MS),
    ]


def _lasted_ms(stall: tuple[int, int]) -> float:
    began_ns, ended_ns = stall
    return (ended_ns - began_ns) / NS_PER_MS


def arrivals(recording: Recording) -> list[Check]:
    """Check that arrivals are those of the schedule, and are sent in time."""
    poisson, constant = recording.measurements("poisson"), recording.measurement("constant")
    gaps = np.concatenate([_gaps(measurement) for measurement in poisson]) / NS_EVEN
    dependence, most = checks.serial_dependence(gaps), checks.NORMAL_MOST
    distance = checks.anderson_darling(gaps)
    off_ms = float(np.abs(_gaps(constant) - NS_EVEN).max()) / 1e6
    lags = [ms(measurement.in_window, "sent_ns", "intended_ns") for measurement in poisson]
    timer = [np.array(lags_ns) / NS_PER_MS for lags_ns in recording.other("timer")]
    return [
        *evaluate.arrival_lag(lags, timer, LAG_TIMES, np.median),
        at_most("gaps: distance from exponential", "", distance, checks.ANDERSON_DARLING_MOST),
        between("gaps: correlation with the next", "sd", dependence, -most, most),
        # The schedule is kept in nanoseconds, and written as such.
        at_most("constant arrivals: gaps off by", "ms", off_ms, 0.001),
        *(_all_recorded(measurement) for measurement in (*poisson, constant)),
    ]


def _gaps(measurement: Measurement) -> Values:
    return np.diff(np.sort(measurement.in_window["intended_ns"].to_numpy()))


def _all_recorded(measurement: Measurement) -> Check:
    """Every arrival of the schedule in the window is recorded, or counted as dropped."""
    record = measurement.record
    found = len(measurement.in_window) + record.dropped
    return within(f"{record.scenario}, block {record.block}: arrivals", "", found, record.scheduled)


def headroom(recording: Recording) -> list[Check]:
    """Check that the generator sends twice the highest rate of the plan."""
    return evaluate.headroom(recording.measurement("limits"))
