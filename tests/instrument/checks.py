"""Checks of measured figures against bounds, and the verdict on a known answer."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from tests.instrument import MissingDataError
from tests.instrument.recording import Recording
from twinbench.selfcheck.result import Check


class KnownAnswer(NamedTuple):
    """Item of a calibration; `failure` says what a FAIL means and what to do."""

    number: int
    name: str
    check: Callable[[Recording], list[Check]]
    failure: str


class Outcome(NamedTuple):
    """Verdict on an item, and why where the checks do not say it."""

    number: int
    name: str
    verdict: Literal["PASS", "FAIL", "SKIP"]
    checks: Sequence[Check] = ()
    message: str = ""


def evaluate(answer: KnownAnswer, recording: Recording) -> Outcome:
    """Return the verdict on `answer`; what cannot be checked has failed."""
    try:
        checks = answer.check(recording)
    except MissingDataError as error:
        message = f"{error}. {answer.failure}"
        return Outcome(answer.number, answer.name, "FAIL", message=message)
    if all(check.ok for check in checks):
        return Outcome(answer.number, answer.name, "PASS", checks)
    return Outcome(answer.number, answer.name, "FAIL", checks, answer.failure)


def within(
    name: str,
    unit: str,
    measured: float,
    expected: float,
    *,
    share: float = 0.0,
    reach: float = 0.0,
) -> Check:
    """Return a check for `share` of `expected`, or `reach`, whichever is wider."""
    half = max(share * abs(expected), reach)
    return between(name, unit, measured, expected - half, expected + half)


def at_most(name: str, unit: str, measured: float, high: float) -> Check:
    """Return a check of a figure that is not below zero."""
    return between(name, unit, measured, 0.0, high)


def between(name: str, unit: str, measured: float, low: float, high: float) -> Check:
    """Return a check for bounds. Raises MissingDataError where a figure is not finite."""
    figures = [float(figure) for figure in (measured, low, high)]
    if not all(map(math.isfinite, figures)):
        raise MissingDataError(f"{name}: nothing to compare ({measured} in {low} to {high})")
    measured, low, high = figures
    return Check(name=name, unit=unit, measured=measured, low=low, high=high)
