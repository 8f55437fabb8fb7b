"""What a process and all it started use, read from outside 20 times a second.

Read from /proc directly, since it is read on the generator's core: psutil takes several times as
long, looks at every process of the machine to find children, and counts the context switches of
the first thread only. Where there is no /proc, psutil says what it can.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import psutil

PROC = "/proc"
# Context switches and children are told thread by thread. So many threads are looked at in one
# look, the others in the next ones: 300 threads must not hold up the generator 20 times a second.
THREADS_A_LOOK = 16
RELIST_S = 1.0  # psutil looks at every process of the machine to find children
READ_BYTES = 8192
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CPU_CLOCK = 2  # of a process, in the number of a clock: CPUCLOCK_SCHED of Linux


class Use(NamedTuple):
    """Threads and memory as they are now; the rest since the start, and never less than before.
    None: not known here."""

    threads: int
    cpu_s: float
    memory_mib: float
    switches_voluntary: int | None
    switches_forced: int | None


class Tree(Protocol):
    def use(self) -> Use: ...


def tree(pid: int) -> Tree:
    """The processes under `pid`, a supervisor, whose own threads and memory do not count."""
    ours = Path(PROC, "self", "task", str(threading.get_native_id()), "children")
    return ProcTree(pid) if ours.exists() else PsutilTree(pid)


class ProcTree:
    def __init__(self, pid: int) -> None:
        self._root = pid
        self._children: dict[int, set[int]] = {}  # by process
        self._cpu_s = 0.0
        self._voluntary = self._forced = 0
        self._round = self._rounds()
        known = 0
        while known < (known := len(list(self._pids()))):
            while not next(self._round):
                pass

    def use(self) -> Use:
        self._look_at_some_threads()
        threads, cpu_s, pages = 0, 0.0, 0
        for pid in self._pids():
            try:
                stat = _read(f"{PROC}/{pid}/stat")
            except OSError:
                continue  # it has ended; its parent has its CPU time
            # The name of a process may hold blanks and brackets: count from the last one.
            fields = stat[stat.rindex(b")") + 2 :].split()
            cpu_s += _cpu_s(pid, fields)
            if pid != self._root:
                threads += int(fields[17])
                pages += int(fields[21])
        # A process that nobody waited for takes its time with it.
        self._cpu_s = max(self._cpu_s, cpu_s)
        memory_mib = pages * PAGE_BYTES / 2**20
        return Use(threads, self._cpu_s, memory_mib, self._voluntary, self._forced)

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
        before: dict[int, list[int]] = {}
        while True:
            seen: dict[int, list[int]] = {}
            for pid in list(self._pids()):
                children: set[int] = set()
                for name in _listed(f"{PROC}/{pid}/task"):
                    tid = int(name)
                    switches, found = _thread(pid, tid)
                    children |= found
                    if switches and pid != self._root:
                        self._count(switches, before.get(tid, [0, 0]))
                        seen[tid] = switches
                    yield False
                self._children[pid] = children
            before = seen
            yield True

    def _count(self, switches: list[int], before: list[int]) -> None:
        if switches < before:
            before = [0, 0]  # another thread that was given the same number
        self._voluntary += max(0, switches[0] - before[0])
        self._forced += max(0, switches[1] - before[1])


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
        return Use(threads, self._cpu_s, memory / 2**20, None, None)

    def _list(self) -> None:
        if time.monotonic() - self._listed_s < RELIST_S:
            return
        self._listed_s = time.monotonic()
        with contextlib.suppress(psutil.Error):
            self._processes = psutil.Process(self._root).children(recursive=True)


def _thread(pid: int, tid: int) -> tuple[list[int], set[int]]:
    """Voluntary and forced context switches of a thread, and the processes that it started."""
    try:
        status = _read(f"{PROC}/{pid}/task/{tid}/status").splitlines()
        children = _read(f"{PROC}/{pid}/task/{tid}/children").split()
    except OSError:
        return [], set()  # it has ended
    return [int(line.split()[1]) for line in status[-2:]], {int(child) for child in children}


def _cpu_s(pid: int, fields: list[bytes]) -> float:
    """CPU seconds of a process and of the children that it has waited for.

    From its clock, as clock_getcpuclockid(3) makes its number: /proc has whole ticks, of which
    a window of two seconds holds 200.
    """
    waited_for_s = (int(fields[13]) + int(fields[14])) / CLOCK_TICKS
    try:
        return time.clock_gettime(~pid << 3 | CPU_CLOCK) + waited_for_s
    except OSError:
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS + waited_for_s


def cores_s(cores: tuple[int, ...]) -> tuple[float, float] | tuple[None, None]:
    """Seconds that `cores` were busy, and that the host took them away, since the start of the
    machine; not known where processes cannot be pinned, since then nobody has cores."""
    try:
        lines = _read(f"{PROC}/stat", 64 * 1024).splitlines() if cores else []
    except OSError:
        lines = []
    wanted = {f"cpu{core}".encode() for core in cores}
    found = [
        [int(part) for part in line.split()[1:9]] for line in lines if line.split()[0] in wanted
    ]
    if not found:
        return None, None
    # user, nice, system, (idle, waiting for a disk,) interrupts, (stolen)
    busy = sum(sum(line[:3]) + line[5] + line[6] for line in found)
    return busy / CLOCK_TICKS, sum(line[7] for line in found) / CLOCK_TICKS


def _read(path: str, most: int = READ_BYTES) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, most)
    finally:
        os.close(fd)


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)  # noqa: PTH208  # a Path for each thread takes five times as long
    except OSError:
        return []
