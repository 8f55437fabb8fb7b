"""One load of a curve: its valid blocks, spread and pooled.

What is compared is spread over blocks, with an interval. The percentile spectrum is of all blocks'
requests together: a tail needs more samples than one block has.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from twinbench.analyse.cells import SAMPLES_BEYOND, Cell
from twinbench.analyse.intervals import geometric
from twinbench.analyse.results import PERCENTS, Estimate, Point
from twinbench.plan import Load

MEDIAN, TAIL = PERCENTS.index(50), PERCENTS.index(99)


def point(load: Load, cells: Sequence[Cell]) -> Point:
    """`cells`: all that one target and scenario have at this load, of whatever status."""
    valid = [cell for cell in cells if cell.result.status == "valid"]
    results = [cell.result for cell in valid]
    collapsed = sum(cell.result.status == "collapsed" for cell in cells)
    response_ms = percentiles([cell.responses_ms for cell in valid])
    return Point(
        value=load.value,
        status="collapsed" if collapsed else "valid" if valid else "invalid",
        blocks=len(valid),
        collapsed=collapsed,
        # Of a few arrivals a second all may be answered after the window: none in it.
        throughput_rps=geometric([r.throughput_rps for r in results if r.throughput_rps]),
        per_cpu_s=geometric([r.per_cpu_s for r in results if r.per_cpu_s]),
        p50_ms=_over_blocks([r.latency_ms.p50 for r in results], response_ms[MEDIAN]),
        p99_ms=_over_blocks([r.latency_ms.p99 for r in results], response_ms[TAIL]),
        max_ms=max(_known(r.latency_ms.max for r in results), default=None),
        server_cpu=_mean(r.server_cpu for r in results),
        server_cpu_ms=_mean(r.server_cpu_ms for r in results),
        response_ms=response_ms,
        service_ms=percentiles([cell.services_ms for cell in valid]),
    )


def percentiles(blocks: Sequence[np.ndarray]) -> list[float | None]:
    """The percentiles named in PERCENTS of the values of all `blocks` together, by linear
    interpolation; None with fewer than 20 samples beyond, which is below for those under 50."""
    values = np.concatenate([np.empty(0), *blocks])
    if not len(values):
        return [None] * len(PERCENTS)
    found = np.percentile(values, PERCENTS, overwrite_input=True)
    return [
        float(value) if _beyond(len(values), p) >= SAMPLES_BEYOND else None
        for p, value in zip(PERCENTS, found, strict=True)
    ]


def _beyond(count: int, p: float) -> float:
    """How many of `count` samples lie beyond the `p`th percentile, on the side of its tail."""
    return round(count * min(p, 100 - p) / 100, 6)  # 100 - 99.9 is a little less than 0.1


def _over_blocks(own: Sequence[float | None], together: float | None) -> Estimate | None:
    """Over blocks where each has samples enough (and is above 0, as a coarse clock may not have
    it); else from all blocks' requests together, without an interval; else nothing."""
    told = [value for value in own if value]
    if told and len(told) == len(own):
        return geometric(told)
    return None if together is None else Estimate(estimate=together)


def _mean(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
