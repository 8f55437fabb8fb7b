"""Item 10. Another client, where there is one, reads the same off the same server.

On a server that waits, not on the null server: there throughput is what client and server do
together on their two cores, and each client's own answer is right.
"""

import numpy as np

from twinbench.calibrate.evidence import Evidence
from twinbench.calibrate.verdict import Judged, Known, within
from twinbench.findings import Picture, Series

# Issue 4, all three.
THROUGHPUT_OFF = 0.03
P50_OFF, P50_OFF_MS = 0.05, 0.1

NAME = "wrk reads the same"
NOT_THERE = "wrk is not installed (Debian: apt install wrk), so there is no second opinion"


def judge(evidence: Evidence) -> Judged:
    pairs = evidence.beside("wrk")
    cells = [cell.result for cell in evidence.seen("beside_wrk")]
    rps = [pair["rps"] for pair in pairs]
    p50 = [pair["p50_ms"] for pair in pairs]
    own_rps = [cell.throughput_rps for cell in cells]
    own_p50 = [cell.latency_ms.p50 or 0.0 for cell in cells]
    checks = [
        within(
            "median throughput",
            "requests/s",
            float(np.median(own_rps)),
            float(np.median(rps)),
            share=THROUGHPUT_OFF,
        ),
        within(
            "median p50",
            "ms",
            float(np.median(own_p50)),
            float(np.median(p50)),
            share=P50_OFF,
            reach=P50_OFF_MS,
        ),
    ]
    pair_numbers = [float(n) for n, _ in enumerate(cells, start=1)]
    return checks, Picture(
        title="By turns: wrk and twinbench",
        x_label="pair",
        y_label="requests a second",
        series=[
            Series(name="twinbench", kind="points", x=pair_numbers, y=own_rps),
            Series(name="wrk", kind="points", x=pair_numbers, y=rps),
        ],
    )


KNOWN = Known(
    10,
    NAME,
    judge,
    "Two clients disagree about one server: calibrate again on a quiet machine; if they still"
    " do, report this as an error of twinbench.",
    headline=2,
)
