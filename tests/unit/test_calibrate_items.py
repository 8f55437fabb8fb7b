"""Known answers, judged: a perfect instrument passes, each error of another is found."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.known import write_calibration
from twinbench.calibrate import judge, mutations
from twinbench.calibrate.evidence import Evidence
from twinbench.calibrate.items import (
    answers,
    arrivals,
    delays,
    headroom,
    planted,
    queues,
    stalls,
    synthetic,
    wrk,
)
from twinbench.calibrate.verdict import Known, judged, told
from twinbench.findings import Check, Item
from twinbench.store import now

LIVE = [*judge.LIVE, wrk.KNOWN]
Rows = pl.DataFrame


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return Evidence(write_calibration(tmp_path_factory.mktemp("calibration")))


@pytest.mark.parametrize("known", [synthetic.KNOWN, *LIVE], ids=lambda known: str(known.number))
def test_a_perfect_instrument_passes(evidence: Evidence, known: Known) -> None:
    item = judged(known, evidence)
    assert item.verdict == "PASS", item.said
    assert item.picture
    assert all(len(series.x) == len(series.y) > 0 for series in item.picture.series)
    assert Item.model_validate_json(item.model_dump_json()) == item


def shifted(stamp: str, ms: float) -> Callable[[Rows], Rows]:
    return lambda rows: rows.with_columns(pl.col(stamp) + int(ms * 1e6))


def stretched(share: float) -> Callable[[Rows], Rows]:
    """A clock that runs too fast."""
    took = pl.col("done_ns") - pl.col("sent_ns")
    return lambda rows: rows.with_columns(
        done_ns=pl.col("sent_ns") + (took * (1 + share)).cast(pl.Int64)
    )


def every(n: int) -> Callable[[Rows], Rows]:
    return lambda rows: rows.filter(pl.int_range(pl.len()) % n != 0)


def stalls_shortened(rows: Rows) -> Rows:
    """Long times are told 20 ms too short."""
    long = pl.col("done_ns") - pl.col("intended_ns") > 20e6
    return rows.with_columns(
        done_ns=pl.col("done_ns") - pl.when(long).then(20_000_000).otherwise(0)
    )


def bunched(rows: Rows) -> Rows:
    """Gaps of every second arrival go to the one before."""
    return rows.sort("intended_ns").with_columns(
        intended_ns=pl.when(pl.int_range(pl.len()) % 2 == 0)
        .then(pl.col("intended_ns"))
        .otherwise(pl.col("intended_ns").shift(1))
    )


@pytest.mark.parametrize(
    ("known", "spoil", "said"),
    [
        (delays.KNOWN, stretched(0.01), "slope"),
        (delays.KNOWN, shifted("done_ns", 1.5), "intercept"),
        (queues.SERIAL_QUEUE, shifted("done_ns", 1.0), None),
        (queues.SERIAL_QUEUE, stretched(0.2), "mean wait"),
        (queues.POOL, stretched(0.02), "mean wait"),
        (queues.POOL, every(500), "requests recorded"),
        (stalls.KNOWN, every(10), "requests meant meanwhile"),
        (stalls.KNOWN, stalls_shortened, "first"),
        (planted.KNOWN, lambda rows: rows.with_columns(done_ns="sent_ns"), "no valid cells"),
        (arrivals.KNOWN, bunched, "exponential"),
        (arrivals.KNOWN, every(100), "arrivals"),
        (arrivals.KNOWN, shifted("sent_ns", 0.3), "lag median"),
        (headroom.KNOWN, every(100), "sent and answered"),
        (answers.KNOWN, every(20), "throughput x latency"),
        (wrk.KNOWN, every(20), "throughput"),
        (wrk.KNOWN, stretched(0.1), "p50"),
    ],
)
def test_an_error_fails_the_item_that_is_made_for_it(
    evidence: Evidence, known: Known, spoil: Callable[[Rows], Rows], said: str | None
) -> None:
    item = judged(known, evidence.changed(spoil))
    if said is None:  # the floor takes up what is added to all alike
        assert item.verdict == "PASS"
        return
    assert item.verdict == "FAIL"
    assert said in item.said
    assert known.means in item.said


@pytest.mark.parametrize("name", mutations.MUTATIONS)
def test_each_mutation_is_caught_by_a_live_item(evidence: Evidence, name: str) -> None:
    numbers = mutations.caught_by(mutations.MUTATIONS[name], LIVE, evidence)
    assert numbers
    assert set(numbers) <= set(range(2, 11))


@pytest.mark.slow
def test_the_item_of_mutations_passes_and_says_who_caught_what(evidence: Evidence) -> None:
    found = judge.full(evidence, now())
    assert [item.number for item in found.items] == list(range(1, 12))
    assert not found.failed
    assert found.items[-1].said.startswith("late arrivals dropped: caught by ")


@pytest.mark.slow
def test_what_fails_anyway_catches_nothing(evidence: Evidence) -> None:
    """Errors are counted by item 9 alone: once it fails by itself, nobody is left to notice."""
    items = [judged(known, evidence) for known in LIVE]
    broken = [
        item.model_copy(update={"verdict": "FAIL"}) if item.number == 9 else item for item in items
    ]
    assert mutations.judge(LIVE, items, evidence).verdict == "PASS"
    item = mutations.judge(LIVE, broken, evidence)
    assert item.verdict == "FAIL"
    assert "errors merged into latency: caught by none" in item.said


def test_a_cell_that_was_lost_fails_its_items_and_no_other(tmp_path: Path) -> None:
    folder = write_calibration(tmp_path)
    for path in folder.glob("runs/*-queues/cells/*/cell.json"):
        text = path.read_text().replace('"outcome":"done"', '"outcome":"lost"')
        path.write_text(text.replace('"reason":""', '"reason":"out of luck"'))
    items = [judged(known, Evidence(folder)) for known in LIVE]
    assert [item.number for item in items if item.verdict == "FAIL"] == [3, 4]
    assert "out of luck" in items[1].said


def test_a_check_is_told_as_a_person_would() -> None:
    def check(measured: float, expected: float, low: float, high: float) -> Check:
        return Check(
            what="wait", unit="ms", measured=measured, expected=expected, low=low, high=high
        )

    assert told(check(4.934, 5.01, 4.76, 5.26)) == "wait 4.934 ms, expected 5.01 (4.76 to 5.26)"
    assert told(check(0.0712, 0.2, 0.0, 0.2)) == "wait 0.071 ms (at most 0.200)"
    assert told(check(131, 131, 131, 131)) == "wait 131 ms, expected 131"
