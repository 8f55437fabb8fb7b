"""Validity of a run at a glance: a few words each, which lead to where more is said."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from twinbench.analyse.results import Results
from twinbench.report import instrument
from twinbench.report.standings import Standing, standings
from twinbench.store import Sharing

Tone = Literal["good", "plain", "bad"]
SHARING: dict[Sharing, str] = {
    "unpinned": "nothing pinned to cores",
    "one core": "server and generator share a core",
    "hardware threads": "server and generator share a core",
    "quota": "server and generator share a CPU quota",
}
SIGNS: dict[Tone, str] = {"good": "✓ ", "plain": "", "bad": "! "}


@dataclass(frozen=True)
class Badge:
    """`tone`: whether one can trust the run the more or the less for it. `section`: of the page."""

    text: str
    tone: Tone
    section: str

    @property
    def marked(self) -> str:
        return f"{SIGNS[self.tone]}{self.text}"


def badges(results: Results) -> list[Badge]:
    """Cells by status, what is missing, calibration, one target against itself, targets that are
    not meant to be equal, what server and generator share, and remarks."""
    return [
        *_cells(results),
        _calibration(results),
        *(_same(standing) for standing in standings(results) if standing.same),
        *_differing(results),
        *_sharing(results),
        *_remarks(results),
    ]


def _cells(results: Results) -> list[Badge]:
    counts = Counter(cell.status for cell in results.cells)
    found = [Badge(f"{counts['valid']:,} cells valid", "good" if counts["valid"] else "bad", "raw")]
    if results.plan.blocks == 1:
        found.append(Badge("one block: no intervals", "bad", "method"))
    if counts["collapsed"]:
        found.append(Badge(f"{counts['collapsed']:,} collapsed", "plain", "raw"))
    void = Badge(f"{counts['void']:,} void", "plain", "raw")
    found.append(void if counts["void"] else Badge("none void", "good", "raw"))
    if results.missing_cells:
        found.append(Badge(f"{results.missing_cells:,} not measured yet", "bad", "raw"))
    return found


def _calibration(results: Results) -> Badge:
    found = results.calibration
    if found is None:
        return Badge("not calibrated", "bad", "calibration")
    if found.failed:
        return Badge(f"calibration {instrument.failed(found)}", "bad", "calibration")
    asked = sum(item.verdict != "SKIP" for item in found.items)
    return Badge(f"calibration {asked} of {asked}", "good", "calibration")


def _same(standing: Standing) -> Badge:
    """One target measured twice (A/A): no difference may be shown."""
    section = f"scenario-{standing.scenario}"
    if standing.ahead:
        return Badge("A/A: a difference is shown", "bad", section)
    if standing.told:
        return Badge("A/A: no difference shown", "good", section)
    return Badge("A/A: not comparable", "plain", section)


def _differing(results: Results) -> list[Badge]:
    return [
        Badge(f"{target.name} is meant to differ", "plain", "method")
        for target in results.plan.targets
        if target.differs
    ]


def _sharing(results: Results) -> list[Badge]:
    sharing = results.machine.sharing
    return [Badge(SHARING[sharing], "bad", "method")] if sharing else []


def _remarks(results: Results) -> list[Badge]:
    if not (count := len(results.remarks)):
        return []
    return [Badge(f"{count} remark{'s' if count > 1 else ''}", "bad", "remarks")]
