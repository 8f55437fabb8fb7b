"""Comparisons of versions made from the runs of `compare_power`, and how often they are right.

All are decided by `compare_versions`, as those of users are. A comparison takes the scenarios of
the CI plan from a run, one of them in its slowed version, and names the targets as it does.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Self

from tests.benchmarks.power_plan import SAME, SCENARIOS, USERS, Planted, planted_of
from twinbench.analyse.results import (
    CellResult,
    Estimate,
    Results,
    VersionComparison,
    VersionRow,
)
from twinbench.analyse.statistics import CONFIDENCE
from twinbench.analyse.verdict import compare_versions
from twinbench.plan import Load, Plan, Scenario
from twinbench.versions.result import BASE, BASE_AGAIN, HEAD, ComparedVersions, Version

# What CI would set: a slower row fails if it is slower by more.
FAIL_ON = 0.05
VERSION = Version(ref="planted", commit="0" * 40)
VERSIONS = ComparedVersions(base=VERSION, head=VERSION, fail_on=FAIL_ON)
# The part that each target without a change has in a comparison.
UNCHANGED = {BASE: BASE, SAME: HEAD, BASE_AGAIN: BASE_AGAIN}
Row = tuple[str, Load]
# How many times the throughput depends on the CPU share of the server, for each row.
CpuSlopes = Mapping[Row, float]


@dataclass(frozen=True, slots=True)
class Share:
    """`found` of `of` cases, with Wilson's interval."""

    found: int
    of: int

    @classmethod
    def among(cls, cases: Iterable[bool]) -> Self:
        """Return the share of the cases that are true."""
        every = list(cases)
        return cls(sum(every), len(every))

    def reaches(self, wanted: float) -> bool:
        """Return whether it is `wanted` or more."""
        return self.of > 0 and self.found >= wanted * self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Limits of the share at 95 %; 0 and 1 without a case.

        Source: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference,
        1927.
        """
        if not self.of:
            return 0.0, 1.0
        z2 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2
        middle = (self.found + z2 / 2) / (self.of + z2)
        spread = self.found * (self.of - self.found) / self.of + z2 / 4
        half = math.sqrt(z2 * spread) / (self.of + z2)
        return max(0.0, middle - half), min(1.0, middle + half)


def compared(
    runs: Sequence[Results],
    planted: Planted | None = None,
    times: float = 1,
    slopes: CpuSlopes | None = None,
) -> list[VersionComparison]:
    """Return the comparisons with `times` the blocks of a run that `runs` give.

    `planted` and `slopes` as in `of_versions`.
    """
    with_it = [run for run in runs if planted is None or planted in planted_of(run.plan)]
    return [
        compare_versions(of_versions(group, planted, slopes=slopes))
        for group in grouped(with_it, times)
    ]


def is_found(comparison: VersionComparison, planted: Planted) -> bool:
    """Return whether the verdict is right, and for the right reason."""
    return comparison.verdict == slowed_row(comparison, planted).verdict == "slower"


def is_alarm(comparison: VersionComparison, planted: Planted | None = None) -> bool:
    """Return whether a row without a change is slower or faster."""
    slowed = slowed_row(comparison, planted) if planted else None
    return comparison.verdict != "could not tell" and any(
        row.verdict in ("slower", "faster") for row in comparison.rows if row is not slowed
    )


def slowed_row(comparison: VersionComparison, planted: Planted) -> VersionRow:
    """Return the row in which the slowdown is."""
    scenario = SCENARIOS[planted.kind]
    rows = [row for row in comparison.rows if (row.scenario, row.load.kind) == (scenario, "closed")]
    users = USERS[planted.kind](row.load.value for row in rows)
    return next(row for row in rows if row.load.value == users)


def realised(runs: Sequence[Results], planted: Planted) -> Estimate | None:
    """Return by how much requests took longer, over all blocks."""
    with_it = [run for run in runs if planted in planted_of(run.plan)]
    if not with_it:
        return None
    ratio = slowed_row(compare_versions(of_versions(with_it, planted)), planted).ratio
    if not (ratio and ratio.low and ratio.high):
        return None
    return Estimate(estimate=1 / ratio.estimate - 1, low=1 / ratio.high - 1, high=1 / ratio.low - 1)


def of_versions(
    runs: Sequence[Results],
    planted: Planted | None = None,
    slopes: CpuSlopes | None = None,
) -> Results:
    """Return the results of one comparison that had the blocks of all `runs`.

    Without `planted` head is no other app. `slopes`: see `with_cpu_share`.
    """
    first, cells, blocks = runs[0], list[CellResult](), 0
    for run in runs:
        cells += _cells(run, planted, blocks)
        blocks += max((cell.block for cell in run.cells), default=0)
    if slopes is not None:
        cells = [with_cpu_share(cell, slopes) for cell in cells]
    update = {
        "plan": _plan(first.plan, blocks),
        "cells": cells,
        "comparisons": [],
        "curves": [],
        "timelines": [],
        "compared_versions": VERSIONS,
    }
    return first.model_copy(update=update)


def _cells(run: Results, planted: Planted | None, blocks: int) -> Iterator[CellResult]:
    slowed = _replaced(run.plan, planted) if planted else None
    names = {scenario.name for scenario in _unchanged_scenarios(run.plan)}
    for cell in run.cells:
        update: dict[str, object] = {"block": cell.block + blocks}
        if planted and cell.scenario == planted.name:
            head = cell.target == planted.name
            update |= {"scenario": SCENARIOS[planted.kind], "target": HEAD if head else cell.target}
        elif cell.scenario in names and (cell.scenario, cell.load) != slowed:
            update["target"] = UNCHANGED[cell.target]
        else:
            continue
        yield cell.model_copy(update=update)


def _replaced(plan: Plan, planted: Planted) -> Row:
    """Return the row of the CI plan that is replaced by the slowed one."""
    [users] = plan.scenario(planted.name).closed
    return SCENARIOS[planted.kind], Load("closed", users)


def _unchanged_scenarios(plan: Plan) -> list[Scenario]:
    slowdowns = {planted.name for planted in planted_of(plan)}
    return [scenario for scenario in plan.scenarios if scenario.name not in slowdowns]


def _plan(plan: Plan, blocks: int) -> Plan:
    """Return the plan of a comparison of versions that had these blocks."""
    targets = [
        plan.target(name).model_copy(update={"name": part}) for name, part in UNCHANGED.items()
    ]
    scenarios = [each.model_copy(update={"targets": []}) for each in _unchanged_scenarios(plan)]
    return plan.model_copy(update={"targets": targets, "scenarios": scenarios, "blocks": blocks})


def cpu_slopes(runs: Sequence[Results]) -> dict[Row, float]:
    """Return how log throughput depends on the log CPU share of the server, without a change.

    The least-squares slope inside blocks, of `base`, `same` and `base_again`: 1 where a server
    gets less done by as much as the host takes its core away.
    """
    products: dict[Row, float] = defaultdict(float)
    squares: dict[Row, float] = defaultdict(float)
    for row, logs in _unchanged_logs(runs):
        mean_x, mean_y = (fmean(side) for side in zip(*logs, strict=True))
        products[row] += sum((x - mean_x) * (y - mean_y) for x, y in logs)
        squares[row] += sum((x - mean_x) ** 2 for x, _ in logs)
    return {row: products[row] / square for row, square in squares.items() if square > 0}


def _unchanged_logs(
    runs: Sequence[Results],
) -> Iterator[tuple[Row, list[tuple[float, float]]]]:
    """Yield log CPU share and log throughput of the targets without a change, for each block."""
    found: dict[tuple[Row, int], list[tuple[float, float]]] = defaultdict(list)
    for cell in of_versions(runs).cells:
        if cell.status == "valid" and cell.server_cpu and cell.throughput_rps:
            logs = math.log(cell.server_cpu), math.log(cell.throughput_rps)
            found[(cell.scenario, cell.load), cell.block].append(logs)
    for (row, _), logs_of_block in found.items():
        yield row, logs_of_block


def with_cpu_share(cell: CellResult, slopes: CpuSlopes) -> CellResult:
    """Return a measurement with the throughput that its server would have with all of its core.

    Where the slope is 1, that is the number of responses per CPU second. CPU time per response is
    no covariate itself: a busy slowdown changes it, and the adjustment would remove what is asked.
    """
    slope = slopes.get((cell.scenario, cell.load), 0.0)
    if not cell.server_cpu or not slope:
        return cell
    adjusted_rps = cell.throughput_rps / cell.server_cpu**slope
    return cell.model_copy(update={"throughput_rps": adjusted_rps})


def grouped(runs: Sequence[Results], times: float) -> list[list[Results]]:
    """Return the runs of each comparison that has `times` as many blocks: 0.5, 1, 2 and so on.

    No block is in two of them.
    """
    if times < 1:
        return [[_half(run, odd)] for run in runs for odd in (True, False)]
    size = round(times)
    return [list(runs[n : n + size]) for n in range(0, len(runs) - size + 1, size)]


def _half(run: Results, odd: bool) -> Results:
    cells = [cell for cell in run.cells if cell.block % 2 == odd]
    return run.model_copy(
        update={"cells": [c.model_copy(update={"block": (c.block + 1) // 2}) for c in cells]}
    )
