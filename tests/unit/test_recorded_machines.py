"""Readers of /proc, /sys and cgroups on recorded machines (tests/samples), and on what is none."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import pytest

from twinbench.measure import machine, tree
from twinbench.measure.machine import BusyProcess, Cores, describe, share_cores
from twinbench.measure.telemetry import MemoryLimit
from twinbench.store import Machine

SAMPLES = Path(__file__).parents[1] / "samples"
SUPERVISOR = 4100
MIB = 2**20


class Become(Protocol):
    def __call__(self, name: str, cpus: set[int] | None = None) -> None: ...


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Read a recorded machine from now on, all of whose CPUs may be used."""

    def read(name: str, cpus: set[int] | None = None) -> None:
        root = SAMPLES / name
        monkeypatch.setattr(machine, "ROOT", root)
        monkeypatch.setattr(tree, "PROC", str(root / "proc"))
        monkeypatch.setattr(tree, "CLOCK_TICKS", 100)
        monkeypatch.setattr(tree, "PAGE_BYTES", 4096)
        monkeypatch.setattr(time, "clock_gettime", no_such_clock)
        usable = cpus or {
            int(folder.name[3:]) for folder in root.glob("sys/devices/system/cpu/cpu[0-9]*")
        }
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable, raising=False)
        monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)

    return read


def no_such_clock(_: int) -> float:
    raise OSError


@pytest.mark.parametrize("name", ["kernel-5.10", "kernel-6.8"])
def test_processes_are_read_whatever_ends_status(become: Become, name: str) -> None:
    become(name)
    watched = tree.tree(SUPERVISOR)
    assert isinstance(watched, tree.ProcTree)
    # 4101 and the worker that its second thread started; CPU time of the supervisor, too.
    assert watched.use() == (4, 2.54, (25600 + 5120) * 4096 / MIB)


def test_without_lists_of_children_psutil_is_asked(become: Become) -> None:
    become("no-task-children")
    assert isinstance(tree.tree(SUPERVISOR), tree.PsutilTree)


def test_processes_with_broken_files_count_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "PROC", str(tmp_path))
    monkeypatch.setattr(time, "clock_gettime", no_such_clock)
    task = tmp_path / "7" / "task" / "7"
    task.mkdir(parents=True)
    (task / "children").write_text("8 x")
    watched = tree.tree(7)
    for text in ("", "7", "7 (a) S", "7 (a) S 1 2 x", "8 (b) S 1 1 1 0 -1 0 0"):
        (tmp_path / "7" / "stat").write_text(text)
        assert watched.use() == (0, 0.0, 0.0)


def test_time_of_cores_is_read_by_name(become: Become) -> None:
    become("kernel-5.10")
    assert tree.cores_s((1,)) == ((1100 + 10 + 210 + 30) / 100, 0.05)
    assert tree.cores_s((2, 3)) == ((1200 + 220 + 1300 + 230 + 2 * 40) / 100, 0.1)
    assert tree.cores_s(()) == tree.cores_s((64,)) == (None, None)


def test_time_of_cores_of_an_old_kernel_lacks_steal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "PROC", str(tmp_path))
    (tmp_path / "stat").write_text("\ncpu0 100 0 100 900 5 0 0\n")
    assert tree.cores_s((0,)) == (200 / tree.CLOCK_TICKS, None)


# In a process of its own: importing locust changes the whole process.
WAITED = """
import sys
from pathlib import Path
from loadtests import driver
for path in sys.argv[1:]:
    driver.SCHEDSTAT = Path(path)
    print(driver._waited_s())
"""


def test_waiting_of_the_generator_is_read_or_zero(tmp_path: Path) -> None:
    texts = {"whole": "1 5000000000 3", "short": "1", "strange": "a b"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in (*texts, "missing")]
    said = subprocess.check_output([sys.executable, "-c", WAITED, *paths], text=True)
    assert said.split() == ["5.0", "0.0", "0.0", "0.0"]


@pytest.mark.parametrize(
    ("name", "workers", "server", "generator"),
    [
        ("kernel-5.10", 1, (3,), (0, 1, 2)),
        ("kernel-5.10", 2, (2, 3), (0, 1)),
        ("kernel-5.10", 9, (1, 2, 3), (0,)),
        ("kernel-6.8", 1, (1,), (0,)),
        # The other hardware thread of each of the server's cores stays idle.
        ("threads-apart", 1, (3,), (0, 1, 2, 4, 5, 6)),
        ("threads-apart", 2, (2, 3), (0, 1, 4, 5)),
        ("threads-adjacent", 1, (2,), (0, 1)),
    ],
)
def test_the_server_gets_the_last_physical_cores(
    become: Become, name: str, workers: int, server: tuple[int, ...], generator: tuple[int, ...]
) -> None:
    become(name)
    assert share_cores(workers) == Cores(server, generator)


def test_only_cpus_that_may_be_used_are_shared(become: Become) -> None:
    become("threads-apart", {0, 1, 5})
    assert share_cores() == Cores((1,), (0,))
    become("none", {2, 3})
    assert share_cores() == Cores((3,), (2,))


def test_what_cannot_be_apart_is_shared_and_said(become: Become) -> None:
    become("threads-adjacent", {2, 3})
    assert share_cores() == share_cores(2) == Cores((3,), (2,), "hardware threads")
    become("threads-adjacent", {2})
    assert share_cores() == Cores((), (), "one core")
    become("container-v2")
    assert share_cores() == Cores((2,), (0, 1), "quota")
    become("container-v1", {0, 1, 2, 3})  # three CPUs: enough for two workers, not for three
    assert share_cores(2) == Cores((2, 3), (0, 1))
    assert share_cores(3) == Cores((1, 2, 3), (0,), "quota")


@pytest.mark.parametrize("refused", [False, True])
def test_where_nothing_can_be_pinned_nothing_is(
    monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    if refused:
        monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    else:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert share_cores(4) == Cores((), (), "unpinned")


KNOWN: dict[str, dict[str, object]] = {
    "kernel-5.10": {
        "threads_per_core": 1,
        "governor": "powersave",
        "turbo": True,
        "virtualization": "none",
    },
    "kernel-6.8": {
        "threads_per_core": 1,
        "turbo": False,
        "virtualization": "QEMU Standard PC (Q35 + ICH9, 2009)",
    },
    "container-v2": {
        "threads_per_core": 2,
        "virtualization": "unknown kind",
        "container": "docker",
        "cpu_quota": 1.5,
        "memory_limit_mib": 512,
    },
    "container-v1": {"container": "podman", "cpu_quota": 3.0, "memory_limit_mib": 1024},
    "threads-apart": {"threads_per_core": 2, "virtualization": "none"},
    "threads-adjacent": {"threads_per_core": 2, "virtualization": "Google Compute Engine"},
    "no-task-children": {},
    "none": {},
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_machine_is_described_as_far_as_known(become: Become, name: str) -> None:
    become(name, {0, 1})
    found = describe(Cores((1,), (0,), "quota"), 0.5)
    always = set(Machine.model_fields) - {*KNOWN["kernel-5.10"], *KNOWN["container-v2"]}
    known = found.model_dump(exclude=always, exclude_none=True)
    assert known == KNOWN[name]
    assert (found.server_cores, found.sharing, found.load_average) == ((1,), "quota", 0.5)
    assert found.cpu


@pytest.mark.parametrize(
    ("name", "free_mib"),
    # Limit minus usage, where files that can be dropped again are not used.
    [("container-v2", 512 - 300 + 100), ("container-v1", 1024 - 900 + 400), ("kernel-5.10", 4096)],
)
def test_the_memory_limit_honours_a_container(
    become: Become, monkeypatch: pytest.MonkeyPatch, name: str, free_mib: int
) -> None:
    become(name)
    memory = SimpleNamespace(available=4096 * MIB)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    assert MemoryLimit.of(None).mib == free_mib / 2
    memory.available = 100 * MIB
    assert MemoryLimit.of(None).mib == 50


def test_processes_that_kept_a_core_busy_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = 5_000_001, 5_000_002, 5_000_003  # beyond what Linux gives a process
    before = {
        (first, 0.5): ("old", 7.0),
        (second, 0.5): ("idle", 9.0),
        (third, 0.5): ("ended, and its number given again", 4.0),
    }
    after = {
        (third, 9.5): ("new", 0.4),
        (first, 0.5): ("old", 8.0),
        (second, 0.5): ("idle", 9.02),
        (os.getpid(), 0.5): ("self", 99.0),
        (os.getppid(), 0.5): ("parent", 99.0),
    }
    looks, times = iter([before, after]), iter([100.0, 102.0])
    clock = SimpleNamespace(monotonic=lambda: next(times), sleep=lambda _: None)
    monkeypatch.setattr(machine, "_cpu_seconds", lambda: next(looks))
    monkeypatch.setattr(machine, "time", clock)
    found = machine.busy_processes()
    assert found == [BusyProcess("old", first, 0.5), BusyProcess("new", third, 0.2)]


def test_cpu_seconds_of_processes_are_read() -> None:
    assert {pid: cpu_s for (pid, _), (_, cpu_s) in machine._cpu_seconds().items()}[os.getpid()] > 0
