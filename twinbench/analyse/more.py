"""Blocks to add to a run: for what the machine disturbed, and for the plan's precision.

Neither looks at who is faster: disturbed is what a gate on the machine made invalid, and precision
looks at widths of intervals only (docs/decisions/0020-precision.md).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twinbench.analyse.comparisons import PairedCells
from twinbench.analyse.precision import blocks_to_add
from twinbench.analyse.results import CellResult, Comparison, primary_metric
from twinbench.analyse.run import compare_only
from twinbench.analyse.statistics import standard_error
from twinbench.plan import AddedBlock, Load, Plan
from twinbench.store import CellRecord, Store
from twinbench.text import parse_duration, parse_percent

# Of the time of the plan's own blocks: what is disturbed is repeated for at most this share.
REPEAT_SHARE = 0.1
# Cap of a plan that has a precision and no time.
MOST_TIME = "1h"

Where = tuple[str, Load]


def blocks_to_measure(store: Store) -> list[AddedBlock]:
    """Return the blocks to measure next, none if the run is complete. Raises StoreError."""
    manifest, records = store.manifest(), store.records()
    plan = manifest.plan
    cells, compared = compare_only(store)
    if found := repeats(plan, manifest.added, cells, records):
        return found
    if not plan.precision:
        return []
    left_s = parse_duration(plan.time or MOST_TIME) - store.elapsed_s()
    return for_precision(plan, cells, compared, records, left_s)


def repeats(
    plan: Plan,
    added: Sequence[AddedBlock],
    cells: Sequence[CellResult],
    records: Sequence[CellRecord],
) -> list[AddedBlock]:
    """Return the blocks that repeat what the machine disturbed, within `REPEAT_SHARE`."""
    disturbed = {(c.block, c.scenario, c.load) for c in cells if c.disturbed}
    wanted = Counter((scenario, load) for _, scenario, load in disturbed)
    repeated = [each for each in added if each.reason == "disturbed"]
    wanted -= Counter((each.scenario, load) for each in repeated for load in each.loads)
    blocks = {each.block for each in repeated}
    spent_s = sum(r.took_s for r in records if r.block in blocks)
    own_s = sum(r.took_s for r in records if r.block <= plan.blocks)
    return _blocks(records, wanted, REPEAT_SHARE * own_s - spent_s, "disturbed")


def for_precision(
    plan: Plan,
    cells: Sequence[CellResult],
    compared: Sequence[Comparison],
    records: Sequence[CellRecord],
    seconds: float,
) -> list[AddedBlock]:
    """Return the blocks that narrow intervals wider than the plan's precision, widest first.

    `seconds`: the time left.
    """
    if not plan.precision:
        return []
    precision = parse_percent(plan.precision)
    wanted: Counter[Where] = Counter()
    widths: dict[Where, float] = defaultdict(float)
    for where, logs in _log_ratios(plan, cells, compared):
        wanted[where] = max(wanted[where], blocks_to_add(logs, precision))
        widths[where] = max(widths[where], float(standard_error(logs)))
    widest = {where: wanted[where] for where in sorted(wanted, key=lambda where: -widths[where])}
    return _blocks(records, widest, seconds, "precision")


def _log_ratios(
    plan: Plan, cells: Sequence[CellResult], compared: Sequence[Comparison]
) -> Iterator[tuple[Where, NDArray[np.float64]]]:
    """Yield the log ratios of every comparison, by the metric that reports compare by."""
    for c in compared:
        if c.metric == primary_metric(compared, cells, c.scenario, c.load.kind) and c.ratio:
            scenario = plan.scenario(c.scenario)
            pair = PairedCells.of(plan, scenario, c.candidate, c.load, cells)
            figures = np.log(pair.figures(c.metric))
            if len(figures) > 1:
                yield (c.scenario, c.load), figures[:, 1] - figures[:, 0]


def _blocks(
    records: Sequence[CellRecord],
    wanted: Mapping[Where, int],
    seconds: float,
    reason: Literal["disturbed", "precision"],
) -> list[AddedBlock]:
    """Return blocks of the wanted measurements that fit into `seconds`, each of them once a block.

    A measurement takes as long as its median so far, with all targets and the start of servers.
    """
    costs_s = _costs_s(records)
    last = max((record.block for record in records), default=0)
    loads: dict[tuple[int, str], list[Load]] = defaultdict(list)
    for turn in range(max(wanted.values(), default=0)):
        for (scenario, load), count in wanted.items():
            if count > turn and (cost_s := costs_s[scenario, load]) <= seconds:
                seconds -= cost_s
                loads[last + turn + 1, scenario].append(load)
    return [
        AddedBlock(block=block, scenario=scenario, loads=own, reason=reason)
        for (block, scenario), own in loads.items()
    ]


def _costs_s(records: Sequence[CellRecord]) -> dict[Where, float]:
    """Return how long one more block of a scenario at a load takes, with fresh servers."""
    starts_s: dict[tuple[str, int], float] = defaultdict(float)
    loads_s: dict[tuple[Where, int], float] = defaultdict(float)
    for record in records:
        starts_s[record.scenario, record.block] += record.starts_s
        loads_s[(record.scenario, record.load), record.block] += record.took_s - record.starts_s
    found: dict[Where, list[float]] = defaultdict(list)
    for (where, _), seconds in loads_s.items():
        found[where].append(seconds)
    # At most: of some blocks the servers ran already.
    start_s = max(starts_s.values(), default=0.0)
    return {where: median(seconds) + start_s for where, seconds in found.items()}
