"""Known answers on made-up data: perfect data pass, each error fails the item made for it."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from tests.instrument import MissingDataError, answers, servers
from tests.instrument.__main__ import table
from tests.instrument.answers import MADE_UP, MUTATIONS, Outcome, evaluate
from tests.instrument.checks import within
from tests.instrument.made_up import write_calibration
from tests.instrument.measure import read_wrk
from tests.instrument.recording import Mutation, Recording
from twinbench.selfcheck import bare_timer, null_server

pytestmark = pytest.mark.smoke

ANSWERS = {answer.number: answer for answer in (*answers.MEASURED, answers.WRK)}
WRK = """
  Latency Distribution
     50%  {p50}
     99%   11.02ms
  3148 requests in 2.00s, 122.97KB read
Requests/sec:   1570.66
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return Recording(write_calibration(tmp_path_factory.mktemp("calibration")))


@pytest.mark.slow
@pytest.mark.parametrize("wrk", [True, False])
def test_perfect_data_pass_all_items(recording: Recording, wrk: bool) -> None:
    outcomes = list(answers.evaluate_all(recording, wrk=wrk))
    assert [outcome.number for outcome in outcomes] == list(range(1, 12))
    assert [outcome.verdict for outcome in outcomes if outcome.number != 10] == ["PASS"] * 10
    assert outcomes[9].verdict == ("PASS" if wrk else "SKIP")
    assert all(outcome.checks for outcome in outcomes if outcome.verdict == "PASS")


@pytest.mark.parametrize("number", range(1, 11))
def test_perfect_data_pass_an_item(recording: Recording, number: int) -> None:
    assert evaluate(ANSWERS.get(number, MADE_UP), recording).verdict == "PASS"


def shifted(stamp: str, ms: float) -> Mutation:
    return lambda rows: rows.with_columns(pl.col(stamp) + int(ms * 1e6))


def stretched(share: float) -> Mutation:
    """A clock that runs too fast."""
    took = pl.col("done_ns") - pl.col("sent_ns")
    return lambda rows: rows.with_columns(
        done_ns=pl.col("sent_ns") + (took * (1 + share)).cast(pl.Int64)
    )


def without_every(n: int) -> Mutation:
    return lambda rows: rows.filter(pl.int_range(pl.len()) % n != 0)


def stalls_shortened(rows: pl.DataFrame) -> pl.DataFrame:
    long = pl.col("done_ns") - pl.col("intended_ns") > 20e6
    return rows.with_columns(
        done_ns=pl.col("done_ns") - pl.when(long).then(20_000_000).otherwise(0)
    )


def bunched(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows whose every second arrival has the time of the previous one."""
    return rows.sort("intended_ns").with_columns(
        intended_ns=pl.when(pl.int_range(pl.len()) % 2 == 0)
        .then(pl.col("intended_ns"))
        .otherwise(pl.col("intended_ns").shift(1))
    )


def done_at_once(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(done_ns="sent_ns")


@pytest.mark.parametrize(
    ("number", "mutation", "failing"),
    [
        (2, stretched(0.01), "slope"),
        (2, shifted("done_ns", 1.5), "intercept"),
        (3, stretched(0.2), "mean wait"),
        (4, stretched(0.02), "mean wait"),
        (4, without_every(500), "requests recorded"),
        (5, without_every(10), "requests due meanwhile"),
        (5, stalls_shortened, "first"),
        (7, bunched, "exponential"),
        (7, without_every(100), "arrivals"),
        (7, shifted("sent_ns", 0.3), "arrival lag"),
        (8, without_every(100), "sent and answered"),
        (9, without_every(20), "throughput x latency"),
        (10, without_every(20), "throughput"),
        (10, stretched(0.1), "p50"),
    ],
)
def test_an_error_fails_the_item_that_is_made_for_it(
    recording: Recording, number: int, mutation: Mutation, failing: str
) -> None:
    outcome = evaluate(ANSWERS[number], recording.mutated(mutation))
    assert outcome.verdict == "FAIL"
    assert any(failing in check.name for check in outcome.checks if not check.ok)
    assert outcome.message == ANSWERS[number].advice


def test_the_floor_of_a_queue_absorbs_a_constant(recording: Recording) -> None:
    later = recording.mutated(shifted("done_ns", 1.0))
    assert evaluate(ANSWERS[3], later).verdict == "PASS"


def test_item_without_valid_data_fails(recording: Recording) -> None:
    outcome = evaluate(ANSWERS[6], recording.mutated(done_at_once))
    assert outcome.verdict == "FAIL"
    assert "no valid" in outcome.message


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_planted_error_is_detected(recording: Recording, name: str) -> None:
    assert answers.failing(ANSWERS.values(), recording.mutated(MUTATIONS[name]))


@pytest.mark.slow
def test_error_that_no_item_detects_fails(recording: Recording) -> None:
    """Item 9 alone detects merged errors."""
    passed = [answer for answer in ANSWERS.values() if answer.number != 9]
    outcome = evaluate(answers.planted_errors(passed), recording)
    assert [check.ok for check in outcome.checks] == [True, True, False, True]
    assert outcome.verdict == "FAIL"


def test_a_lost_measurement_fails_its_items_and_no_other(tmp_path: Path) -> None:
    folder = write_calibration(tmp_path)
    for path in folder.glob("runs/*-queues/cells/*/cell.json"):
        text = path.read_text().replace('"outcome":"done"', '"outcome":"lost"')
        path.write_text(text.replace('"reason":""', '"reason":"out of memory"'))
    outcomes = [evaluate(answer, Recording(folder)) for answer in ANSWERS.values()]
    failed = [outcome for outcome in outcomes if outcome.verdict == "FAIL"]
    assert [outcome.number for outcome in failed] == [3, 4]
    assert "out of memory" in failed[0].message


def test_the_table_has_a_line_for_each_check() -> None:
    checks = [within("wait", "ms", 4.934, 5.01, share=0.05), within("count", "", 131, 130)]
    outcomes = [Outcome(3, "queue", "FAIL", checks, "too late"), Outcome(10, "wrk", "SKIP")]
    lines = [line.split() for line in table(outcomes)]
    assert lines == [
        ["FAIL", "3", "queue"],
        ["wait", "4.934", "ms", "4.76", "to", "5.26"],
        ["FAIL", "count", "131", "130"],
        ["too", "late"],
        ["SKIP", "10", "wrk"],
    ]


@pytest.mark.parametrize(("p50", "ms"), [("56.00us", 0.056), ("10.04ms", 10.04), ("1.20s", 1200)])
def test_wrk_is_read(p50: str, ms: float) -> None:
    assert read_wrk(WRK.format(p50=p50)) == {"rps": 1570.66, "p50_ms": pytest.approx(ms)}


def test_wrk_without_figures_is_missing_data() -> None:
    with pytest.raises(MissingDataError, match="unable to connect"):
        read_wrk("unable to connect to 127.0.0.1")


@pytest.mark.parametrize("module", [servers, null_server, bare_timer])
def test_servers_share_no_code_with_what_they_check(module: ModuleType) -> None:
    # -I and -S: neither the project nor installed packages can be imported.
    code = f"import runpy; runpy.run_path({module.__file__!r})"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
