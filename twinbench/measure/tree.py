"""What a process and all it started use, read from outside 20 times a second.

Read from /proc directly, since it is read on the generator's core: psutil takes several times as
long, and looks at every process of the machine to find children. psutil is for systems without
/proc, and for a Linux that does not list children there.

Readers never raise: a file that is missing, or has fewer or more fields than expected, leaves out
what it would have said.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import psutil

PROC = "/proc"
# Children are listed thread by thread. So many threads are looked at in one look, the others in
# the next ones: 300 threads must not hold up the generator 20 times a second.
THREADS_A_LOOK = 16
RELIST_S = 1.0  # psutil looks at every process of the machine to find children
READ_BYTES = 8192
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CPU_CLOCK = 2  # of a process, in the number of a clock: CPUCLOCK_SCHED of Linux
# /proc/PID/stat has no names, but its order never changes: fields 3 to 24 of proc_pid_stat(5).
STAT_FIELDS = (
    *("state", "ppid", "pgrp", "session", "tty_nr", "tpgid", "flags", "minflt", "cminflt"),
    *("majflt", "cmajflt", "utime", "stime", "cutime", "cstime", "priority", "nice"),
    *("num_threads", "itrealvalue", "starttime", "vsize", "rss"),
)
# The columns of a "cpuN" line of /proc/stat (proc_stat(5)); old kernels lack the last ones.
CPU_TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
BUSY_TIMES = ("user", "nice", "system", "irq", "softirq")


class Use(NamedTuple):
    """Threads and memory as they are now; CPU seconds since the start, never less than before."""

    threads: int
    cpu_s: float
    memory_mib: float


class Tree(Protocol):
    def use(self) -> Use: ...


def tree(pid: int) -> Tree:
    """The processes under `pid`, a supervisor, whose own threads and memory do not count."""
    # Missing where the kernel was built without CONFIG_PROC_CHILDREN.
    children = Path(PROC, str(pid), "task", str(pid), "children")
    return ProcTree(pid) if children.exists() else PsutilTree(pid)


class ProcTree:
    def __init__(self, pid: int) -> None:
        self._root = pid
        self._children: dict[int, set[int]] = {}  # by process
        self._cpu_s = 0.0
        self._round = self._rounds()
        known = 0
        while known < (known := len(list(self._pids()))):
            while not next(self._round):
                pass

    def use(self) -> Use:
        self._look_at_some_threads()
        threads, cpu_s, pages = 0, 0.0, 0
        for pid in self._pids():
            if not (stat := _stat(pid)):
                continue  # it has ended; its parent has its CPU time
            cpu_s += _cpu_s(pid, stat)
            if pid != self._root:
                threads += stat.get("num_threads", 0)
                pages += stat.get("rss", 0)
        # A process that nobody waited for takes its time with it.
        self._cpu_s = max(self._cpu_s, cpu_s)
        return Use(threads, self._cpu_s, pages * PAGE_BYTES / 2**20)

    def _pids(self) -> Iterator[int]:
        """The root and all below it, as far as they are known by now; parents come first."""
        todo = [self._root]
        while todo:
            yield (pid := todo.pop())
            todo += self._children.get(pid, ())

    def _look_at_some_threads(self) -> None:
        for _ in range(THREADS_A_LOOK):
            if next(self._round):
                return

    def _rounds(self) -> Iterator[bool]:
        """A thread a step, around and around; True at the end of each round."""
        while True:
            for pid in list(self._pids()):
                children: set[int] = set()
                for tid in _listed(f"{PROC}/{pid}/task"):
                    children.update(_numbers(_read(f"{PROC}/{pid}/task/{tid}/children").split()))
                    yield False
                self._children[pid] = children
            yield True


class PsutilTree:
    """For systems without /proc, and for a Linux that does not list children there."""

    def __init__(self, pid: int) -> None:
        self._root = pid
        self._processes: list[psutil.Process] = []
        self._listed_s = -RELIST_S
        self._cpu_s = 0.0

    def use(self) -> Use:
        self._list()
        threads, cpu_s, memory = 0, 0.0, 0
        for process in self._processes:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    cpu_s += times.user + times.system
                    threads += process.num_threads()
                    memory += process.memory_info().rss
            except psutil.Error:
                continue
        self._cpu_s = max(self._cpu_s, cpu_s)
        return Use(threads, self._cpu_s, memory / 2**20)

    def _list(self) -> None:
        if time.monotonic() - self._listed_s < RELIST_S:
            return
        self._listed_s = time.monotonic()
        with contextlib.suppress(psutil.Error):
            self._processes = psutil.Process(self._root).children(recursive=True)


def _stat(pid: int) -> dict[str, int]:
    """The numbers of /proc/PID/stat by name; empty if the process has ended."""
    # The name of a process may hold blanks and brackets: count from the last one.
    fields = _read(f"{PROC}/{pid}/stat").rpartition(b") ")[2].split()
    return dict(zip(STAT_FIELDS[1:], _numbers(fields[1:]), strict=False))


def _cpu_s(pid: int, stat: Mapping[str, int]) -> float:
    """CPU seconds of a process and of the children that it has waited for.

    From its clock, as clock_getcpuclockid(3) makes its number: /proc has whole ticks, of which
    a window of two seconds holds 200.
    """
    waited_for_s = (stat.get("cutime", 0) + stat.get("cstime", 0)) / CLOCK_TICKS
    try:
        return time.clock_gettime(~pid << 3 | CPU_CLOCK) + waited_for_s
    except OSError:
        return (stat.get("utime", 0) + stat.get("stime", 0)) / CLOCK_TICKS + waited_for_s


def cores_s(cores: tuple[int, ...]) -> tuple[float | None, float | None]:
    """Seconds that `cores` were busy, and that the host took them away, since the start of the
    machine; not known where processes cannot be pinned, since then nobody has cores."""
    wanted = {f"cpu{core}".encode() for core in cores}
    lines = _read(f"{PROC}/stat", 64 * 1024).splitlines() if cores else []
    found = [
        dict(zip(CPU_TIMES, _numbers(fields[1:]), strict=False))
        for line in lines
        if (fields := line.split()) and fields[0] in wanted
    ]
    if not found:
        return None, None
    busy = sum(times.get(name, 0) for times in found for name in BUSY_TIMES)
    stolen = [times["steal"] for times in found if "steal" in times]
    return busy / CLOCK_TICKS, sum(stolen) / CLOCK_TICKS if stolen else None


def _numbers(fields: Iterable[bytes]) -> Iterator[int]:
    """The numbers at the beginning of `fields`."""
    for field in fields:
        try:
            yield int(field)
        except ValueError:
            return


def _read(path: str, most: int = READ_BYTES) -> bytes:
    """The file's content; empty where it is not there, or the process has ended."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, most)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)  # noqa: PTH208  # a Path for each thread takes five times as long
    except OSError:
        return []
