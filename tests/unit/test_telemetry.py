"""Telemetry without a server: what the probe writes, how it is read, and how it is joined."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from twinbench.measure.inside import SCHEMA, no_rows, to_rows
from twinbench.measure.probe import COLUMNS as WRITTEN
from twinbench.measure.probe import PERIOD_NS, ROW, Lag, Probe
from twinbench.measure.telemetry import COLUMNS, OUTSIDE, MemoryLimit, joined

SECOND_NS = 1_000_000_000


class Loop:
    """Runs what it was asked to run when it is told."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], None]] = []

    def call_soon_threadsafe(self, call: Callable[[], None]) -> None:
        self.asked.append(call)

    def run(self) -> None:
        self.asked.pop(0)()


class Limiter:
    broken = False

    def statistics(self) -> SimpleNamespace:
        if self.broken:
            raise RuntimeError("set changed size during iteration")
        return SimpleNamespace(borrowed_tokens=3, tasks_waiting=2)


@pytest.fixture
def fd(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Memory for three rows, of a process that has not imported SQLAlchemy."""
    monkeypatch.delitem(sys.modules, "sqlalchemy.pool", raising=False)
    fd = os.memfd_create("test")
    os.ftruncate(fd, 3 * ROW.size)
    yield fd
    os.close(fd)


def read(fd: int) -> pl.DataFrame:
    return to_rows(np.frombuffer(os.pread(fd, 1000, 0), np.int64).reshape(-1, len(WRITTEN)))


def outside(*t_ns: int) -> pl.DataFrame:
    rows = [(t, 5, n / 10, 90.0, 0.1 * n, 0.0) for n, t in enumerate(t_ns)]
    return pl.DataFrame(rows, schema=OUTSIDE, orient="row")


def inside(*t_ns: int) -> pl.DataFrame:
    return pl.DataFrame([(t, 0.1, 1, 0, 2, 1, 0.01) for t in t_ns], schema=SCHEMA, orient="row")


def test_a_blocked_loop_is_late_while_it_is_blocked() -> None:
    loop = Loop()
    began_ns = time.perf_counter_ns() - 9 * SECOND_NS
    lag = Lag(loop, began_ns)
    assert lag.look(began_ns + 2 * SECOND_NS) == 2 * SECOND_NS
    assert lag.look(began_ns + 3 * SECOND_NS) == 3 * SECOND_NS
    assert len(loop.asked) == 1
    loop.run()
    assert lag.look(began_ns + 99 * SECOND_NS) == pytest.approx(9 * SECOND_NS, rel=0.5)
    # Asked anew, and only now.
    assert len(loop.asked) == 1
    assert lag.look(began_ns + 100 * SECOND_NS) == SECOND_NS


def test_the_memory_of_the_probe_keeps_the_newest_rows(fd: int) -> None:
    probe, loop = Probe(os.dup(fd)), Loop()
    probe.aim(loop, Limiter())
    seen: list[int] = []
    for _ in range(5):
        loop.run()
        probe.look()
        seen.append(read(fd)["t_ns"][-1])
    rows = read(fd)
    assert rows["t_ns"].to_list() == sorted(seen)[-3:]
    assert rows["threads_used"].to_list() == [3, 3, 3]
    assert rows["threads_waiting"].to_list() == [2, 2, 2]
    assert rows["telemetry_cpu_s"].is_sorted()


def test_what_is_not_known_is_null(fd: int) -> None:
    probe, limiter = Probe(os.dup(fd)), Limiter()
    limiter.broken = True
    probe.aim(Loop(), limiter)
    probe.look()
    (row,) = read(fd).to_dicts()
    assert (row["threads_used"], row["threads_waiting"]) == (None, None)
    assert (row["connections_used"], row["connections_waiting"]) == (None, None)
    assert row["loop_lag_ms"] >= 0


def test_a_row_that_was_being_written_is_left_out() -> None:
    whole = [10, 2_000_000, 1, 0, -1, -1, 30_000_000, 10]
    torn, never = [*whole[:-1], 9], [0] * len(WRITTEN)
    (row,) = to_rows(np.array([torn, whole, never])).to_dicts()
    assert (row["t_ns"], row["loop_lag_ms"], row["telemetry_cpu_s"]) == (10, 2.0, 0.03)
    assert (row["connections_used"], row["connections_waiting"]) == (None, None)


def test_each_look_from_outside_gets_the_nearest_from_inside() -> None:
    start = 1_000 * SECOND_NS
    looks = [start, start + PERIOD_NS, start + 10 * PERIOD_NS]
    seen = inside(start - PERIOD_NS // 10, start + PERIOD_NS + 5, start + 12 * PERIOD_NS)
    found = joined(outside(*looks), seen)
    assert found.columns == COLUMNS
    assert found["t_ns"].to_list() == looks
    # The last has none within a period: the process did not run.
    assert found["connections_used"].to_list() == [2, 2, None]
    assert found["threads"].to_list() == [5, 5, 5]


@pytest.mark.parametrize("looks", [[], [SECOND_NS]])
def test_without_a_probe_the_frame_is_still_whole(looks: list[int]) -> None:
    found = joined(outside(*looks), no_rows())
    assert (found.columns, found.height) == (COLUMNS, len(looks))
    assert found.schema == joined(outside(1), inside(1)).schema
    assert found["loop_lag_ms"].null_count() == len(looks)


def test_the_memory_limit_says_where_it_comes_from() -> None:
    assert MemoryLimit.of(2000) == (2000, "memory_mib = 2000")
    limit = MemoryLimit.of(None)
    assert limit.mib > 0
    assert f"{limit.mib:,.0f} MiB, half of what was free" in limit.said
