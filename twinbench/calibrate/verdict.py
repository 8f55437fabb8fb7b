"""From figures to PASS or FAIL, and to the sentence that says so."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from twinbench.calibrate.evidence import Evidence, NoEvidenceError
from twinbench.findings import Check, Item, Picture

Judged = tuple[list[Check], Picture | None]


class Known(NamedTuple):
    """A known answer: how it is judged, and what a FAIL of it `means`, and what to do."""

    number: int
    name: str
    judge: Callable[[Evidence], Judged]
    means: str


def judged(known: Known, evidence: Evidence) -> Item:
    """The item of `known`; what cannot be judged has failed."""
    try:
        checks, picture = known.judge(evidence)
    except NoEvidenceError as missing:
        said = f"{missing}. {known.means}"
        return Item(number=known.number, name=known.name, verdict="FAIL", said=said)
    failed = [check for check in checks if not check.ok]
    said = "; ".join(told(check) for check in failed or [tightest(checks)])
    if failed:
        said += f". {known.means}"
    elif len(checks) > 1:
        said += f"; the other {len(checks) - 1} further inside their bounds"
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


def tightest(checks: Sequence[Check]) -> Check:
    """The one that came closest to its bounds."""
    return min(checks, key=_room)


def _room(check: Check) -> float:
    half = (check.high - check.low) / 2
    if not half:
        return 1.0  # exact, and met: there is no closer
    return min(check.measured - check.low, check.high - check.measured) / half


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


def told(check: Check) -> str:
    """`mean wait 4.93 ms, expected 5.01 (4.76 to 5.26)`"""
    unit = f" {check.unit}" if check.unit else ""
    bounds = f"{_short(check.low)} to {_short(check.high)}"
    return (
        f"{check.what} {_short(check.measured)}{unit}, expected {_short(check.expected)} ({bounds})"
    )


def _short(number: float) -> str:
    """Three digits or four, as a person would write it."""
    if number == round(number) or abs(number) >= 1000:
        return f"{number:,.0f}"
    return (
        f"{number:.3g}" if abs(number) < 0.1 or abs(number) >= 10 else f"{number:.3f}".rstrip("0")
    )
