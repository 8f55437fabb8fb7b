"""Recorder: every response becomes a row of requests.parquet."""

from pathlib import Path

import polars as pl
import pytest

from loadtests.connection import TimedResponse
from loadtests.recorder import Recorder


def test_every_response_becomes_a_row(tmp_path: Path) -> None:
    recorder = Recorder()
    assert recorder.add(0, 200, 9, TimedResponse(10, 20, 30, 200, 5, ""))
    assert not recorder.add(1, 200, 11, TimedResponse(11, 21, 31, 500, 6, ""))
    assert not recorder.add(1, 200, 12, TimedResponse(12, 0, 32, 0, 0, "Connection refused"))
    recorder.write(tmp_path / "requests.parquet")
    assert pl.read_parquet(tmp_path / "requests.parquet").rows(named=True) == [
        {
            "intended_ns": 9, "sent_ns": 10, "first_byte_ns": 20, "done_ns": 30,
            "request": 0, "status": 200, "bytes": 5, "error": "",
        },
        {
            "intended_ns": 11, "sent_ns": 11, "first_byte_ns": 21, "done_ns": 31,
            "request": 1, "status": 500, "bytes": 6, "error": "status 500, expected 200",
        },
        {
            "intended_ns": 12, "sent_ns": 12, "first_byte_ns": 0, "done_ns": 32,
            "request": 1, "status": 0, "bytes": 0, "error": "Connection refused",
        },
    ]  # fmt: skip
    assert recorder.last_activity_ns == 31  # a wrong response is a response


def test_right_responses_are_counted_by_arrival() -> None:
    recorder = Recorder()
    for done_ns, status in ((9, 200), (10, 200), (11, 500), (12, 200), (20, 200)):
        recorder.add(0, 200, 1, TimedResponse(1, 2, done_ns, status, 0, ""))
    assert recorder.good_between(10, 20) == 2


@pytest.mark.parametrize("count", [0, 8])
def test_rows_continue_in_the_next_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("loadtests.recorder.CHUNK_ROWS", 3)
    recorder = Recorder()
    for n in range(count):
        recorder.add(n, 200, n, TimedResponse(n, n, n, 200, n, ""))
    recorder.write(tmp_path / "requests.parquet")
    numbers = pl.read_parquet(tmp_path / "requests.parquet")["request"].to_list()
    assert numbers == list(range(count))
