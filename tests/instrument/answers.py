"""The eleven items of a calibration, and the verdicts on them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import polars as pl

from tests.instrument import MissingDataError, analysis, timing
from tests.instrument.checks import between
from tests.instrument.plans import SLOTS
from tests.instrument.recording import Mutation, Recording
from twinbench.selfcheck.evaluate import HEADROOM_ADVICE, LAG_ADVICE
from twinbench.selfcheck.result import Check

LATE_NS = 1_000_000
NS_PER_MS = 1_000_000
STAMPS = ("intended_ns", "sent_ns", "first_byte_ns", "done_ns")
NO_WRK = "wrk is not installed (Debian: apt install wrk)"
QUEUE_ADVICE = (
    "Waiting times under open loads are wrong here: do not use latencies of open loads; look"
    " at the arrivals (item 7) and at stolen CPU time first."
)
MUTATION_ADVICE = (
    "A calibration would not detect such an error of the load generator, so that its PASS is"
    " worth less: see which of the items above failed or was skipped."
)


class KnownAnswer(NamedTuple):
    """Item of a calibration; `advice` says what a failure means and what to do."""

    number: int
    name: str
    check: Callable[[Recording], list[Check]]
    advice: str


class Outcome(NamedTuple):
    """Verdict on an item, and why where the checks do not say it."""

    number: int
    name: str
    verdict: Literal["PASS", "FAIL", "SKIP"]
    checks: Sequence[Check] = ()
    message: str = ""


MADE_UP = KnownAnswer(
    1,
    "made-up requests: statistics exact",
    lambda _: analysis.made_up(),
    "The statistics are wrong, whatever was measured: report this as an error of twinbench.",
)
WRK = KnownAnswer(
    10,
    "wrk measures the same",
    analysis.beside_wrk,
    "Two clients disagree about one server: calibrate again on a quiet machine; if they still"
    " do, report this as an error of twinbench.",
)
# Those of measured requests, on any machine; item 1 has requests of its own.
MEASURED = (
    KnownAnswer(
        2,
        "fixed delays: slope and floor",
        timing.delays,
        "Latencies are stretched or shifted: do not publish latencies from this machine before you"
        " have found what else runs on the generator's core.",
    ),
    KnownAnswer(3, "serial queue, Poisson arrivals", timing.serial_queue, QUEUE_ADVICE),
    KnownAnswer(4, f"{SLOTS} slots, Poisson arrivals", timing.pool, QUEUE_ADVICE),
    KnownAnswer(
        5,
        "server frozen, generator stopped",
        timing.stalls,
        "Stalls are missing or at the wrong time: high percentiles of open loads are wrong here;"
        " report this as an error of twinbench.",
    ),
    KnownAnswer(
        6,
        "A/A, +5 %, +20 %",
        analysis.planted,
        "Differences between two targets are not shown as they are: do not compare targets"
        " now; calibrate again on a quiet machine.",
    ),
    KnownAnswer(7, "Poisson arrivals, sent in time", timing.arrivals, LAG_ADVICE),
    KnownAnswer(8, "headroom of the generator", timing.headroom, HEADROOM_ADVICE),
    KnownAnswer(
        9,
        "Little's law; wrong responses",
        analysis.responses,
        "Throughput and latency contradict each other, or wrong responses pass for correct ones:"
        " report this as an error of twinbench.",
    ),
)


def drop_late(rows: pl.DataFrame) -> pl.DataFrame:
    """Drop arrivals that were not sent in time, as a pacer does that skips slots."""
    return rows.filter(pl.col("sent_ns") - pl.col("intended_ns") <= LATE_NS)


def time_from_sent(rows: pl.DataFrame) -> pl.DataFrame:
    """Omit the wait before sending (coordinated omission)."""
    return rows.with_columns(intended_ns=pl.col("sent_ns"))


def merge_errors(rows: pl.DataFrame) -> pl.DataFrame:
    """Time wrong responses as if they were correct."""
    return rows.with_columns(error=pl.lit(""))


def round_to_ms(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns((pl.col(*STAMPS) / NS_PER_MS).round().cast(pl.Int64) * NS_PER_MS)


MUTATIONS: Mapping[str, Mutation] = {
    "late arrivals dropped": drop_late,
    "timed from sent": time_from_sent,
    "errors merged into latency": merge_errors,
    "rounded to ms": round_to_ms,
}


def evaluate_all(recording: Recording, *, wrk: bool) -> Iterable[Outcome]:
    """Yield the eleven outcomes in their order."""
    yield evaluate(MADE_UP, recording)
    passed = []
    for answer in [*MEASURED, *[WRK] * wrk]:
        outcome = evaluate(answer, recording)
        yield outcome
        if outcome.verdict == "PASS":
            passed.append(answer)
    if not wrk:
        yield Outcome(WRK.number, WRK.name, "SKIP", message=NO_WRK)
    yield evaluate(planted_errors(passed), recording)


def evaluate(answer: KnownAnswer, recording: Recording) -> Outcome:
    """Return the verdict on `answer`; what cannot be checked has failed."""
    number, name, check, advice = answer
    try:
        checks = check(recording)
    except MissingDataError as error:
        return Outcome(number, name, "FAIL", message=f"{error}. {advice}")
    if all(check.ok for check in checks):
        return Outcome(number, name, "PASS", checks)
    return Outcome(number, name, "FAIL", checks, advice)


def planted_errors(passed: Sequence[KnownAnswer]) -> KnownAnswer:
    """Return item 11: each planted error fails one of the items that `passed` without it."""

    def check(recording: Recording) -> list[Check]:
        checks = []
        for name, mutation in MUTATIONS.items():
            numbers = failing(passed, recording.mutated(mutation))
            by = ", ".join(map(str, numbers)) or "none"
            title = f"{name}: items that fail ({by})"
            checks.append(between(title, "", len(numbers), 1, len(MEASURED) + 1))
        return checks

    return KnownAnswer(11, "planted errors are detected", check, MUTATION_ADVICE)


def failing(answers: Iterable[KnownAnswer], recording: Recording) -> list[int]:
    """Return the numbers of the items that fail."""
    return [a.number for a in answers if evaluate(a, recording).verdict == "FAIL"]
