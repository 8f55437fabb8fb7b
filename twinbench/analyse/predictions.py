"""What threads or connections allow: N of them, each held for t, serve N / t requests a second.

Source: P. J. Denning and J. P. Buzen, The Operational Analysis of Queueing Network Models, ACM
Computing Surveys 10(3), 1978. Assumed: t, the mean service time at the lowest load, holds no
waiting for other requests, and a request holds one thread, or one connection, for all of t. That
is so of a `def` route that waits; where it is not, the prediction is exceeded, and left out.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Literal

from twinbench.analyse.results import CellResult, Point, Prediction

# t is known to some per cent: what is exceeded by more than this is no limit. What is missed by
# more than the other is not what limits: something else does.
EXCEEDED, REACHED = 1.1, 0.75


def prediction(points: Sequence[Point], cells: Sequence[CellResult]) -> Prediction | None:
    """Return the lower of the limits that were reached; None if none was.

    Reached: as many were in use, a request waited for one, and the highest throughput is near to
    what they allow. `cells` are all of the curve's."""
    valid = [cell for cell in cells if cell.status == "valid"]
    served = [(c.load.value, c.service_ms.mean) for c in valid if c.service_ms.mean]
    most_rps = max((p.throughput_rps.estimate for p in points if p.throughput_rps), default=0.0)
    if not served or not most_rps:
        return None
    lowest = min(load for load, _ in served)
    held_ms = fmean(mean_ms for load, mean_ms in served if load == lowest)
    seen = [cell for cell in cells if cell.status != "invalid"]
    kinds: dict[Literal["threads", "connections"], int] = {
        "threads": _exhausted((c.threads_used_max, c.threads_waiting_max) for c in seen),
        "connections": _exhausted(
            (c.connections_used_max, c.connections_waiting_max) for c in seen
        ),
    }
    found = [
        Prediction(by=by, limit=limit, held_ms=held_ms, rps=1e3 * limit / held_ms)
        for by, limit in kinds.items()
        if limit and REACHED <= most_rps * held_ms / (1e3 * limit) <= EXCEEDED
    ]
    return min(found, key=lambda one: one.rps, default=None)


def _exhausted(seen: Iterable[tuple[int | None, int | None]]) -> int:
    """Return the most in use, of cells in which a request waited for one; 0 where none did."""
    return max((used for used, waiting in seen if used and waiting), default=0)
