"""Items 5, 7 and 8: stalls, arrivals and headroom of an open load."""

from typing import NamedTuple

import numpy as np
import polars as pl

from tests.instrument import MissingDataError, theory
from tests.instrument.checks import KnownAnswer, at_most, between, within
from tests.instrument.plans import RATE, STALL_RATE, STALL_USERS
from tests.instrument.recording import Recording
from tests.instrument.theory import Values
from twinbench.selfcheck.evaluate import (
    HEADROOM_ADVICE,
    LAG_ADVICE,
    NS_PER_MS,
    Measurement,
    arrival_lag,
    headroom,
    ms,
)
from twinbench.selfcheck.result import Check

# After the stall the requests of a second are sent at once: some 200, at 0.05 ms each, and as
# much again on a busy machine.
CATCH_UP_MS = 25.0
STALL_OFF = 0.05  # of the number of requests, beside one more or less at each end of the stall
# The p99 of the bare timer loop moves by this factor between minutes on a shared machine
# (docs/calibration.md).
LAG_TIMES = 1.5
NS_EVEN = 1_000_000_000 // RATE


class Stall(NamedTuple):
    """A stall from `began_ns` to `ended_ns`, and the requests due meanwhile."""

    began_ns: int
    ended_ns: int
    rows: pl.DataFrame

    @property
    def lasted_ms(self) -> float:
        return (self.ended_ns - self.began_ns) / NS_PER_MS

    @property
    def beyond_ms(self) -> Values:
        """How long after the end of the stall each request was answered."""
        return (self.rows["done_ns"].to_numpy() - self.ended_ns) / NS_PER_MS


def stalls(recording: Recording) -> list[Check]:
    """Check that an open load shows a stall whole, of the server or of the generator."""
    opened, closed = recording.measurement("frozen_open"), recording.measurement("frozen_closed")
    frozen = _freeze(recording, opened)
    stop = recording.other("stop")[0]
    stopped = _stall(recording.measurement("stopped"), stop["began_ns"], stop["ended_ns"])
    return [
        *_slow(frozen, opened),
        *_hidden(_freeze(recording, closed), closed),
        *_complete("server frozen, open load", frozen),
        *_complete("generator stopped, open load", stopped),
    ]


def _freeze(recording: Recording, measurement: Measurement) -> Stall:
    log = recording.log("frozen", measurement)
    if log.is_empty():
        raise MissingDataError(f"{measurement.record.label}: the server never froze")
    freeze = log.row(0, named=True)
    return _stall(measurement, freeze["began_ns"], freeze["ended_ns"])


def _stall(measurement: Measurement, began_ns: int, ended_ns: int) -> Stall:
    due = pl.col("intended_ns").is_between(began_ns, ended_ns, closed="left")
    return Stall(began_ns, ended_ns, measurement.requests.filter(due))


def _complete(name: str, stall: Stall) -> list[Check]:
    """All requests due meanwhile are recorded, and each waited until the end of the stall."""
    due = STALL_RATE * stall.lasted_ms / 1e3
    beyond = stall.beyond_ms if len(stall.rows) else np.array([-stall.lasted_ms])
    return [
        within(
            f"{name}: requests due meanwhile", "", len(stall.rows), due, share=STALL_OFF, reach=2
        ),
        at_most(f"{name}: answered after its end, first", "ms", beyond.min(), CATCH_UP_MS),
        at_most(f"{name}: answered after its end, last", "ms", beyond.max(), CATCH_UP_MS),
    ]


def _slow(stall: Stall, measurement: Measurement) -> list[Check]:
    """With constant arrivals, half of the requests due meanwhile wait for more than half of it."""
    lasted = stall.lasted_ms
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


def _hidden(stall: Stall, measurement: Measurement) -> list[Check]:
    """Check that a closed load stalls with its server: one request of each user shows it."""
    response = ms(measurement.requests, "done_ns", "intended_ns")
    slow = int((response > stall.lasted_ms / 2).sum())
    p99 = float(np.percentile(response, 99))
    return [
        within("closed load: requests that waited for the freeze", "", slow, STALL_USERS),
        at_most("closed load: p99", "ms", p99, stall.lasted_ms / 20),
    ]


def arrivals(recording: Recording) -> list[Check]:
    """Check that arrivals are those of the schedule, and are sent in time."""
    poisson, constant = recording.measurements("poisson"), recording.measurement("constant")
    gaps = np.concatenate([_gaps(measurement) for measurement in poisson]) / NS_EVEN
    dependence = theory.serial_dependence(gaps)
    distance = theory.anderson_darling(gaps)
    most = theory.NORMAL_MOST
    off_ms = float(np.abs(_gaps(constant) - NS_EVEN).max()) / 1e6
    lags = [ms(measurement.in_window, "sent_ns", "intended_ns") for measurement in poisson]
    timer = [np.array(lags_ns) / NS_PER_MS for lags_ns in recording.other("timer")]
    return [
        *arrival_lag(lags, timer, LAG_TIMES, np.median),
        at_most("gaps: distance from exponential", "", distance, theory.ANDERSON_DARLING_MOST),
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


def enough_headroom(recording: Recording) -> list[Check]:
    """Check that the generator sends twice the highest rate of the plan."""
    return headroom(recording.measurement("limits"))


STALLS = KnownAnswer(
    5,
    "server frozen, generator stopped",
    stalls,
    "Stalls are hidden or misdated: high percentiles of open loads are wrong here; report this as"
    " an error of twinbench.",
)
ARRIVALS = KnownAnswer(7, "Poisson arrivals, sent in time", arrivals, LAG_ADVICE)
HEADROOM = KnownAnswer(8, "headroom of the generator", enough_headroom, HEADROOM_ADVICE)
