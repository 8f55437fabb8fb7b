"""Item 9. Little's law holds, and wrong answers are counted, not timed."""

import numpy as np

from twinbench.calibrate.evidence import Evidence, Seen, ms
from twinbench.calibrate.items.delays import MOST_FLOOR_MS
from twinbench.calibrate.items.matching import counted
from twinbench.calibrate.verdict import Judged, Known, at_most, within
from twinbench.findings import Check, Picture, Series

LITTLE_OFF = 0.02  # issue 4
OFF = 0.005  # of good answers in the window: users are counted in or out at its edges


def judge(evidence: Evidence) -> Judged:
    cells = [*evidence.seen("planted", target="base"), *evidence.seen("crowd")]
    products = [_in_flight(cell) for cell in cells]
    users = [cell.record.load.value for cell in cells]
    checks = [
        within(
            f"{number} users: throughput x latency",
            "",
            float(np.mean([p for p, n in zip(products, users, strict=True) if n == number])),
            number,
            share=LITTLE_OFF,
        )
        for number in sorted(set(users))
    ]
    return [*checks, *wrong_answers(evidence)], Picture(
        title="Little's law",
        x_label="users",
        y_label="throughput x mean latency",
        series=[
            Series(name="cells", kind="points", x=[float(n) for n in users], y=products),
            Series(name="N = X R", kind="line", x=[0, max(users)], y=[0, max(users)]),
        ],
    )


def _in_flight(cell: Seen) -> float:
    mean_ms = cell.result.latency_ms.mean or 0.0
    return cell.result.throughput_rps * mean_ms / 1e3


def wrong_answers(evidence: Evidence) -> list[Check]:
    """Every tenth answer wrong, and at once: counted as the server counted, and in no figure."""
    cell = evidence.one("erring")
    log = evidence.log("erring", cell)
    begin, end = cell.record.window_ns
    inside = log.filter((log["ended_ns"] >= begin) & (log["ended_ns"] < end))
    good = log.filter(log["status"] == 200)
    wrong = len(log) - len(good)
    recorded = len(cell.rows.filter(cell.rows["error"] != ""))
    mean = float(ms(good, "ended_ns", "began_ns").mean())
    over = (cell.result.latency_ms.mean or 0.0) - mean
    answered = len(inside.filter(inside["status"] == 200)) / cell.record.window_s
    rps = cell.result.throughput_rps
    return [
        within("every 10th answer wrong: errors recorded", "", recorded, wrong),
        counted(evidence, cell),
        within("every 10th answer wrong: good ones a second", "", rps, answered, share=OFF),
        at_most("every 10th answer wrong: mean of the good over it", "ms", over, MOST_FLOOR_MS),
    ]


KNOWN = Known(
    9,
    "Little's law; wrong answers",
    judge,
    "Throughput and latency contradict each other, or wrong answers pass for good ones: report"
    " this as an error of twinbench.",
    headline=3,
)
