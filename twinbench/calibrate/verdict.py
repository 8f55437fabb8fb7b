"""From figures to PASS or FAIL, and to the sentence that says so."""

from collections.abc import Callable
from typing import NamedTuple

from twinbench.calibrate import NoEvidenceError
from twinbench.calibrate.evidence import Evidence
from twinbench.findings import Check, Item, Picture

Judged = tuple[list[Check], Picture | None]


class Known(NamedTuple):
    """A known answer: how it is judged, what a FAIL of it `means`, and what to do; the first
    `headline` checks are told even if all is well."""

    number: int
    name: str
    judge: Callable[[Evidence], Judged]
    means: str
    headline: int = 1


def judged(known: Known, evidence: Evidence) -> Item:
    """The item of `known`; what cannot be judged has failed."""
    try:
        checks, picture = known.judge(evidence)
    except NoEvidenceError as missing:
        said = f"{missing}. {known.means}"
        return Item(number=known.number, name=known.name, verdict="FAIL", said=said)
    failed = [check for check in checks if not check.ok]
    said = "; ".join(told(check) for check in failed or checks[: known.headline])
    if failed:
        said += f". {known.means}"
    elif more := len(checks) - known.headline:
        said += f"; and {more} more"
    return Item(
        number=known.number,
        name=known.name,
        verdict="FAIL" if failed else "PASS",
        said=said,
        checks=checks,
        picture=picture,
    )


def skipped(number: int, name: str, why: str) -> Item:
    return Item(number=number, name=name, verdict="SKIP", said=why)


def within(
    what: str,
    unit: str,
    measured: float,
    expected: float,
    *,
    share: float = 0.0,
    reach: float = 0.0,
) -> Check:
    """`measured` must lie within `share` of `expected`, or `reach`, whichever is wider."""
    half = max(share * abs(expected), reach)
    return between(what, unit, measured, expected, (expected - half, expected + half))


def between(
    what: str, unit: str, measured: float, expected: float, bounds: tuple[float, float]
) -> Check:
    low, high = bounds
    numbers = {"measured": float(measured), "expected": float(expected)}
    # Neither is a number in JSON, and neither says anything.
    if any(number != number or abs(number) == float("inf") for number in numbers.values()):
        raise NoEvidenceError(f"{what}: nothing to compare ({measured} against {expected})")
    return Check(what=what, unit=unit, low=low, high=high, **numbers)


def at_most(what: str, unit: str, measured: float, most: float) -> Check:
    """Of what cannot be below zero, and had better be there."""
    return between(what, unit, measured, most, (0.0, most))


def told(check: Check) -> str:
    """`mean wait 4.93 ms, expected 5.01 (4.76 to 5.26)`"""
    read = f"{check.what} {_short(check.measured)}" + f" {check.unit}" * bool(check.unit)
    if check.low == check.high:
        return f"{read}, expected {_short(check.expected)}"
    if check.at_most:
        return f"{read} (at most {_short(check.high)})"
    return (
        f"{read}, expected {_short(check.expected)} ({_short(check.low)} to {_short(check.high)})"
    )


def _short(number: float) -> str:
    """Three or four digits, as a person would write it."""
    if number == round(number) or abs(number) >= 1000:
        return f"{number:,.0f}"
    if 0.1 <= abs(number) < 1:
        return f"{number:.3f}"
    return f"{number:.4g}" if abs(number) >= 1 else f"{number:.2g}"
