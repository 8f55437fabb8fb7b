"""Item 11. Errors an instrument might have, applied to every row that was recorded above: would
calibration have noticed?

An error counts as caught where an item fails that passes without it. Item 1 is left out: it has
records of its own.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from twinbench.calibrate.evidence import Change, Evidence, Rows
from twinbench.calibrate.verdict import Known, between, judged
from twinbench.findings import Item, Picture, Series

NUMBER, NAME = 11, "errors of an instrument are noticed"
MEANS = (
    "Calibration would not notice such an error in the instrument, so that its PASS says less than"
    " it seems to: see which of the items above failed or was skipped."
)
LATE_NS = 1_000_000
NS_PER_MS = 1_000_000
STAMPS = ("intended_ns", "sent_ns", "first_byte_ns", "done_ns")


def drop_late(rows: Rows) -> Rows:
    """Arrivals that could not be sent in time are forgotten, as by a pacer that skips slots."""
    return rows.filter(pl.col("sent_ns") - pl.col("intended_ns") <= LATE_NS)


def time_from_sent(rows: Rows) -> Rows:
    """Coordinated omission."""
    return rows.with_columns(intended_ns=pl.col("sent_ns"))


def merge_errors(rows: Rows) -> Rows:
    """Wrong answers are timed as if they were good."""
    return rows.with_columns(error=pl.lit(""))


def round_to_ms(rows: Rows) -> Rows:
    return rows.with_columns((pl.col(*STAMPS) / NS_PER_MS).round().cast(pl.Int64) * NS_PER_MS)


MUTATIONS: Mapping[str, Change] = {
    "late arrivals dropped": drop_late,
    "timed from sent": time_from_sent,
    "errors merged into latency": merge_errors,
    "rounded to ms": round_to_ms,
}


def caught_by(change: Change, live: Sequence[Known], evidence: Evidence) -> list[int]:
    """The numbers of the items among `live` that fail because of `change`."""
    changed = evidence.changed(change)
    return [known.number for known in live if judged(known, changed).verdict == "FAIL"]


def judge(live: Sequence[Known], items: Sequence[Item], evidence: Evidence) -> Item:
    """`items` are those of `live` as they are, without any change."""
    sound = {item.number for item in items if item.verdict == "PASS"}
    able = [known for known in live if known.number in sound]
    caught = {name: caught_by(change, able, evidence) for name, change in MUTATIONS.items()}
    most = float(len(live))
    checks = [
        between(f"{name}: items that fail", "", len(numbers), 1, (1.0, most))
        for name, numbers in caught.items()
    ]
    missed = [check for check in checks if not check.ok]
    said = "; ".join(
        f"{name}: caught by {', '.join(map(str, numbers)) or 'none'}"
        for name, numbers in caught.items()
    )
    return Item(
        number=NUMBER,
        name=NAME,
        verdict="FAIL" if missed else "PASS",
        said=f"{said}. {MEANS}" if missed else said,
        checks=checks,
        picture=_picture(caught),
    )


def _picture(caught: Mapping[str, Sequence[int]]) -> Picture:
    return Picture(
        title="Errors planted in the records, and the items that fail because of them",
        x_label="item",
        y_label="error: " + ", ".join(f"{n} {name}" for n, name in enumerate(caught, start=1)),
        series=[
            Series(
                name=name,
                kind="points",
                x=[float(number) for number in numbers],
                y=[float(n)] * len(numbers),
            )
            for n, (name, numbers) in enumerate(caught.items(), start=1)
        ],
    )
