"""Item 8. The generator sends twice what the plan will ask of it, and is not the limit."""

from twinbench.calibrate.evidence import Evidence, Seen
from twinbench.calibrate.plans import USERS
from twinbench.calibrate.verdict import Judged, Known, at_most, within
from twinbench.findings import Picture, Series
from twinbench.plan import Load

MOST_CPU = 0.8  # that of the gate which invalidates a cell (analyse/gates)
# Of what was due: the last arrivals of a window may be answered after it.
OFF = 0.001


def judge(evidence: Evidence) -> Judged:
    cell = headroom_cell(evidence)
    rate = cell.record.load.value
    in_time = len(cell.in_window.filter(cell.in_window["error"] == ""))
    reasons = f" ({'; '.join(cell.result.reasons)})" if cell.result.status != "valid" else ""
    name = f"null server at {rate:,} requests/s"
    checks = [
        at_most(f"{name}: generator CPU", "", cell.result.generator.cpu, MOST_CPU),
        within(f"{name}: sent and answered", "", in_time, cell.record.scheduled, share=OFF),
        within(f"{name}: valid cells{reasons}", "", int(cell.result.status == "valid"), 1),
    ]
    return checks, _picture(evidence)


def capacity_rps(evidence: Evidence) -> float:
    """What the generator sends to a server that does nothing."""
    return evidence.one("limits", Load("closed", USERS)).result.throughput_rps


def headroom_cell(evidence: Evidence) -> Seen:
    return next(cell for cell in evidence.seen("limits") if cell.record.load.kind == "open")


def _picture(evidence: Evidence) -> Picture:
    cells = [*evidence.seen("limits"), *evidence.seen("poisson")]
    series = []
    for kind in ("open", "closed"):
        own = [cell.result for cell in cells if cell.record.load.kind == kind]
        x = [result.throughput_rps for result in own]
        y = [100 * result.generator.cpu for result in own]
        series.append(Series(name=f"{kind} loads", kind="points", x=x, y=y))
    return Picture(
        title="What sending costs the generator",
        x_label="answers a second of the null server",
        y_label="generator CPU (% of its core)",
        series=series,
    )


KNOWN = Known(
    8,
    "headroom of the generator",
    judge,
    "The generator may be the limit before the server is: lower the plan's highest rate, raise"
    " processes, or give the generator more cores.",
)
