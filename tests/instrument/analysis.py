"""Items 1, 6, 9 and 10: statistics, comparisons, Little's law, wrong responses, another client."""

import math
import statistics

import numpy as np
import polars as pl
from scipy import stats

from tests.instrument import MissingDataError, checks
from tests.instrument.checks import Values, at_most, within
from tests.instrument.plans import MANY_USERS, PLANTED_MS, USERS
from tests.instrument.recording import Recording
from tests.instrument.timing import recorded
from tests.support import factories
from tests.support.factories import EIGHT_USERS
from twinbench.analyse.comparisons import comparisons
from twinbench.analyse.results import CellResult, Comparison, Metric
from twinbench.analyse.run import analyse_cell
from twinbench.analyse.statistics import CONFIDENCE
from twinbench.plan import Load
from twinbench.selfcheck.evaluate import MOST_FLOOR_MS, ms
from twinbench.selfcheck.result import Check
from twinbench.store import CellRecord

# Item 1. Latencies are 0.01, 0.02, ... 40 ms, each once: every percentile, and the mean, is a
# term of an arithmetic series.
COUNT, STEP_NS = 4000, 10_000
WRONG = 40
BEGIN_NS, END_NS = 1_000_000_000, 2_000_000_000
PERCENTILES = (50, 90, 95, 99)
# Floating point, and stamps in whole nanoseconds.
EXACT = 1e-6
# Student's t for two degrees of freedom at 95 %, from a printed table.
T_2 = 4.302652730
BASELINE, CANDIDATES = 1000, (1100, 1200, 1300)
SCENARIO = {"name": "noop", "requests": [{"path": "/"}], "closed": [EIGHT_USERS.value]}
PLAN = factories.plan(scenarios=[SCENARIO])

# Item 6.
RATIO_OFF = 0.005
# However wide the interval, on a machine where blocks differ much or some are invalid: further
# off, a difference of 20 % could pass for none.
RATIO_MOST_OFF = 0.1
PLANTED = {"same": "A/A", "plus5": "+5 %", "plus20": "+20 %"}
# +5 % is too close to the margin of 3 % to be decided each time.
DECISIONS = {"same": "no difference shown", "plus20": "slower"}
METRICS: tuple[Metric, ...] = ("throughput", "p50")

# Items 9 and 10.
LITTLE_OFF = 0.02
RESPONSES_OFF = 0.005  # in the window: users are counted in or out at its edges
THROUGHPUT_OFF = 0.03
P50_OFF, P50_OFF_MS = 0.05, 0.1


def made_up() -> list[Check]:
    """Check the statistics of made-up requests against arithmetic."""
    closed = _analysed(_rows_of_series("done_ns"), Load("closed", 80))
    opened = _analysed(_rows_of_series("intended_ns"), Load("open", COUNT))
    return [
        *_percentiles("closed load", closed),
        _exact("correct responses/s", "", closed.throughput_rps, COUNT),
        _exact("wrong responses", "", closed.errors, WRONG),
        _exact("requests", "", closed.requests, COUNT + WRONG),
        *_ratio(),
        *_percentiles("open load", opened),
    ]


def _percentiles(load: str, result: CellResult) -> list[Check]:
    found, service = result.latency_ms.model_dump(), result.service_ms.model_dump()
    # The pth of n values lies (n - 1) p / 100 steps above the first.
    right = {f"p{p}": 0.01 * (1 + (COUNT - 1) * p / 100) for p in PERCENTILES}
    right |= {"mean": 0.01 * (COUNT + 1) / 2, "max": 0.01 * COUNT}
    # Half of each latency was spent before the request was sent.
    half = right["p99"] / 2
    return [
        *(_exact(f"{load}, latency {p}", "ms", found[p], value) for p, value in right.items()),
        *(_exact(f"{load}, service {p}", "ms", service[p], right[p] / 2) for p in ("p50", "p99")),
        _exact(f"{load}, lag p99", "ms", result.generator.lag_p99_ms, half),
    ]


def _ratio() -> list[Check]:
    """Three blocks: geometric mean of the ratios, Student's t interval of their logarithms."""
    cells = []
    for block, candidate in enumerate(CANDIDATES, start=1):
        for target, count in (("sync", BASELINE), ("async", candidate)):
            latency_ns = np.full(count, EIGHT_USERS.value * (END_NS - BEGIN_NS) // count)
            rows = _repeated(_rows(latency_ns, 0 * latency_ns))
            cells.append(_analysed(rows, EIGHT_USERS, block=block, target=target))
    found = comparisons(PLAN, cells)[0].ratio
    logs = [math.log(candidate / BASELINE) for candidate in CANDIDATES]
    middle, reach = statistics.mean(logs), T_2 * statistics.stdev(logs) / math.sqrt(len(logs))
    right = {"estimate": middle, "low": middle - reach, "high": middle + reach}
    return [
        _exact(f"ratio, {name}", "", getattr(found, name, None), math.exp(log))
        for name, log in right.items()
    ]


def _rows_of_series(inside: str) -> pl.DataFrame:
    """Return the series in no order, its stamps `inside` in the window, with wrong responses."""
    steps = np.arange(1, COUNT + 1) * 1009 % (COUNT + 1)  # 1009 and 4001 are prime: each step once
    good = _rows(steps * STEP_NS, steps * STEP_NS // 2, inside)
    wrong = _rows(np.full(WRONG, 1000 * STEP_NS), np.zeros(WRONG, dtype=np.int64), inside)
    wrong = wrong.with_columns(error=pl.lit("status 500, expected 200"))
    return pl.concat([_repeated(good), wrong])


def _repeated(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what is in the window, and the same again before and after it."""
    shift = pl.col("^.*_ns$")
    return pl.concat([rows.with_columns(shift + way * (END_NS - BEGIN_NS)) for way in (-1, 0, 1)])


def _rows(latency_ns: Values, lag_ns: Values, inside: str = "done_ns") -> pl.DataFrame:
    """Return requests whose stamps `inside` (done_ns or intended_ns) divide the window evenly."""
    even = np.linspace(BEGIN_NS, END_NS, len(latency_ns), endpoint=False).astype(np.int64)
    intended = even if inside == "intended_ns" else even - latency_ns
    done = intended + latency_ns
    columns = {"intended_ns": intended, "sent_ns": intended + lag_ns}
    columns |= {"first_byte_ns": done, "done_ns": done}
    zeros = np.zeros(len(done), dtype=np.int32)
    columns |= {"request": zeros, "status": zeros + 200, "bytes": zeros}
    return pl.DataFrame(columns).with_columns(error=pl.lit(""))


def _analysed(
    rows: pl.DataFrame, load: Load, *, block: int = 1, target: str = "sync"
) -> CellResult:
    record = CellRecord(
        number=block,
        block=block,
        scenario="noop",
        target=target,
        load=load,
        outcome="done",
        windows_ns=[(BEGIN_NS, END_NS)],
    )
    return analyse_cell(record, rows, PLAN).result


def _exact(name: str, unit: str, measured: float | None, expected: float) -> Check:
    value = math.inf if measured is None else measured
    return within(name, unit, value, expected, share=EXACT)


def planted(recording: Recording) -> list[Check]:
    """Check that planted differences are measured and decided as planted, and A/A as none."""
    results = recording.results("planted")
    found = [one for metric in METRICS for one in results.compared("planted", "closed", metric)]
    decided = [one for one in found if one.candidate in DECISIONS]
    return [*(_planted_ratio(recording, one) for one in found), *map(_decision, decided)]


def _planted_ratio(recording: Recording, found: Comparison) -> Check:
    ratio = found.ratio
    if not ratio or ratio.low is None or ratio.high is None:
        why = "; ".join(found.reasons)
        raise MissingDataError(f"{found.candidate} against base, {found.metric}: {why}")
    base, candidate = (
        _logged_ms(recording, found.metric, target) for target in ("base", found.candidate)
    )
    true = base / candidate if found.metric == "throughput" else candidate / base
    reach = _wider(found.blocks) * math.log(ratio.high / ratio.low) / 2 * true
    name = f"{PLANTED[found.candidate]} {found.metric}"
    reach = min(reach, RATIO_MOST_OFF * true)
    return within(name, "", ratio.estimate, true, share=RATIO_OFF, reach=reach)


def _wider(blocks: int) -> float:
    """Return the factor from the report's interval, wrong once in twenty, to checks.CONFIDENCE."""
    wide = stats.t.ppf((1 + checks.CONFIDENCE) / 2, blocks - 1)
    return float(wide / stats.t.ppf((1 + CONFIDENCE) / 2, blocks - 1))


def _decision(found: Comparison) -> Check:
    name = f"{PLANTED[found.candidate]} {found.metric}: decided '{found.decision}'"
    return within(name, "", int(found.decision == DECISIONS[found.candidate]), 1)


def _logged_ms(recording: Recording, metric: Metric, target: str) -> float:
    """Return the mean or median time by the log of the server."""
    log = recording.log(target)
    took = ms(log, "ended_ns", "began_ns")
    # Without the first request of each user, which took longer so that they spread.
    usual = took[took < 1.5 * PLANTED_MS[target]]
    return float(usual.mean()) if metric == "throughput" else float(sorted(usual)[len(usual) // 2])


def responses(recording: Recording) -> list[Check]:
    """Check Little's law, and that wrong responses are counted and not timed."""
    loads = {
        USERS: recording.measurements("planted", target="base"),
        MANY_USERS: recording.measurements("crowd"),
    }
    little = []
    for users, measurements in loads.items():
        in_flight = [
            one.result.throughput_rps * (one.result.latency_ms.mean or 0.0) / 1e3
            for one in measurements
        ]
        name = f"{users} users: throughput x latency"
        little.append(within(name, "", float(np.mean(in_flight)), users, share=LITTLE_OFF))
    return little + wrong_responses(recording)


def wrong_responses(recording: Recording) -> list[Check]:
    """Check every tenth response, which is wrong: counted like the server, and in no figure."""
    measurement = recording.measurement("erring")
    log = recording.log("erring", measurement)
    ((begin, end),) = measurement.record.windows_ns
    inside = log.filter((log["ended_ns"] >= begin) & (log["ended_ns"] < end))
    good = log.filter(log["status"] == 200)
    errors = len(measurement.requests.filter(measurement.requests["error"] != ""))
    mean = float(ms(good, "ended_ns", "began_ns").mean())
    over = (measurement.result.latency_ms.mean or 0.0) - mean
    logged_rps = len(inside.filter(inside["status"] == 200)) / measurement.record.window_s
    rps = measurement.result.throughput_rps
    name = "every 10th response wrong"
    return [
        within(f"{name}: errors recorded", "", errors, len(log) - len(good)),
        recorded(recording, measurement),
        within(f"{name}: correct ones a second", "", rps, logged_rps, share=RESPONSES_OFF),
        at_most(f"{name}: mean of the correct ones, over it", "ms", over, MOST_FLOOR_MS),
    ]


def beside_wrk(recording: Recording) -> list[Check]:
    """Check medians of pairs: the two of a pair were measured in the same seconds.

    The server waits. On the null server throughput is what client and server do together on their
    two cores, and each client's own answer is right.
    """
    pairs = recording.other("wrk")
    results = [measurement.result for measurement in recording.measurements("beside_wrk")]
    rps, p50 = (np.array([pair[name] for pair in pairs]) for name in ("rps", "p50_ms"))
    own_rps = np.array([result.throughput_rps for result in results])
    own_p50 = np.array([result.latency_ms.p50 or 0.0 for result in results])
    ratio, beyond = float(np.median(own_rps / rps)), float(np.median(own_p50 - p50))
    reach = max(P50_OFF * float(np.median(p50)), P50_OFF_MS)
    return [
        within("throughput, ours to wrk's", "", ratio, 1.0, share=THROUGHPUT_OFF),
        within("p50, ours less wrk's", "ms", beyond, 0.0, reach=reach),
    ]
