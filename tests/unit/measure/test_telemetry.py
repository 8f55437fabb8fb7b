"""Telemetry without a server: the probe's rows, how they are joined, and a sampler that fails."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import cast
from unittest.mock import Mock

import numpy as np
import polars as pl
import pytest

from tests.support.factories import EIGHT_USERS
from tests.support.faults import BOOM, FULL_DISK, raising
from twinbench.job import GeneratorSummary
from twinbench.measure import telemetry
from twinbench.measure.postgres import DatabaseSampler
from twinbench.measure.probe import COLUMNS as PROBE_COLUMNS
from twinbench.measure.probe import PERIOD_NS, ROW, LoopLag, Probe
from twinbench.measure.processes import Child, ResourceUse
from twinbench.measure.server import Server
from twinbench.measure.telemetry import (
    COLUMNS,
    INSIDE,
    NO_TELEMETRY,
    OUTSIDE,
    MemoryLimit,
    ServerSampler,
    join,
    probe_rows,
)
from twinbench.measure.turns import CellInTurns
from twinbench.plan import Cell

SECOND_NS = 1_000_000_000
SOON_S = 20.0  # for what comes at once
LIMIT = MemoryLimit(100, "memory_mib = 100")
CELL = Cell(1, 1, "noop", "sync", EIGHT_USERS)
SUMMARY = GeneratorSummary(
    windows_ns=[(0, 1)],
    good=1,
    collapsed=False,
    users_unserved=0,
    unanswered=0,
    scheduled=0,
    dropped=0,
    generator_cpu_s=0.1,
    generator_waited_s=0.0,
)


class Loop:
    """Event loop that runs one callback when asked to."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def run(self) -> None:
        self.callbacks.pop(0)()


@pytest.fixture
def fd(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Memory for three rows, of a process that has not imported SQLAlchemy."""
    monkeypatch.delitem(sys.modules, "sqlalchemy.pool", raising=False)
    fd = os.memfd_create("test")
    os.ftruncate(fd, 3 * ROW.size)
    yield fd
    os.close(fd)


def read(fd: int) -> pl.DataFrame:
    numbers = np.frombuffer(os.pread(fd, 1000, 0), np.int64)
    return probe_rows(numbers.reshape(-1, len(PROBE_COLUMNS)))


def outside(*t_ns: int) -> pl.DataFrame:
    rows = [(t, 5, n / 10, 90.0, 0.1 * n, 0.0) for n, t in enumerate(t_ns)]
    return pl.DataFrame(rows, schema=OUTSIDE, orient="row")


def inside(*t_ns: int) -> pl.DataFrame:
    return pl.DataFrame([(t, 0.1, 1, 0, 2, 1, 0.01) for t in t_ns], schema=INSIDE, orient="row")


def test_the_lag_of_a_blocked_loop_grows() -> None:
    loop = Loop()
    began_ns = time.perf_counter_ns() - 9 * SECOND_NS
    lag = LoopLag(loop, began_ns)
    assert lag.read(began_ns + 2 * SECOND_NS) == 2 * SECOND_NS
    assert lag.read(began_ns + 3 * SECOND_NS) == 3 * SECOND_NS
    assert len(loop.callbacks) == 1
    loop.run()
    assert lag.read(began_ns + 99 * SECOND_NS) == pytest.approx(9 * SECOND_NS, rel=0.5)
    # The next callback was posted only now.
    assert len(loop.callbacks) == 1
    assert lag.read(began_ns + 100 * SECOND_NS) == SECOND_NS


def test_the_memory_of_the_probe_keeps_the_newest_rows(fd: int) -> None:
    probe, loop = Probe(os.dup(fd)), Loop()
    in_use = SimpleNamespace(borrowed_tokens=3, tasks_waiting=2)
    probe.attach(loop, SimpleNamespace(statistics=lambda: in_use))
    times: list[int] = []
    for _ in range(5):
        loop.run()
        probe.sample()
        times.append(read(fd)["t_ns"][-1])
    rows = read(fd)
    assert rows["t_ns"].to_list() == sorted(times)[-3:]
    assert rows.select("threads_used", "threads_waiting").rows() == [(3, 2)] * 3
    assert rows["telemetry_cpu_s"].is_sorted()


def test_unknown_values_are_null(fd: int) -> None:
    limiter = SimpleNamespace(statistics=raising(RuntimeError("set changed size")))
    probe = Probe(os.dup(fd))
    probe.attach(Loop(), limiter)
    probe.sample()
    (row,) = read(fd).to_dicts()
    assert {name for name, value in row.items() if value is None} == {
        *("threads_used", "threads_waiting", "connections_used", "connections_waiting")
    }


def test_a_row_that_was_being_written_is_left_out() -> None:
    whole = [10, 2_000_000, 1, 0, -1, -1, 30_000_000, 10]
    torn, never = [*whole[:-1], 9], [0] * len(PROBE_COLUMNS)
    found = probe_rows(np.array([torn, whole, never]))
    assert found.rows() == [(10, 2.0, 1, 0, None, None, 0.03)]


def test_outside_samples_get_the_nearest_inside_sample() -> None:
    start = 1_000 * SECOND_NS
    times = [start, start + PERIOD_NS, start + 10 * PERIOD_NS]
    samples = inside(start - PERIOD_NS // 10, start + PERIOD_NS + 5, start + 12 * PERIOD_NS)
    found = join(outside(*times), samples)
    assert found.columns == COLUMNS
    assert found["t_ns"].to_list() == times
    # The last has none within a period: the process did not run.
    assert found["connections_used"].to_list() == [2, 2, None]
    assert found["threads"].to_list() == [5, 5, 5]


@pytest.mark.parametrize("times", [[], [SECOND_NS]])
def test_without_a_probe_all_columns_are_there(times: list[int]) -> None:
    found = join(outside(*times), inside())
    assert (found.columns, found.height) == (COLUMNS, len(times))
    assert found.schema == join(outside(1), inside(1)).schema
    assert found["loop_lag_ms"].null_count() == len(times)


def failing_tree(_: int, **__: object) -> Mock:
    """Return a process tree that can be sampled twice."""
    return Mock(sample=Mock(side_effect=[ResourceUse(1, 0.1, 10.0)] * 2 + [BOOM]))


class FakeChild:
    """Child that uses `mib`, and may be stopped."""

    pid = 1

    def __init__(self, mib: float) -> None:
        self.mib, self.memory_read, self.stopped = mib, Event(), Event()

    def memory_bytes(self) -> int:
        self.memory_read.set()
        return int(self.mib * 2**20)

    def stop(self) -> None:
        self.stopped.set()


def sampler(child: FakeChild) -> ServerSampler:
    return ServerSampler(cast("Child", child), (), None, LIMIT)


def test_a_sampler_that_fails_keeps_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "process_tree", failing_tree)
    child = FakeChild(10)
    with sampler(child) as found:
        assert child.memory_read.wait(SOON_S)
    assert found.remarks == [f"{NO_TELEMETRY}: RuntimeError: boom"]
    assert found.frame().height == 2
    assert found.cpu_s([(0, 1)]) is None
    assert not found.ended_reason


@pytest.mark.parametrize("tree", [failing_tree, raising(BOOM)])
def test_a_big_server_is_ended_without_telemetry(
    monkeypatch: pytest.MonkeyPatch, tree: Callable[[int], object]
) -> None:
    monkeypatch.setattr(telemetry, "process_tree", tree)
    child = FakeChild(500)
    with sampler(child) as found:
        assert child.stopped.wait(SOON_S)
    assert "used 500 MiB, more than memory_mib = 100" in found.ended_reason
    assert len(found.remarks) == 1


NO_DATABASE = DatabaseSampler({}, None)


@pytest.mark.parametrize("part", ["frame", "cpu_s", "write"])
def test_telemetry_that_cannot_be_kept_is_a_remark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str
) -> None:
    child = FakeChild(10)
    server = SimpleNamespace(sampler=lambda _: sampler(child), remarks=[])
    cell = CellInTurns(CELL, cast("Server", server), tmp_path, LIMIT)
    monkeypatch.setattr(cell.sampler, part, raising(BOOM))
    fields = cell.fields(SUMMARY, [], NO_DATABASE, "")
    assert fields["remarks"] == [f"{NO_TELEMETRY}: RuntimeError: boom"]
    assert fields["server_cpu_s"] is None
    monkeypatch.setattr(cell.sampler, part, raising(FULL_DISK))
    with pytest.raises(OSError, match="No space left"):
        cell.fields(SUMMARY, [], NO_DATABASE, "")
