"""Conditions that look at one app: into it, and at how its requests disturb one another."""

import statistics
from typing import Literal, Self

from pydantic import Field, model_validator

from twinbench.analyse.claims.bounds import Bounded
from twinbench.analyse.claims.figures import by_block, number, told
from twinbench.analyse.claims.scene import App, Scene
from twinbench.analyse.intervals import geometric
from twinbench.analyse.margins import FLOORS
from twinbench.analyse.results import CellResult, Estimate, Verdict
from twinbench.plan import Load
from twinbench.plan.requests import Count

Figure = Literal[
    "loop_lag_p99_ms",
    "threads_used_max",
    "threads_waiting_max",
    "connections_waiting_max",
]
NAMES: dict[Figure, tuple[str, str]] = {
    "loop_lag_p99_ms": ("p99 of the event loop's lag", " ms"),
    "threads_used_max": ("highest number of pool threads in use", ""),
    "threads_waiting_max": ("highest number of requests waiting for a pool thread", ""),
    "connections_waiting_max": ("highest number of requests waiting for a connection", ""),
}
# One block is one draw; with five all on one side, chance alone does that once in sixteen times.
LEAST_BLOCKS = 2


class Level(Bounded):
    """What telemetry saw in one app: the median over blocks, from the lowest to the highest of
    them, all of which have to lie on one side. Also of blocks in which it stopped answering: what
    it did then is to be seen inside, and only there."""

    kind: Literal["level"]
    app: App
    figure: Figure

    def subject(self, scene: Scene) -> str:
        return f"the {NAMES[self.figure][0]} in {scene.targets[self.app]} is"

    def needs(self, scene: Scene) -> str:
        return self.bound(NAMES[self.figure][1])

    def cells(self, scene: Scene, load: Load) -> list[CellResult]:
        return scene.cells(load, self.app)

    def at(self, scene: Scene, load: Load) -> tuple[Verdict, str]:
        there = [cell for cell in self.cells(scene, load) if cell.status != "void"]
        known = [v for cell in there if (v := getattr(cell, self.figure)) is not None]
        if not known:
            return "undecided", "not known (nothing was seen of it)"
        low, high, unit = min(known), max(known), NAMES[self.figure][1]
        found = Estimate(estimate=statistics.median(known), low=low, high=high)
        if len(known) < LEAST_BLOCKS:
            return "undecided", f"{number(found.estimate)}{unit} (one block)"
        return self.side_of(found), told(found, unit)


class Interference(Bounded):
    """p99 of one app's requests beside neighbours (`scenario`), as a multiple of their p99 in the
    scenario `alone`, paired by block. The loads differ by the neighbours: `alone_open` are those of
    `alone`, in the same order."""

    kind: Literal["interference"]
    app: App
    open: list[Count] = Field(min_length=1)
    alone: str
    alone_open: list[Count]

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        if len(self.open) != len(self.alone_open):
            raise ValueError("give as many loads in alone_open as in open")
        return self

    def subject(self, scene: Scene) -> str:
        return f"the p99 of {scene.targets[self.app]}, as a multiple of that in {self.alone}, is"

    def needs(self, scene: Scene) -> str:
        return self.bound("×")

    def cells(self, scene: Scene, load: Load) -> list[CellResult]:
        beside, alone = self._both(scene, load)
        return [*beside, *alone] if beside and alone else []

    def at(self, scene: Scene, load: Load) -> tuple[Verdict, str]:
        beside, alone = (
            by_block(cells, lambda cell: cell.latency_ms.p99) for cells in self._both(scene, load)
        )
        blocks = sorted(beside.keys() & alone.keys())
        ratio = geometric([beside[block] / alone[block] for block in blocks])
        if not ratio:
            return "undecided", "not known (no block in which both have a p99)"
        if _at_floor(scene, beside) and _at_floor(scene, alone):
            return "undecided", "not known (both are close to what this machine can resolve)"
        return self.side_of(ratio), told(ratio, "×")

    def _both(self, scene: Scene, load: Load) -> tuple[list[CellResult], list[CellResult]]:
        at = Load("open", self.alone_open[self.open.index(load.value)])
        alone = Scene(scene.results, self.alone)
        return scene.cells(load, self.app), alone.cells(at, self.app)


def _at_floor(scene: Scene, p99s_ms: dict[int, float]) -> bool:
    """Whether they show the way there and back more than the server."""
    found = scene.results.calibration
    typical_ms = statistics.geometric_mean(p99s_ms.values())
    return found is not None and typical_ms < FLOORS * found.floor.latency_p99_ms
