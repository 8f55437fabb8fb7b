"""A condition of a claim: a scenario, loads, and what would have to be seen at each of them.

One rule makes one verdict of several, of loads as of conditions: supported if all are; refuted if
one is, because one load with the opposite is enough against what is claimed of all; else undecided.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from twinbench.analyse.claims.figures import joined, span
from twinbench.analyse.claims.scene import Scene
from twinbench.analyse.results import CellResult, Results, Verdict
from twinbench.plan import Load
from twinbench.plan.requests import Count, Strict

# What follows a figure: `(0.8 to 0.92)`.
INTERVAL = re.compile(r" \([^()]* to [^()]*\)")


class Found(NamedTuple):
    """At one load: a figure in words, what it says of the claim, and the cells behind it."""

    load: Load
    verdict: Verdict
    figure: str
    cells: list[int]


class Seen(NamedTuple):
    """A condition that was looked at. `subject` and a figure make a sentence; `needs` is what the
    figure would have to be."""

    scenario: str
    subject: str
    needs: str
    found: list[Found]

    @property
    def verdict(self) -> Verdict:
        return agreed([found.verdict for found in self.found])

    @property
    def cells(self) -> list[int]:
        return sorted({cell for found in self.found for cell in found.cells})

    def said(self, of: Verdict | None = None) -> str:
        """Of the loads with that verdict (left out: of all), without a full stop."""
        chosen = [found for found in self.found if of in (None, found.verdict)]
        known = [found for found in chosen if found.cells]
        figures = [
            f"{figure} at {span([found.load for found in alike])}"
            for figure, alike in groupby(known, key=lambda found: found.figure)
        ]
        missing = [found.load for found in chosen if not found.cells]
        parts = []
        if figures:
            told = f"in {self.scenario}, {self.subject} {joined(figures)}"
            parts.append(f"{told} (needed: {self.needs})")
        if missing:
            parts.append(f"not measured: {self.scenario} at {span(missing)}")
        return "; ".join(parts)

    def in_favour(self, told: Collection[str]) -> str:
        """In short, of the loads that speak for the claim: without intervals, and without a
        subject that was `told` before. Empty where none does."""
        chosen = [f for f in self.found if f.verdict == "supported" and f.cells]
        figures = [
            f"{INTERVAL.sub('', figure)} at {span([found.load for found in alike])}"
            for figure, alike in groupby(chosen, key=lambda found: found.figure)
        ]
        subject = "" if self.subject in told else f", {self.subject}"
        return f"in {self.scenario}{subject} {joined(figures)}" if figures else ""


class Condition(Strict, ABC):
    """`scenario` and its loads are those of the plan `full`."""

    scenario: str
    closed: list[Count] = Field(default=[], description="users")
    open: list[Count] = Field(default=[], description="requests a second")

    @model_validator(mode="after")
    def _one_kind_of_load(self) -> Self:
        if bool(self.closed) == bool(self.open):
            raise ValueError("give either closed (users) or open (requests a second)")
        return self

    @property
    def loads(self) -> list[Load]:
        return [Load("closed", n) for n in self.closed] + [Load("open", n) for n in self.open]

    def look(self, results: Results) -> Seen:
        scene = Scene(results, self.scenario)
        found = [self._find(scene, load) for load in self.loads]
        return Seen(self.scenario, self.subject(scene), self.needs(scene), found)

    def _find(self, scene: Scene, load: Load) -> Found:
        cells = self.cells(scene, load)
        if not cells:
            return Found(load, "undecided", "", [])
        return Found(load, *self.at(scene, load), [cell.id for cell in cells])

    def cells(self, scene: Scene, load: Load) -> list[CellResult]:
        """All that is looked at, void cells included; nothing where it was not measured."""
        return scene.cells(load)

    @abstractmethod
    def subject(self, scene: Scene) -> str: ...

    @abstractmethod
    def needs(self, scene: Scene) -> str: ...

    @abstractmethod
    def at(self, scene: Scene, load: Load) -> tuple[Verdict, str]:
        """The verdict of one load, and the figure that follows `subject` in a sentence."""


def agreed(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several."""
    if "refuted" in verdicts:
        return "refuted"
    return "supported" if set(verdicts) == {"supported"} else "undecided"
