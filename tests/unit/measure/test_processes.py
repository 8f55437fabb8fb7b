"""Process trees and cores in /proc, on recorded machines and in broken files."""

import time
from pathlib import Path

import pytest

from tests.support.machines import SUPERVISOR, Become, no_such_clock
from twinbench.measure import processes
from twinbench.measure.processes import ProcTree, PsutilTree, core_seconds, process_tree


@pytest.mark.parametrize("name", ["kernel-5.10", "kernel-6.8"])
def test_a_tree_is_read_from_proc(become: Become, name: str) -> None:
    become(name)
    found = process_tree(SUPERVISOR)
    assert isinstance(found, ProcTree)
    # 4101 and the worker that its second thread started; CPU time of the supervisor, too.
    assert found.sample() == (4, 2.54, (25600 + 5120) * 4096 / 2**20)


def test_the_root_of_a_running_server_counts(become: Become) -> None:
    become("kernel-6.8")
    supervised, running = process_tree(4101).sample(), process_tree(4101, with_root=True).sample()
    assert running.threads > supervised.threads
    assert running.memory_mib > supervised.memory_mib
    assert running.cpu_s == supervised.cpu_s


def test_psutil_reads_a_tree_without_lists_of_children(become: Become) -> None:
    become("no-task-children")
    assert isinstance(process_tree(SUPERVISOR), PsutilTree)


def test_broken_files_count_as_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    monkeypatch.setattr(time, "clock_gettime", no_such_clock)
    task = tmp_path / "7" / "task" / "7"
    task.mkdir(parents=True)
    (task / "children").write_text("8 x")
    found = process_tree(7)
    for text in ("", "7", "7 (a) S", "7 (a) S 1 2 x", "8 (b) S 1 1 1 0 -1 0 0"):
        (tmp_path / "7" / "stat").write_text(text)
        assert found.sample() == (0, 0.0, 0.0)


def test_core_seconds_are_read_by_name(become: Become) -> None:
    become("kernel-5.10")
    assert core_seconds((1,)) == ((1100 + 10 + 210 + 30) / 100, 0.05)
    assert core_seconds((2, 3)) == ((1200 + 220 + 1300 + 230 + 2 * 40) / 100, 0.1)
    assert core_seconds(()) == core_seconds((64,)) == (None, None)


def test_an_old_kernel_reports_no_stolen_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    (tmp_path / "stat").write_text("\ncpu0 100 0 100 900 5 0 0\n")
    assert core_seconds((0,)) == (200 / processes.CLOCK_TICKS, None)
