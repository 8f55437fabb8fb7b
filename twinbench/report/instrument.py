"""Calibration in words and rows: could the instrument read known answers before this run?"""

from twinbench.analyse.results import Results
from twinbench.findings import Calibration, Check, Item
from twinbench.report import style

# Between bounds that are no further apart than so much of what is expected nothing can be shown.
EXACTLY = 1e-5


def sentence(results: Results) -> str:
    """How calibration went, or that there was none."""
    found = results.calibration
    if found is None:
        return "Not calibrated: nothing says what this machine's floor was during this run."
    skipped = sum(item.verdict == "SKIP" for item in found.items)
    parts = [read(found)]
    parts += [f"{failed(found)}"] if found.failed else []
    parts += [f"{skipped} skipped"] if skipped else []
    return f"Calibrated before the run ({found.form} form): {', '.join(parts)}."


def read(found: Calibration) -> str:
    """How many known answers were read right."""
    passed = sum(item.verdict == "PASS" for item in found.items)
    return f"{passed} of {len(found.items)} known answers read right"


def calibrations(results: Results) -> list[Calibration]:
    """What is known of the instrument: just before the run, and at the last `make calibrate`."""
    return [found for found in (results.calibration, results.full_calibration) if found]


def full_sentence(found: Calibration) -> str:
    """When all known answers were asked, and how many were read right."""
    return f"make calibrate, {found.started}: {read(found)}"


def failed(found: Calibration) -> str:
    """Which known answers were read wrong."""
    return "FAILED: " + "; ".join(f"check {item.number} ({item.name})" for item in found.failed)


def floor(found: Calibration) -> str:
    """What this machine shows where there is nothing to see."""
    at, number = found.floor, style.number
    return (
        f"A server that does nothing answers in {number(at.latency_p50_ms)} ms at the median and"
        f" {number(at.latency_p99_ms)} ms at p99; a bare timer wakes {number(at.lag_p50_ms)} ms"
        f" late at the median and {number(at.lag_p99_ms)} ms at p99. The generator sends"
        f" {number(found.capacity_rps)} requests a second to a server that does nothing."
    )


def rows(item: Item) -> list[list[str]]:
    """One row a check: what, measured, allowed, unit, margin; one row for an item without."""
    if not item.checks:
        return [[item.said, "", "", "", ""]]
    return [
        [check.what, style.figure(check.measured), _allowed(check), check.unit, _margin(check)]
        for check in item.checks
    ]


def _allowed(check: Check) -> str:
    low, high = style.figure(check.low), style.figure(check.high)
    if _exact(check):
        return f"just {style.figure(check.expected)}"
    return f"at most {high}" if check.at_most else f"{low} to {high}"


def _margin(check: Check) -> str:
    """How far inside its bounds, or outside of them."""
    if _exact(check) and check.ok:
        return ""
    above = check.high - check.measured
    inside = above if check.at_most else min(above, check.measured - check.low)
    return f"{style.figure(abs(inside))} {'to spare' if inside >= 0 else 'beyond'}"


def _exact(check: Check) -> bool:
    """Whether there is nothing to choose but the last digits of a sum."""
    return check.high - check.low <= EXACTLY * abs(check.expected)
