"""What the recorder keeps is what is written."""

from pathlib import Path

import polars as pl
import pytest

from loadtests.recorder import Recorder
from loadtests.wire import Answer


def test_every_answer_becomes_a_row(tmp_path: Path) -> None:
    recorder = Recorder()
    assert recorder.add(0, 200, 9, Answer(10, 20, 30, 200, 5, ""))
    assert not recorder.add(1, 200, 11, Answer(11, 21, 31, 500, 6, ""))
    assert not recorder.add(1, 200, 12, Answer(12, 0, 32, 0, 0, "Connection refused"))
    recorder.write(tmp_path / "requests.parquet")
    rows = pl.read_parquet(tmp_path / "requests.parquet").rows(named=True)
    assert rows == [
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
    assert recorder.last_sign_ns == 31  # a wrong answer is an answer


def test_good_answers_are_counted_where_they_arrived() -> None:
    recorder = Recorder()
    for done_ns, status in ((9, 200), (10, 200), (11, 500), (12, 200), (20, 200)):
        recorder.add(0, 200, 1, Answer(1, 2, done_ns, status, 0, ""))
    assert recorder.good_between(10, 20) == 2


def test_no_row_is_lost_where_a_chunk_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtests.recorder.CHUNK_ROWS", 3)
    recorder = Recorder()
    for n in range(8):
        recorder.add(n, 200, n, Answer(n, n, n, 200, n, ""))
    recorder.write(tmp_path / "requests.parquet")
    assert pl.read_parquet(tmp_path / "requests.parquet")["request"].to_list() == list(range(8))


def test_nothing_recorded_is_a_table_without_rows(tmp_path: Path) -> None:
    Recorder().write(tmp_path / "requests.parquet")
    assert pl.read_parquet(tmp_path / "requests.parquet").height == 0
