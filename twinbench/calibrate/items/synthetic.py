"""Item 1. Made-up records through the statistics: exactly what pencil and paper say.

Latencies are 0.01, 0.02, ... 40 ms, each once: every percentile, and the mean, is a line in a
table of arithmetic series. Nothing here calls what it checks to know what is right.
"""

import math
import statistics

import numpy as np
import polars as pl

from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.results import CellResult
from twinbench.analyse.run import analyse_cell
from twinbench.calibrate.evidence import Evidence, Rows
from twinbench.calibrate.theory import Values
from twinbench.calibrate.verdict import Judged, Known, within
from twinbench.findings import Check, Picture, Series
from twinbench.plan import Load, Plan
from twinbench.store import CellRecord

COUNT, STEP_NS = 4000, 10_000
WRONG = 40
BEGIN_NS, END_NS = 1_000_000_000, 2_000_000_000
PERCENTILES = (50, 90, 95, 99)
# Floating point, and stamps in whole nanoseconds.
EXACT = 1e-6
# Student's t for two degrees of freedom at 95 %, from a printed table.
T_2 = 4.302652730
BASELINE, CANDIDATES = 1000, (1100, 1200, 1300)
RATIO_USERS = 8


def judge(_: Evidence) -> Judged:
    closed = _analysed(_record(1, "one", Load("closed", 80)), _rows_of_series("done_ns"))
    opened = _analysed(_record(1, "one", Load("open", COUNT)), _rows_of_series("intended_ns"))
    checks = [*_percentiles(closed), *_counts(closed), *_ratio()]
    checks += [_named("open load", check) for check in _percentiles(opened)]
    x = [float(p) for p in PERCENTILES]
    picture = Picture(
        title="Made-up latencies of 0.01 to 40 ms, evenly",
        x_label="percentile",
        y_label="ms",
        series=[
            Series(name="read off", kind="points", x=x, y=[c.measured for c in checks[: len(x)]]),
            Series(name="by arithmetic", kind="line", x=[0.0, 100.0], y=[0.01, 40.0]),
        ],
    )
    return checks, picture


def _percentiles(result: CellResult) -> list[Check]:
    found, service = result.latency_ms.model_dump(), result.service_ms.model_dump()
    # The pth of n values lies (n - 1) p / 100 steps above the first.
    right = {f"p{p}": 0.01 * (1 + (COUNT - 1) * p / 100) for p in PERCENTILES}
    right |= {"mean": 0.01 * (COUNT + 1) / 2, "max": 0.01 * COUNT}
    checks = [_exact(f"latency {name}", "ms", found[name], value) for name, value in right.items()]
    # Half of each latency was spent before the request was sent.
    checks += [_exact(f"service {p}", "ms", service[p], right[p] / 2) for p in ("p50", "p99")]
    return [*checks, _exact("lag p99", "ms", result.generator.lag_p99_ms, right["p99"] / 2)]


def _counts(result: CellResult) -> list[Check]:
    return [
        _exact("good answers a second", "", result.throughput_rps, COUNT),
        _exact("wrong answers", "", result.errors, WRONG),
        _exact("requests", "", result.requests, COUNT + WRONG),
    ]


def _ratio() -> list[Check]:
    """Three blocks: geometric mean of the ratios, Student's t interval on their logarithms."""
    cells = []
    for block, candidate in enumerate(CANDIDATES, start=1):
        for target, count in (("one", BASELINE), ("other", candidate)):
            record = _record(block, target, Load("closed", RATIO_USERS))
            latency_ns = np.full(count, RATIO_USERS * (END_NS - BEGIN_NS) // count)
            cells.append(_analysed(record, _all_along(_rows(latency_ns, 0 * latency_ns))))
    found = comparisons(PLAN, cells)[0].ratio
    logs = [math.log(candidate / BASELINE) for candidate in CANDIDATES]
    middle, reach = statistics.mean(logs), T_2 * statistics.stdev(logs) / math.sqrt(len(logs))
    right = {"estimate": middle, "low": middle - reach, "high": middle + reach}
    return [
        _exact(f"ratio, {name}", "", getattr(found, name, None), math.exp(log))
        for name, log in right.items()
    ]


def _named(what: str, check: Check) -> Check:
    return check.model_copy(update={"what": f"{what}, {check.what}"})


def _rows_of_series(inside: str) -> Rows:
    """The series in no order, its stamps `inside` lying in the window; wrong answers among them,
    the same again before and after it."""
    steps = np.arange(1, COUNT + 1) * 1009 % (COUNT + 1)  # 1009 and 4001 are prime: each step once
    good = _rows(steps * STEP_NS, steps * STEP_NS // 2, inside)
    wrong = _rows(np.full(WRONG, 1000 * STEP_NS), np.zeros(WRONG, dtype=np.int64), inside)
    wrong = wrong.with_columns(error=pl.lit("status 500, expected 200"))
    return pl.concat([_all_along(good), wrong])


def _all_along(rows: Rows) -> Rows:
    """What is in the window, and the same again before and after it."""
    shift = pl.col("^.*_ns$")
    return pl.concat([rows.with_columns(shift + way * (END_NS - BEGIN_NS)) for way in (-1, 0, 1)])


def _rows(latency_ns: Values, lag_ns: Values, inside: str = "done_ns") -> Rows:
    """Requests whose stamps `inside` (done_ns or intended_ns) go over the window in even steps."""
    even = np.linspace(BEGIN_NS, END_NS, len(latency_ns), endpoint=False).astype(np.int64)
    intended = even if inside == "intended_ns" else even - latency_ns
    done = intended + latency_ns
    columns = {"intended_ns": intended, "sent_ns": intended + lag_ns}
    columns |= {"first_byte_ns": done, "done_ns": done}
    zeros = np.zeros(len(done), dtype=np.int32)
    columns |= {"request": zeros, "status": zeros + 200, "bytes": zeros}
    return pl.DataFrame(columns).with_columns(error=pl.lit(""))


def _record(block: int, target: str, load: Load) -> CellRecord:
    return CellRecord(
        number=block,
        block=block,
        scenario="made_up",
        target=target,
        load=load,
        outcome="done",
        window_ns=(BEGIN_NS, END_NS),
    )


def _analysed(record: CellRecord, rows: Rows) -> CellResult:
    return analyse_cell(record, rows, PLAN).result


def _exact(what: str, unit: str, measured: float | None, expected: float) -> Check:
    value = math.inf if measured is None else measured
    return within(what, unit, value, expected, share=EXACT)


PLAN = Plan.model_validate(
    {
        "name": "made-up",
        "targets": [{"name": name, "command": ["none"]} for name in ("one", "other")],
        "scenarios": [
            {
                "name": "made_up",
                "requests": [{"path": "/"}],
                "closed": [RATIO_USERS],
            }
        ],
    }
)
KNOWN = Known(
    1,
    "made-up records, statistics exact",
    judge,
    "The statistics are wrong, whatever was measured: report this as an error of twinbench.",
)
