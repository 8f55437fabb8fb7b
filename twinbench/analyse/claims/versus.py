"""Conditions that set the async app against the sync app."""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from scipy import stats

from twinbench.analyse.claims.bounds import Bounded
from twinbench.analyse.claims.condition import Condition
from twinbench.analyse.claims.figures import by_block, number, told
from twinbench.analyse.claims.scene import OTHER, App, Scene
from twinbench.analyse.intervals import CONFIDENCE, geometric
from twinbench.analyse.margins import MARGIN
from twinbench.analyse.results import CellResult, Comparison, Estimate, Metric, Verdict
from twinbench.plan import Load

NAMES: dict[Metric, str] = {
    "throughput": "throughput",
    "per_cpu_s": "good answers per CPU second",
    "p50": "median response time",
    "p99": "p99 of the response time",
}


class Ratio(Bounded):
    """async / sync, as in the comparisons. Where only one of the two answers at all, it is ahead by
    more than any factor; of CPU per answer that says nothing."""

    kind: Literal["ratio"]
    metric: Metric

    def subject(self, scene: Scene) -> str:
        return f"{scene.targets['async']} / {scene.targets['sync']} by {NAMES[self.metric]} is"

    def needs(self, scene: Scene) -> str:
        return self.bound("×")

    def at(self, scene: Scene, load: Load) -> tuple[Verdict, str]:
        compared = scene.comparison(load, self.metric)
        if compared.survivor and self.metric != "per_cpu_s":
            return self._alone(compared)
        if compared.ratio is None:
            return "undecided", f"not known ({'; '.join(compared.reasons)})"
        return self.side_of(compared.ratio), told(compared.ratio, "×")

    def _alone(self, compared: Comparison) -> tuple[Verdict, str]:
        """The one that stopped has a throughput of 0, and latencies without end."""
        async_answers = compared.survivor == compared.candidate
        ratio = math.inf if async_answers == (self.metric == "throughput") else 0.0
        named = "infinite" if ratio else "zero"
        return self.side(ratio, ratio), f"{named} (only {compared.survivor} answers)"


class Plateau(Condition):
    """One app's throughput ends at a limit, which the other's exceeds. It has to come near it: what
    stays far below is limited by something else."""

    kind: Literal["plateau"]
    app: App
    limit_rps: float = Field(gt=0, strict=True)
    near: float = Field(gt=0, lt=1, strict=True, description="so far below it, as a share")

    def subject(self, scene: Scene) -> str:
        own, other = scene.targets[self.app], scene.targets[OTHER[self.app]]
        return f"the throughput of {own}, beside that of {other}, is"

    def needs(self, scene: Scene) -> str:
        lowest = number((1 - self.near) * self.limit_rps)
        return f"{lowest} to {number(self.limit_rps)} a second, and more than that of the other"

    def at(self, scene: Scene, load: Load) -> tuple[Verdict, str]:
        own = _throughput(scene.cells(load, self.app))
        other = _throughput(scene.cells(load, OTHER[self.app]))
        if not own or not other:
            return "undecided", "not known (not both have valid cells)"
        return self._side(own, other), f"{told(own)} beside {told(other)}"

    def _side(self, own: Estimate, other: Estimate) -> Verdict:
        if own.low is None or own.high is None or other.low is None:
            return "undecided"
        beyond = self.limit_rps * (1 + MARGIN)
        if own.low > beyond:
            return "refuted"
        at_limit = (1 - self.near) * self.limit_rps < own.low and own.high < beyond
        return "supported" if at_limit and other.low > beyond else "undecided"


class Stops(Condition):
    """One app stops answering, in one block at least, and the other goes on in all."""

    kind: Literal["stops"]
    app: App

    def subject(self, scene: Scene) -> str:
        return f"{scene.targets[self.app]} stops answering in"

    def needs(self, scene: Scene) -> str:
        return "it stops, and the other does not"

    def at(self, scene: Scene, load: Load) -> tuple[Verdict, str]:
        own, other = (
            [cell.status for cell in scene.cells(load, app) if cell.status != "void"]
            for app in (self.app, OTHER[self.app])
        )
        figure = (
            f"{own.count('collapsed')} of {len(own)} blocks"
            f" ({scene.targets[OTHER[self.app]]} in {other.count('collapsed')} of {len(other)})"
        )
        if own and "collapsed" not in own:
            return "refuted", figure
        return "supported" if own and other and "collapsed" not in other else "undecided", figure


class Difference(Bounded):
    """Median response time of the sync app less that of the async app, in ms: mean over blocks,
    paired by block, with Student's t interval. What the way there and back takes falls out."""

    kind: Literal["difference_ms"]

    def subject(self, scene: Scene) -> str:
        sync, other = scene.targets["sync"], scene.targets["async"]
        return f"the median response time of {sync} less that of {other} is"

    def needs(self, scene: Scene) -> str:
        return self.bound(" ms")

    def at(self, scene: Scene, load: Load) -> tuple[Verdict, str]:
        sync = _medians_ms(scene.cells(load, "sync"))
        other = _medians_ms(scene.cells(load, "async"))
        found = _mean([sync[block] - other[block] for block in sorted(sync.keys() & other.keys())])
        if not found:
            return "undecided", "not known (no block in which the cells of both are valid)"
        return self.side_of(found), told(found, " ms")


def _throughput(cells: Sequence[CellResult]) -> Estimate | None:
    return geometric(list(by_block(cells, lambda cell: cell.throughput_rps).values()))


def _medians_ms(cells: Sequence[CellResult]) -> dict[int, float]:
    return by_block(cells, lambda cell: cell.latency_ms.p50)


def _mean(values: Sequence[float]) -> Estimate | None:
    """Mean, with Student's t interval; one value has none."""
    count = len(values)
    if count < 2:
        return Estimate(estimate=values[0]) if values else None
    mean = statistics.fmean(values)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    reach *= statistics.stdev(values) / math.sqrt(count)
    return Estimate(estimate=mean, low=mean - reach, high=mean + reach)
