"""Supervised child processes, and what a process tree uses.

Each child runs under supervisor.py. What a tree uses is sampled 20 times a second on the
generator's core, and read from /proc directly: psutil takes several times as long, and scans
every process of the machine to find children. psutil is for systems without /proc, and for a
Linux that does not list children there.

Readers of /proc never raise: a file that is missing, or has fewer or more fields than expected,
counts as nothing.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

import psutil

from twinbench.interruption import interruptible
from twinbench.measure.supervisor import SET_CHILD_SUBREAPER, prctl
from twinbench.text import printable

SUPERVISOR = Path(__file__).with_name("supervisor.py")
# The error is above these: addresses of explanations, and the statement of SQLAlchemy.
PYDANTIC_LAST_LINE = "For further information visit"
SQLALCHEMY_STATEMENT, SQLALCHEMY_LAST_LINE = "[SQL: ", "(Background on this error at: "
LIBPQ_LAST_LINE = "Is the server running "
UVICORN_LAST_LINE = "Application startup failed. Exiting."
LAST_OUTPUT_CHARS, LAST_OUTPUT_BYTES = 300, 65_536
# The supervisor needs milliseconds to end all descendants; on a machine that swaps, longer.
END_TIMEOUT_S = 5.0

PROC = "/proc"
# Children are listed per thread. A sample reads this many threads, the next ones the others:
# 300 threads must not delay the generator 20 times a second.
THREADS_PER_SAMPLE = 16
RELIST_S = 1.0  # psutil scans every process of the machine to find children
READ_BYTES = 8192
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CPU_CLOCK = 2  # CPUCLOCK_SCHED of Linux: the CPU time of a process, in a clock id
# /proc/PID/stat has no names, but its order never changes: fields 3 to 24 of proc_pid_stat(5).
STAT_FIELDS = (
    *("state", "ppid", "pgrp", "session", "tty_nr", "tpgid", "flags", "minflt", "cminflt"),
    *("majflt", "cmajflt", "utime", "stime", "cutime", "cstime", "priority", "nice"),
    *("num_threads", "itrealvalue", "starttime", "vsize", "rss"),
)
# The columns of a "cpuN" line of /proc/stat (proc_stat(5)); old kernels lack the last ones.
CPU_TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
BUSY_TIMES = ("user", "nice", "system", "irq", "softirq")

# Children of this process that are not orphans.
_own_children: set[int] = set()


def adopt_orphans(adopt: bool) -> None:
    """Make this process the parent of orphaned descendants, or stop it; `Child.stop` ends them.

    Linux only.
    """
    _own_children.update(child.pid for child in psutil.Process().children())
    prctl(SET_CHILD_SUBREAPER, int(adopt))


# Of a command that takes seconds.
POLL_S = 0.05


class Child:
    """Supervised command with its own process group and cores.

    Its output goes to `log`; `piped`: stdin and stdout are pipes. `prepare` is run to its end
    before it, by the same supervisor; the command is not run if that fails.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        cores: Sequence[int] = (),
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        piped: bool = False,
        prepare: Sequence[str] = (),
    ) -> None:
        self.log = log
        self._prepared = None if not prepare else log.with_suffix(".prepared")
        reading, self._supervisor_fd = os.pipe()
        options = json.dumps(
            {
                "fd": reading,
                "cores": list(cores),
                "pass_fds": list(pass_fds),
                "prepare": list(prepare),
                "prepared": str(self._prepared),
            }
        )
        with log.open("ab") as output:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISOR), options, *command],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else output,
                stderr=output,
                pass_fds=[reading, *pass_fds],
                start_new_session=True,
            )
        os.close(reading)
        # Pipes to and from the command; None unless `piped`.
        self.stdin = cast("IO[bytes]", self._process.stdin)
        self.stdout = cast("IO[bytes]", self._process.stdout)
        _own_children.add(self.pid)

    @property
    def pid(self) -> int:
        """The supervisor's process id; the command is its child."""
        return self._process.pid

    def is_prepared(self) -> bool:
        """Return whether `prepare` has succeeded, so that the command was started."""
        return self._prepared is None or self._prepared.exists()

    def exit_code(self) -> int | None:
        return self._process.poll()

    def exit_reason(self, timeout_s: float = 0.0) -> str:
        """Return how the command ended, as a phrase; empty if it still runs after `timeout_s`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        if (code := self.exit_code()) is None:
            return ""
        number = -code if code < 0 else code - 128  # of the supervisor, or reported by it
        return f"was killed by signal {number}" if number > 0 else f"exited with code {code}"

    def wait(self) -> str:
        """Return how the command ended, as `exit_reason` does. Stops it if it is interrupted."""
        try:
            while not (why := self.exit_reason()):
                with interruptible():
                    time.sleep(POLL_S)
        finally:
            self.stop()
        return why

    def memory_bytes(self) -> int:
        """Return the resident memory of the command and its descendants; 0 if it has ended."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
            return sum(process.memory_info().rss for process in children)
        except psutil.NoSuchProcess:
            return 0

    def pin(self, cores: Sequence[int]) -> None:
        """Pin the supervisor, the command and its descendants to `cores`, with all their threads.

        Linux only. Again until no thread is new: one that was not pinned yet may start another.
        """
        pinned: set[int] = set()
        while fresh := set(self._threads()) - pinned:
            for thread in fresh:
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(thread, cores)
            pinned |= fresh

    def _threads(self) -> Iterator[int]:
        children: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):  # it has died since it was ready
            children = psutil.Process(self.pid).children(recursive=True)
        for pid in (self.pid, *(child.pid for child in children)):
            yield from map(int, _list_folder(f"{PROC}/{pid}/task"))

    def last_output(self, without: tuple[str, ...] = ()) -> str:
        """Return the last line that the command printed.

        Lines that begin with one of `without` only if there is no other.
        """
        text = ""
        if self.log.exists():
            with self.log.open("rb") as file:  # of a service it may hold every request of a run
                file.seek(max(0, self.log.stat().st_size - LAST_OUTPUT_BYTES))
                text = file.read(LAST_OUTPUT_BYTES).decode(errors="replace")
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        lines = _up_to_error(lines)
        lines = [line for line in lines if not line.startswith(without)] or lines
        return printable(lines[-1])[:LAST_OUTPUT_CHARS] if lines else "it printed nothing"

    def stop(self, grace_s: float = 0.0) -> None:
        """End the command and its descendants: SIGTERM if `grace_s`, and SIGKILL after that.

        May be called twice.
        """
        if self._supervisor_fd < 0:
            return
        if grace_s and self._signal(signal.SIGTERM):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        os.close(self._supervisor_fd)  # the supervisor ends its descendants
        self._supervisor_fd = -1
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_TIMEOUT_S)
        self._signal(signal.SIGKILL)  # for a supervisor that hangs, or is no subreaper
        if self._process.wait() < 0:
            _end_orphans()
        _own_children.discard(self.pid)
        for pipe in (self.stdin, self.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):  # unsent bytes are flushed first
                    pipe.close()

    def _signal(self, number: signal.Signals) -> bool:
        """Signal the group, which may outlive its leader; return False if it is empty."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # the latter for zombies on macOS
            return False
        return True


def _up_to_error(lines: Sequence[str]) -> list[str]:
    """Return `lines` without what explains the error that they end with."""
    found = [line for line in lines if not line.startswith((PYDANTIC_LAST_LINE, LIBPQ_LAST_LINE))]
    if found and found[-1].endswith(UVICORN_LAST_LINE):
        found.pop()
    if found and found[-1].startswith(SQLALCHEMY_LAST_LINE):
        found.pop()
        statements = [n for n, line in enumerate(found) if line.startswith(SQLALCHEMY_STATEMENT)]
        del found[max(statements, default=len(found)) :]
    return found


def _end_orphans() -> None:
    """Kill what a killed supervisor has left, which may be starting more."""
    while orphans := [c for c in psutil.Process().children() if c.pid not in _own_children]:
        for orphan in orphans:
            for process in [*orphan.children(recursive=True), orphan]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        psutil.wait_procs(orphans, END_TIMEOUT_S)


class RunningProcess(NamedTuple):
    """Process that somebody else started, which is sampled and never ended."""

    pid: int


class ResourceUse(NamedTuple):
    """Current threads and memory; CPU seconds since the start, which never decrease."""

    threads: int
    cpu_s: float
    memory_mib: float


def process_tree(pid: int, *, with_root: bool = False) -> "ProcTree | PsutilTree":
    """Return a reader of the processes below `pid`, a supervisor, or of `pid` and those below."""
    # Missing where the kernel was built without CONFIG_PROC_CHILDREN.
    children = Path(PROC, str(pid), "task", str(pid), "children")
    return (ProcTree if children.exists() else PsutilTree)(pid, with_root=with_root)


class ProcTree:
    """Process tree read from /proc."""

    def __init__(self, pid: int, *, with_root: bool = False) -> None:
        self._root = pid
        self._supervisor = None if with_root else pid
        self._children: dict[int, set[int]] = {}  # by process
        self._cpu_s = 0.0
        self._scan = self._scan_threads()
        known = 0
        while known < (known := len(list(self._pids()))):
            while not next(self._scan):
                pass

    def sample(self) -> ResourceUse:
        """Return what the processes use, and look for children of some threads.

        Of a supervisor only CPU time counts.
        """
        for _ in range(THREADS_PER_SAMPLE):
            if next(self._scan):
                break
        threads, cpu_s, pages = 0, 0.0, 0
        for pid in self._pids():
            if not (stat := _stat(pid)):
                continue  # it has ended; its parent has its CPU time
            cpu_s += _cpu_s(pid, stat)
            if pid != self._supervisor:
                threads += stat.get("num_threads", 0)
                pages += stat.get("rss", 0)
        # The time of a process that nobody waited for is lost with it.
        self._cpu_s = max(self._cpu_s, cpu_s)
        return ResourceUse(threads, self._cpu_s, pages * PAGE_BYTES / 2**20)

    def _pids(self) -> Iterator[int]:
        """Yield the root and its known descendants, parents first."""
        todo = [self._root]
        while todo:
            yield (pid := todo.pop())
            todo += self._children.get(pid, ())

    def _scan_threads(self) -> Iterator[bool]:
        """Read the children of one thread per step, endlessly; True after each full round."""
        while True:
            for pid in list(self._pids()):
                children: set[int] = set()
                for tid in _list_folder(f"{PROC}/{pid}/task"):
                    children.update(_numbers(_read(f"{PROC}/{pid}/task/{tid}/children").split()))
                    yield False
                self._children[pid] = children
            yield True


class PsutilTree:
    """Process tree read through psutil."""

    def __init__(self, pid: int, *, with_root: bool = False) -> None:
        self._root, self._with_root = pid, with_root
        self._processes: list[psutil.Process] = []
        self._listed_s = -RELIST_S
        self._cpu_s = 0.0

    def sample(self) -> ResourceUse:
        if time.monotonic() - self._listed_s >= RELIST_S:
            self._listed_s = time.monotonic()
            with contextlib.suppress(psutil.Error):
                root = psutil.Process(self._root)
                self._processes = [*[root] * self._with_root, *root.children(recursive=True)]
        threads, cpu_s, memory = 0, 0.0, 0
        for process in self._processes:
            with contextlib.suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                cpu_s += times.user + times.system
                threads += process.num_threads()
                memory += process.memory_info().rss
        self._cpu_s = max(self._cpu_s, cpu_s)
        return ResourceUse(threads, self._cpu_s, memory / 2**20)


def tree_cpu_s(pid: int) -> float:
    """Return the CPU seconds of the only child of `pid`, a supervisor, and of its own children.

    A PostgreSQL of hundreds of sessions is sampled in a millisecond. Those of sessions that have
    ended count in ticks of 10 ms.
    """
    (server,) = _children(pid)
    sessions = (_cpu_s(child, {}) for child in _children(server))
    return _cpu_s(server, _stat(server)) + sum(sessions)


def core_seconds(cores: tuple[int, ...]) -> tuple[float | None, float | None]:
    """Return the seconds that `cores` were busy, and were stolen by the host, since boot.

    None where that is not known, as for no cores.
    """
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


def _stat(pid: int) -> dict[str, int]:
    """Return the numbers of /proc/PID/stat by name; empty if the process has ended."""
    # A process name may hold blanks and brackets: count fields from the last bracket.
    fields = _read(f"{PROC}/{pid}/stat").rpartition(b") ")[2].split()
    return dict(zip(STAT_FIELDS[1:], _numbers(fields[1:]), strict=False))


def _cpu_s(pid: int, stat: Mapping[str, int]) -> float:
    """Return the CPU seconds of a process and of the children that it has waited for.

    From its clock, whose id is made as by clock_getcpuclockid(3): /proc has whole ticks, of
    which a window of two seconds holds 200.
    """
    children_s = (stat.get("cutime", 0) + stat.get("cstime", 0)) / CLOCK_TICKS
    try:
        return time.clock_gettime(~pid << 3 | CPU_CLOCK) + children_s
    except OSError:
        return (stat.get("utime", 0) + stat.get("stime", 0)) / CLOCK_TICKS + children_s


def _children(pid: int) -> list[int]:
    path = Path(PROC, str(pid), "task", str(pid), "children")
    if path.exists():
        return [*_numbers(_read(str(path), 64 * 1024).split())]
    # Slow: it reads /proc of every process.
    return [child.pid for child in psutil.Process(pid).children()]


def _numbers(fields: Iterable[bytes]) -> Iterator[int]:
    """Yield the numbers at the beginning of `fields`."""
    for field in fields:
        try:
            yield int(field)
        except ValueError:
            return


def _read(path: str, max_bytes: int = READ_BYTES) -> bytes:
    """Return the file's content; empty where it is missing, or the process has ended."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, max_bytes)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _list_folder(path: str) -> list[str]:
    try:
        return os.listdir(path)  # noqa: PTH208  # a Path for each thread takes five times as long
    except OSError:
        return []
