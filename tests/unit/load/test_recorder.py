"""Recorder: every response becomes a row of requests.parquet."""

from pathlib import Path

import polars as pl
import pytest

from twinbench.load.connection import TimedResponse
from twinbench.load.recorder import NUMBERS, TIMES, NamedRecorder, Recorder


def test_every_response_becomes_a_row(tmp_path: Path) -> None:
    recorder = Recorder()
    assert recorder.add(0, 200, 9, TimedResponse(10, 20, 30, 200, 5, ""))
    assert not recorder.add(1, 200, 11, TimedResponse(11, 21, 31, 500, 6, ""))
    assert not recorder.add(1, 200, 12, TimedResponse(12, 0, 32, 0, 0, "Connection refused"))
    recorder.write(tmp_path / "requests.parquet")
    found = pl.read_parquet(tmp_path / "requests.parquet")
    assert found.columns == [*TIMES, *NUMBERS]
    assert found.rows() == [
        (9, 10, 20, 30, 0, 200, 5, ""),
        (11, 11, 21, 31, 1, 500, 6, "status 500, expected 200"),
        (12, 12, 0, 32, 1, 0, 0, "Connection refused"),
    ]
    assert recorder.last_activity_ns == 31  # a wrong response is a response


def test_named_rows_are_ordered_by_their_ends(tmp_path: Path) -> None:
    recorder = NamedRecorder()
    recorder.add_named("GET /late", TimedResponse(10, 0, 40, 200, 5, ""))
    recorder.add_named("GET /", TimedResponse(11, 0, 30, 404, 6, "status 404"))
    recorder.add_named("GET /late", TimedResponse(12, 0, 50, 404, 7, ""))
    recorder.write(tmp_path / "requests.parquet")
    found = pl.read_parquet(tmp_path / "requests.parquet")
    assert found.select("name", "intended_ns", "done_ns", "status", "error").rows() == [
        ("GET /", 11, 30, 404, "status 404"),
        ("GET /late", 10, 40, 200, ""),
        ("GET /late", 12, 50, 404, ""),
    ]
    assert recorder.good_between(0, 60) == 2


def test_right_responses_are_counted_by_arrival() -> None:
    recorder = Recorder()
    for done_ns, status in ((9, 200), (10, 200), (11, 500), (12, 200), (20, 200)):
        recorder.add(0, 200, 1, TimedResponse(1, 2, done_ns, status, 0, ""))
    assert recorder.good_between(10, 20) == 2


@pytest.mark.parametrize("count", [0, 8])
def test_rows_continue_in_the_next_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("twinbench.load.recorder.CHUNK_ROWS", 3)
    recorder = Recorder()
    for n in range(count):
        recorder.add(n, 200, n, TimedResponse(n, n, n, 200, n, ""))
    recorder.write(tmp_path / "requests.parquet")
    numbers = pl.read_parquet(tmp_path / "requests.parquet")["request"].to_list()
    assert numbers == list(range(count))
