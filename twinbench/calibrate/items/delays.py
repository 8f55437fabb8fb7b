"""Item 2. Fixed delays, one user: what is read off grows with the delay one to one."""

import numpy as np

from twinbench.calibrate.evidence import Evidence
from twinbench.calibrate.items.matching import counted, matched, medians
from twinbench.calibrate.theory import Values
from twinbench.calibrate.verdict import Judged, Known, at_most, within
from twinbench.findings import Picture, Series

SLOPE_OFF = 0.005  # issue 4; at 100 ms half a millisecond
# Of the intercept, what comes on top of every delay: two system calls and two wake-ups take 0.1
# to 0.3 ms. With more than this, latencies of a few ms could not be told apart.
MOST_FLOOR_MS = 1.0


def judge(evidence: Evidence) -> Judged:
    cell = evidence.one("delays")
    seen = matched(evidence, cell)
    # Medians, request by request: a machine that stands still for a moment makes some late, and
    # says nothing of most.
    noted = medians(seen, seen.service)
    read = noted + medians(seen, seen.response - seen.service)
    slope, intercept = np.polyfit(noted, read, 1)
    checks = [
        within("slope of latency over delay", "", slope, 1.0, share=SLOPE_OFF),
        at_most("intercept (our floor)", "ms", intercept, MOST_FLOOR_MS),
        counted(evidence, cell),
    ]
    return checks, _picture(noted, read, slope, intercept)


def _picture(noted: Values, read: Values, slope: float, intercept: float) -> Picture:
    line = (slope - 1) * noted + intercept
    name = f"slope {slope:.4f}, intercept {intercept:.2f} ms"
    return Picture(
        title="Fixed delays: what was read off on top of each",
        x_label="delay, as the server noted it (ms)",
        y_label="read off beyond it (ms)",
        log_x=True,
        series=[
            Series(name="median", kind="points", x=list(noted), y=list(read - noted)),
            Series(name=name, kind="line", x=list(noted), y=list(line)),
        ],
    )


KNOWN = Known(
    2,
    "fixed delays, slope and floor",
    judge,
    "Latencies are stretched or shifted: do not publish latencies from this machine before you"
    " have found what else runs on the generator's core.",
    headline=2,
)
