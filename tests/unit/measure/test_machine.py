"""Cores and description of recorded machines, and of none."""

import os
import sys
from types import SimpleNamespace

import pytest

from tests.support import factories
from tests.support.machines import Become
from twinbench.measure import busy
from twinbench.measure.busy import BusyProcess, BusyWatch
from twinbench.measure.machine import Cores, describe, share_cores, target_versions, versions
from twinbench.measure.telemetry import MemoryLimit
from twinbench.plan import Plan
from twinbench.store import Machine

MIB = 2**20
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


@pytest.mark.parametrize(
    ("name", "cpus", "workers", "expected"),
    [
        ("kernel-5.10", None, 1, Cores((3,), (0, 1, 2))),
        ("kernel-5.10", None, 2, Cores((2, 3), (0, 1))),
        ("kernel-5.10", None, 9, Cores((1, 2, 3), (0,))),
        ("kernel-6.8", None, 1, Cores((1,), (0,))),
        # The other hardware thread of each of the server's cores stays idle.
        ("threads-apart", None, 1, Cores((3,), (0, 1, 2, 4, 5, 6))),
        ("threads-apart", None, 2, Cores((2, 3), (0, 1, 4, 5))),
        ("threads-adjacent", None, 1, Cores((2,), (0, 1))),
        # Only usable CPUs count.
        ("threads-apart", {0, 1, 5}, 1, Cores((1,), (0,))),
        ("none", {2, 3}, 1, Cores((3,), (2,))),
        # Server and generator share cores.
        ("threads-adjacent", {2, 3}, 1, Cores((3,), (2,), "hardware threads")),
        ("threads-adjacent", {2, 3}, 2, Cores((3,), (2,), "hardware threads")),
        ("threads-adjacent", {2}, 1, Cores((), (), "one core")),
        ("container-v2", None, 1, Cores((2,), (0, 1), "quota")),
        # Three CPUs: enough for two workers, not for three.
        ("container-v1", {0, 1, 2, 3}, 2, Cores((2, 3), (0, 1))),
        ("container-v1", {0, 1, 2, 3}, 3, Cores((1, 2, 3), (0,), "quota")),
    ],
)
def test_cores_are_shared_by_physical_core(
    become: Become, name: str, cpus: set[int] | None, workers: int, expected: Cores
) -> None:
    become(name, cpus)
    assert share_cores(workers) == expected


@pytest.mark.parametrize(
    ("name", "cpus", "workers", "processes", "expected"),
    [
        # Two cores: it is on the generator's.
        ("kernel-6.8", None, 1, 1, Cores((1,), (0,))),
        ("kernel-5.10", None, 1, 1, Cores((3,), (0, 1), database=(2,))),
        ("kernel-5.10", {1, 2, 3}, 1, 1, Cores((3,), (1,), database=(2,))),
        # As many as the server has, but no core of the generator's processes.
        ("kernel-5.10", None, 2, 1, Cores((2, 3), (0,), database=(1,))),
        ("kernel-5.10", None, 1, 3, Cores((3,), (0, 1, 2))),
        # Both hardware threads: a database has more processes than workers.
        ("threads-apart", None, 1, 1, Cores((3,), (0, 1, 4, 5), database=(2, 6))),
        ("threads-adjacent", {2}, 1, 1, Cores((), (), "one core")),
    ],
)
def test_a_database_has_cores_where_there_are_three(
    become: Become,
    name: str,
    cpus: set[int] | None,
    workers: int,
    processes: int,
    expected: Cores,
) -> None:
    become(name, cpus)
    assert share_cores(workers, processes=processes, database=True) == expected


@pytest.mark.parametrize("refused", [False, True])
def test_nothing_is_pinned_where_that_fails(monkeypatch: pytest.MonkeyPatch, refused: bool) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    if refused:
        monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    else:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert share_cores(4) == Cores((), (), "unpinned")


@pytest.mark.parametrize("name", KNOWN)
def test_a_machine_is_described_as_far_as_known(become: Become, name: str) -> None:
    become(name, {0, 1})
    found = describe(Cores((1,), (0,), "quota"), 0.5)
    always = set(Machine.model_fields) - {*KNOWN["kernel-5.10"], *KNOWN["container-v2"]}
    assert found.model_dump(exclude=always, exclude_none=True) == KNOWN[name]
    assert (found.server_cores, found.sharing, found.load_average) == ((1,), "quota", 0.5)
    assert found.cpu


@pytest.mark.parametrize(
    ("name", "free_mib"),
    # Limit minus usage, without reclaimable files.
    [("container-v2", 512 - 300 + 100), ("container-v1", 1024 - 900 + 400), ("kernel-5.10", 4096)],
)
def test_the_memory_limit_honours_a_container(
    become: Become, monkeypatch: pytest.MonkeyPatch, name: str, free_mib: int
) -> None:
    become(name)
    memory = SimpleNamespace(available=4096 * MIB)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    one_at_a_time = factories.plan(schedule="sequential")
    assert MemoryLimit.of(one_at_a_time).mib == free_mib / 2
    memory.available = 100 * MIB
    assert MemoryLimit.of(one_at_a_time).mib == 50
    assert MemoryLimit.of(factories.plan()).mib == 25  # two targets at once
    assert MemoryLimit.of(factories.plan(memory_mib=70)).mib == 70


def test_busy_processes_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = 5_000_001, 5_000_002, 5_000_003  # beyond the ids of Linux
    before = {
        (first, 0.5): ("old", 7.0),
        (second, 0.5): ("idle", 9.0),
        (third, 0.5): ("ended, and its id reused", 4.0),
    }
    after = {
        (third, 9.5): ("new", 0.4),
        (first, 0.5): ("old", 8.0),
        (second, 0.5): ("idle", 9.02),
        (os.getpid(), 0.5): ("self", 99.0),
        (os.getppid(), 0.5): ("parent", 99.0),
    }
    samples, times = iter([before, after]), iter([100.0, 100.5, 102.0])
    clock = SimpleNamespace(monotonic=lambda: next(times), sleep=lambda _: None)
    monkeypatch.setattr(busy, "_cpu_seconds", lambda: next(samples))
    monkeypatch.setattr(busy, "time", clock)
    found = BusyWatch().processes()
    assert found == [BusyProcess("old", first, 0.5), BusyProcess("new", third, 0.2)]


def test_cpu_seconds_of_processes_are_read() -> None:
    assert {pid: cpu_s for (pid, _), (_, cpu_s) in busy._cpu_seconds().items()}[os.getpid()] > 0


def test_versions_of_a_target_are_those_of_its_environment() -> None:
    own = {"name": "own", "app": "shop:app", "cwd": ".", "python": sys.executable}
    missing = own | {"name": "missing", "python": "/nowhere/python"}
    plan = Plan.model_validate(
        {
            "name": "x",
            "targets": [own, missing],
            "scenarios": [{"name": "a", "closed": [1], "requests": [{"path": "/"}]}],
        }
    )
    found, here = target_versions(plan), versions()
    for name in ("python", "fastapi"):
        assert found["own"][name] == here[name]
    assert found["missing"] == {}
