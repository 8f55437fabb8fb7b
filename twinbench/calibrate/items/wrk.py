"""Item 10. Another client, where there is one, reads the same off the same server.

On a server that waits, not on the null server: there throughput is what client and server do
together on their two cores, and each client's own answer is right.
"""

import numpy as np

from twinbench.calibrate.evidence import Evidence
from twinbench.calibrate.theory import Values
from twinbench.calibrate.verdict import Judged, Known, within
from twinbench.findings import Picture, Series

# Issue 4, all three.
THROUGHPUT_OFF = 0.03
P50_OFF, P50_OFF_MS = 0.05, 0.1

NAME = "wrk reads the same"
NOT_THERE = "wrk is not installed (Debian: apt install wrk), so there is no second opinion"


def judge(evidence: Evidence) -> Judged:
    """Pair by pair, then the median: neighbours in time share what the machine did to them."""
    pairs, cells = evidence.beside("wrk"), [cell.result for cell in evidence.seen("beside_wrk")]
    rps, p50 = (np.array([pair[name] for pair in pairs]) for name in ("rps", "p50_ms"))
    own_rps = np.array([cell.throughput_rps for cell in cells])
    own_p50 = np.array([cell.latency_ms.p50 or 0.0 for cell in cells])
    ratio, beyond = float(np.median(own_rps / rps)), float(np.median(own_p50 - p50))
    most = max(P50_OFF * float(np.median(p50)), P50_OFF_MS)
    checks = [
        within("throughput, ours to wrk's", "", ratio, 1.0, share=THROUGHPUT_OFF),
        within("p50, ours less wrk's", "ms", beyond, 0.0, reach=most),
    ]
    return checks, _picture({"twinbench": own_rps, "wrk": rps})


def _picture(rps: dict[str, Values]) -> Picture:
    series = [
        Series(name=name, kind="points", x=list(range(1, len(values) + 1)), y=list(values))
        for name, values in rps.items()
    ]
    return Picture(
        title="By turns: wrk and twinbench",
        x_label="pair",
        y_label="requests a second",
        series=series,
    )


KNOWN = Known(
    10,
    NAME,
    judge,
    "Two clients disagree about one server: calibrate again on a quiet machine; if they still"
    " do, report this as an error of twinbench.",
    headline=2,
)
