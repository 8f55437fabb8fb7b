"""All items of a calibration; item 11 plants errors in the requests of the others."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from tests.instrument.analysis import MADE_UP, PLANTED_DIFFERENCES, RESPONSES, WRK
from tests.instrument.checks import KnownAnswer, Outcome, between, evaluate
from tests.instrument.latency import DELAYS, POOL, SERIAL_QUEUE
from tests.instrument.load import ARRIVALS, HEADROOM, STALLS
from tests.instrument.recording import Mutation, Recording

# Those of measured requests; item 1 has requests of its own.
MEASURED: tuple[KnownAnswer, ...] = (
    DELAYS,
    SERIAL_QUEUE,
    POOL,
    STALLS,
    PLANTED_DIFFERENCES,
    ARRIVALS,
    HEADROOM,
    RESPONSES,
)
NO_WRK = "wrk is not installed (Debian: apt install wrk)"
LATE_NS = 1_000_000
NS_PER_MS = 1_000_000
STAMPS = ("intended_ns", "sent_ns", "first_byte_ns", "done_ns")


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
    answers = [*MEASURED, *[WRK] * wrk]
    outcomes = [evaluate(answer, recording) for answer in answers]
    yield from outcomes
    if not wrk:
        yield Outcome(WRK.number, WRK.name, "SKIP", message=NO_WRK)
    passed = {outcome.number for outcome in outcomes if outcome.verdict == "PASS"}
    yield errors_noticed([answer for answer in answers if answer.number in passed], recording)


def errors_noticed(passed: Sequence[KnownAnswer], recording: Recording) -> Outcome:
    """Check that each planted error fails one of the items that `passed` without it."""
    checks = []
    for name, mutation in MUTATIONS.items():
        numbers = failing(passed, recording.mutated(mutation))
        by = ", ".join(map(str, numbers)) or "none"
        noticed = between(f"{name}: items that fail ({by})", "", len(numbers), 1, len(MEASURED) + 1)
        checks.append(noticed)
    name = "planted errors are noticed"
    if all(check.ok for check in checks):
        return Outcome(11, name, "PASS", checks)
    message = (
        "A calibration would not notice such an error of the load generator, so that its PASS is"
        " worth less: see which of the items above failed or was skipped."
    )
    return Outcome(11, name, "FAIL", checks, message)


def failing(answers: Iterable[KnownAnswer], recording: Recording) -> list[int]:
    """Return the numbers of the items that fail."""
    return [a.number for a in answers if evaluate(a, recording).verdict == "FAIL"]
