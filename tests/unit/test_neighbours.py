"""Requests that are there to be in the way of others: load, whose latency does not count."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from tests.support import runs
from twinbench.analyse.run import analyse
from twinbench.plan import Cell, Plan
from twinbench.store import CellRecord

CHEAP: dict[str, object] = {"path": "/cheap"}
BACKGROUND: dict[str, object] = {"path": "/slow", "background": True}


def beside(*requests: dict[str, object], **more: object) -> Plan:
    scenario = {"name": "beside", "requests": list(requests), "closed": [8]}
    return runs.plan(scenarios=[scenario | more])


def test_a_neighbour_is_load_but_its_latency_does_not_count(tmp_path: Path) -> None:
    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        cheap, slow = runs.answers(500, 4), runs.answers(50, 120)
        slow = slow.with_columns(request=pl.lit(np.int32(1)))
        return runs.record(cell), pl.concat([cheap, slow])

    result = analyse(runs.write_run(tmp_path, beside(CHEAP, BACKGROUND), make)).cells[0]
    assert result.status == "valid"
    assert result.requests == 550
    assert result.throughput_rps == pytest.approx(550)
    assert result.latency_ms.max == pytest.approx(4)
    assert result.service_ms.max == pytest.approx(4)


def test_somebody_must_be_timed() -> None:
    with pytest.raises(ValidationError, match="leave one that is timed"):
        beside(BACKGROUND)


def test_a_scenario_may_be_measured_longer_than_the_others() -> None:
    assert beside(CHEAP).measure_s_of("beside") == runs.plan().measure_s
    assert beside(CHEAP, measure_s=9.5).measure_s_of("beside") == 9.5


def test_slow_neighbours_do_not_hide_a_late_generator(tmp_path: Path) -> None:
    """A lag of 3 ms, of every twentieth, is little beside answers of 100 ms, but not of 4 ms."""
    late_ns = pl.when(pl.int_range(pl.len()) % 20 == 0).then(3_000_000).otherwise(0)

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        cheap, slow = (runs.arrivals(1000, ms) for ms in (4, 100))
        slow = slow.with_columns(request=pl.lit(np.int32(1)))
        rows = pl.concat([cheap, slow]).with_columns(sent_ns=pl.col("sent_ns") + late_ns)
        return runs.record(cell, scheduled=2000), rows

    plan = beside(CHEAP, BACKGROUND, closed=[], open=[2000])
    found = analyse(
        runs.write_run(tmp_path, plan, make, self_check=runs.self_check(lag_p99_ms=0.2))
    )
    assert found.cells[0].status == "invalid"
    assert "late" in found.cells[0].reasons[0]
