"""Items 2 to 4: fixed delays and queues, request by request against the log of the server.

The servers take requests in the order of sending, so the nth sent is the nth begun.
"""

from typing import NamedTuple

import numpy as np

from tests.instrument import MissingDataError, theory
from tests.instrument.checks import KnownAnswer, at_most, between, within
from tests.instrument.plans import SERIAL, SLOTS
from tests.instrument.recording import Recording
from tests.instrument.theory import Mean, Values
from twinbench.selfcheck.evaluate import MOST_FLOOR_MS, NS_PER_MS, Measurement, ms
from twinbench.selfcheck.result import Check

SLOPE_OFF = 0.005  # at 100 ms half a millisecond
WAIT_OFF = 0.05


class Matched(NamedTuple):
    """Requests beside the log: an array for each column, a row for each request, in ms."""

    request: Values  # index into the scenario's requests
    sent: Values
    response: Values  # done - intended
    exchange: Values  # done - sent
    service: Values  # by the log, from its beginning to the response
    in_window: Values


class Queue(NamedTuple):
    """One measurement of a queue. Times in ms; `load` is the utilisation of a slot.

    `expected` is the formula's mean wait and `wait` the measured one; `exact_expected` is that of
    these arrivals and services, from sending on, and `exact_wait` what was measured of it.
    """

    load: float
    expected: float
    wait: Mean
    exact_expected: float
    exact_wait: Mean


def recorded(recording: Recording, measurement: Measurement) -> Check:
    """Check that every request that the server answered is recorded, and no other."""
    record = measurement.record
    logged = len(recording.log(record.target, measurement))
    return within(f"{record.scenario}: requests recorded", "", len(measurement.requests), logged)


def matched(recording: Recording, measurement: Measurement) -> Matched:
    """Return requests and log row by row, as far as both go (`recorded` checks that)."""
    log = recording.log(measurement.record.target, measurement)
    rows = measurement.requests.sort("sent_ns")
    both = min(len(rows), len(log))
    rows, log = rows[:both], log[:both]
    begin, end = measurement.record.window_ns
    return Matched(
        request=rows["request"].to_numpy(),
        sent=rows["sent_ns"].to_numpy() / NS_PER_MS,
        response=ms(rows, "done_ns", "intended_ns"),
        exchange=ms(rows, "done_ns", "sent_ns"),
        service=ms(log, "ended_ns", "began_ns"),
        in_window=rows["intended_ns"].is_between(begin, end, closed="left").to_numpy(),
    )


def delays(recording: Recording) -> list[Check]:
    """Check that latencies grow with the delay one to one."""
    measurement = recording.measurement("delays")
    rows = matched(recording, measurement)
    # Medians, request by request: a pause of the machine delays some, and not most.
    logged = _medians(rows, rows.service)
    read = logged + _medians(rows, rows.response - rows.service)
    slope, intercept = np.polyfit(logged, read, 1)
    return [
        within("slope of latency over delay", "", slope, 1.0, share=SLOPE_OFF),
        at_most("intercept (floor)", "ms", intercept, MOST_FLOOR_MS),
        recorded(recording, measurement),
    ]


def _medians(rows: Matched, values: Values) -> Values:
    """Return the median of `values` for each of the scenario's requests."""
    return np.array([np.median(values[rows.request == kind]) for kind in np.unique(rows.request)])


def serial_queue(recording: Recording) -> list[Check]:
    """Check mean waits against Pollaczek-Khinchine, with the moments of the log."""
    measurements = [recording.measurement(f"serial_{load}") for load in SERIAL]
    queues = [_queue(recording, measurement, 1) for measurement in measurements]
    names = [
        f"mean wait at {queue.load:.0%}, {service.replace('_', ' ')}"
        for queue, service in zip(queues, SERIAL.values(), strict=True)
    ]
    checks = [_by_formula(name, queue) for name, queue in zip(names, queues, strict=True)]
    checks += [_by_recursion(name, queue) for name, queue in zip(names, queues, strict=True)]
    return checks + [recorded(recording, measurement) for measurement in measurements]


def pool(recording: Recording) -> list[Check]:
    """Check the mean wait for one of 40 slots against Erlang C."""
    measurement = recording.measurement("pool")
    queue = _queue(recording, measurement, SLOTS)
    name = f"mean wait at {queue.load:.0%}"
    return [
        _by_formula(name, queue),
        _by_recursion(name, queue),
        recorded(recording, measurement),
    ]


def _by_formula(name: str, queue: Queue) -> Check:
    """Within a twentieth, or what chance leaves open in a window of this length."""
    reach = max(WAIT_OFF * queue.expected, queue.wait.reach)
    low, high = max(0.0, queue.expected - reach), queue.expected + reach
    return between(name, "ms", queue.wait.value, low, high)


def _by_recursion(name: str, queue: Queue) -> Check:
    """Within a twentieth, or what pauses of the machine leave open."""
    name = f"{name}, of these arrivals and services"
    wait = queue.exact_wait
    return within(name, "ms", wait.value, queue.exact_expected, share=WAIT_OFF, reach=wait.reach)


def _queue(recording: Recording, measurement: Measurement, slots: int) -> Queue:
    rows = matched(recording, measurement)
    inside = rows.in_window
    services = rows.service[inside]
    rate = len(services) / (measurement.record.window_s * 1e3)  # a ms
    load = rate * float(services.mean()) / slots
    if load >= 1:
        raise MissingDataError(f"{measurement.record.label}: overloaded ({load:.0%})")
    waits = (rows.response - rows.service)[inside] - _floor(recording, "response")
    sent_waits = (rows.exchange - rows.service)[inside] - _floor(recording, "exchange")
    # A generator that sends a request late does not change what the queue does with it.
    exact = theory.waits(rows.sent, rows.service, slots)[inside]
    if slots == 1:
        expected = theory.pollaczek_khinchine(rate, services)
    else:
        expected = theory.erlang_c(slots, rate, float(services.mean()))
    return Queue(
        load=load,
        expected=expected,
        wait=theory.batch_mean(waits),
        exact_expected=float(exact.mean()),
        exact_wait=Mean(float(sent_waits.mean()), theory.batch_mean(sent_waits - exact).reach),
    )


def _floor(recording: Recording, column: str) -> float:
    """Return the mean time beyond the service where no request waits, under an open load too."""
    rows = matched(recording, recording.measurement("unqueued"))
    over = getattr(rows, column) - rows.service
    return float(over[rows.in_window].mean())


_QUEUE_FAILURE = (
    "Waiting times under open loads are wrong here: trust no latency of an open load; look at the"
    " arrivals (item 7) and at stolen CPU time first."
)
DELAYS = KnownAnswer(
    2,
    "fixed delays: slope and floor",
    delays,
    "Latencies are stretched or shifted: do not publish latencies from this machine before you"
    " have found what else runs on the generator's core.",
)
SERIAL_QUEUE = KnownAnswer(3, "serial queue, Poisson arrivals", serial_queue, _QUEUE_FAILURE)
POOL = KnownAnswer(4, f"{SLOTS} slots, Poisson arrivals", pool, _QUEUE_FAILURE)
