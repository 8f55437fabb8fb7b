"""Validity of a run at a glance: a few words each, which lead to where more is said."""

from dataclasses import dataclass
from typing import Literal

from twinbench.analyse.results import CellStatus, Results

Tone = Literal["good", "plain", "bad"]


@dataclass(frozen=True)
class Badge:
    """`tone`: whether a run can be trusted the more or the less for it. `section`: of the page."""

    text: str
    tone: Tone
    section: str


def badges(results: Results) -> list[Badge]:
    """Cells by status, what is missing, calibration, and one target against itself."""
    return [
        *_cells(results),
        _calibration(results),
        *_against_itself(results),
    ]


def _cells(results: Results) -> list[Badge]:
    def count(status: CellStatus) -> int:
        return sum(cell.status == status for cell in results.cells)

    valid, void = count("valid"), count("void")
    found = [Badge(f"{valid:,} cells valid", "good" if valid else "bad", "raw")]
    if collapsed := count("collapsed"):
        found.append(Badge(f"{collapsed:,} collapsed", "plain", "raw"))
    found.append(
        Badge(f"{void:,} void" if void else "none void", "plain" if void else "good", "raw")
    )
    if results.missing_cells:
        found.append(Badge(f"{results.missing_cells:,} not measured yet", "bad", "raw"))
    return found


def _calibration(results: Results) -> Badge:
    found = results.calibration
    if found is None:
        return Badge("not calibrated", "bad", "calibration")
    asked = [item for item in found.items if item.verdict != "SKIP"]
    read = len(asked) - len(found.failed)
    text = f"calibration {read} of {len(asked)}"
    return Badge(text, "bad" if found.failed else "good", "calibration")


def _against_itself(results: Results) -> list[Badge]:
    """One target measured twice (A/A): no difference may be shown."""
    twice = [c for c in results.comparisons if c.same and c.ratio]
    shown = [c for c in twice if c.decision in ("faster", "slower")]
    if not twice:
        return []
    section = f"scenario-{(shown or twice)[0].scenario}"
    if shown:
        return [Badge(f"A/A: {len(shown)} of {len(twice)} differ", "bad", section)]
    return [Badge("A/A: no difference", "good", section)]
