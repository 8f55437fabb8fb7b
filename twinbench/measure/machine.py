"""The machine: its description, cores for server and generator, limits.

Readers of /proc, /sys and cgroups never raise: what is missing or malformed is unknown.
"""

import contextlib
import ctypes
import functools
import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import psutil

from twinbench.measure.busy import BusyProcess
from twinbench.plan import Plan
from twinbench.store import Machine, Sharing
from twinbench.text import one_line

# Of /proc, /sys and the marker files of containers.
ROOT = Path("/")
CPUS = "sys/devices/system/cpu"
# Whose versions affect the speed of apps and harness.
APP_PACKAGES = (
    *("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "anyio", "pydantic"),
    *("sqlalchemy", "aiosqlite", "greenlet"),
)
# Of apps that have an environment of their own.
OWN_PACKAGES = (
    *("granian", "hypercorn", "gunicorn", "uvicorn-worker", "flask", "django", "quart", "litestar"),
    *("asyncpg", "psycopg", "psycopg2", "aiomysql", "httpx", "aiohttp", "requests"),
)
PACKAGES = (
    *APP_PACKAGES,
    *("httpx2", "aiohttp", "requests", "psycopg", "asyncpg", "locust", "gevent"),
)
# cgroup v1 writes the highest multiple of a page that a signed number holds for "no limit".
NO_LIMIT_BYTES = 2**62
# Limit, usage, and the line of memory.stat for files that can be dropped, of v2 and v1.
MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
MAX_DIGITS = 20
MAX_CPUS = 8192  # of Linux
# Why server and generator share cores, as the report shows it.
SHARING: dict[Sharing, str] = {
    "unpinned": "Nothing was pinned: this system does not let processes be kept on cores."
    " Server and generator shared all of them.",
    "one core": "Server and generator shared one core: this process may use no other.",
    "hardware threads": "Server and generator shared one physical core, a hardware thread or more"
    " each: this process may use no other.",
    "quota": "Server and generator shared a CPU quota of {quota:g} CPUs: while one runs, the other"
    " may be kept waiting.",
}
MAX_NAMED = 3
PRINT_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version

found = [("python", sys.version.split()[0])]
for name in sys.argv[1:]:
    try:
        found.append((name, version(name)))
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""
MAX_START_S = 20.0  # of an interpreter, on a busy machine
MAX_VERSION = 40  # characters


class Cores(NamedTuple):
    """CPU numbers; all empty where nothing is pinned.

    `database`: of PostgreSQL; empty without one, or where it is on the generator's.
    `sharing`: why server and generator are not on physical cores of their own, if they are not.
    """

    server: tuple[int, ...]
    generator: tuple[int, ...]
    sharing: Sharing | None = None
    database: tuple[int, ...] = ()


def share_cores(workers: int = 1, *, processes: int = 1, database: bool = False) -> Cores:
    """Divide the usable CPUs between a server with `workers` and the generator.

    The server gets the last physical cores, one hardware thread per worker; their other hardware
    threads stay idle. A `database` gets as many before them, as long as one is left for each of
    the generator's `processes`. All other CPUs are for the generator and the harness.
    """
    usable = _usable_cpus()
    if not usable:
        return Cores((), (), "unpinned")
    if len(usable) == 1:
        return Cores((), (), "one core")
    groups = _physical_cores(usable)
    if len(groups) == 1:
        count = min(workers, len(usable) - 1)
        return Cores(usable[-count:], usable[:-count], "hardware threads")
    count = min(workers, len(groups) - 1)
    quota = cpu_quota()
    own = max(0, min(count, len(groups) - count - processes)) if database else 0
    rest = len(groups) - count - own
    return Cores(
        # The last ones: CPU 0, which handles most interrupts, is on the first.
        server=tuple(group[0] for group in groups[-count:]),
        generator=tuple(sorted(cpu for group in groups[:rest] for cpu in group)),
        database=tuple(sorted(cpu for group in groups[rest:-count] for cpu in group)),
        sharing="quota" if quota is not None and quota < count + 1 else None,
    )


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def pin_to(cores: tuple[int, ...]) -> tuple[int, ...]:
    """Pin this process to `cores`, if any; return the cores that it had."""
    if not cores:
        return ()
    before = tuple(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores)
    return before


def describe(cores: Cores, load_average: float | None = None) -> Machine:
    """Return the machine as the manifest records it."""
    limit = memory_limit_bytes()
    return Machine(
        cpu=_cpu_name(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        server_cores=cores.server,
        generator_cores=cores.generator,
        database_cores=cores.database,
        sharing=cores.sharing,
        threads_per_core=_threads_per_core(),
        governor=_governor(),
        turbo=_turbo(),
        virtualization=_virtualization(),
        container=_container(),
        cpu_quota=cpu_quota(),
        memory_limit_mib=None if limit is None else limit // 2**20,
        load_average=load_average,
    )


def remarks(machine: Machine, workers: int, busy: Sequence[BusyProcess] = ()) -> list[str]:
    """Return what limits measurements on `machine`, as sentences.

    `workers`: the most that a server has; `busy`: processes before the run.
    """
    found = []
    if machine.sharing:
        found.append(SHARING[machine.sharing].format(quota=machine.cpu_quota))
    if (cores := len(machine.server_cores)) and cores < workers:
        found.append(f"{workers} workers of a server had {cores} CPU{'s'[: cores - 1]} to share.")
    if busy:
        named = ", ".join(
            f"{process.name} (process {process.pid}) with {process.share:.0%} of a core"
            for process in busy[:MAX_NAMED]
        )
        more = f", and {len(busy) - MAX_NAMED} more" if len(busy) > MAX_NAMED else ""
        found.append(f"The machine was busy before the run: {named}{more}.")
    return found


def versions() -> dict[str, str]:
    """Return the versions of Python, SQLite and those of PACKAGES that are installed."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return {"python": sys.version.split()[0], "sqlite": sqlite3.sqlite_version} | found


def target_versions(plan: Plan) -> dict[str, dict[str, str]]:
    """Return versions of what an app with an environment or a server of its own uses, by target.

    Those of Python, and of APP_PACKAGES and OWN_PACKAGES that are installed there.
    """
    return {
        target.name: _versions_in(str(target.python or sys.executable))
        for target in plan.targets
        if target.app and (target.python or target.server_name != "uvicorn")
    }


@functools.cache
def _versions_in(python: str) -> dict[str, str]:
    """Return the versions in the environment of an interpreter; empty if they are not known."""
    command = [python, "-c", PRINT_VERSIONS, *APP_PACKAGES, *OWN_PACKAGES]
    try:
        printed = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=MAX_START_S
        ).stdout
        found = {str(name): one_line(str(text), MAX_VERSION) for name, text in json.loads(printed)}
    except (OSError, subprocess.TimeoutExpired, ValueError, TypeError):
        return {}
    return found


def has_timerfd() -> bool:
    """Return whether the system has timerfd (Linux), which times the arrivals of open loads."""
    return hasattr(ctypes.CDLL(None), "timerfd_create")


def load_average() -> float | None:
    """Return the system's load average over the last minute; None where there is none."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def cpu_quota() -> float | None:
    """Return how many CPUs this process's cgroups allow; None without a limit."""
    quotas = [_v2_quota(folder) or _v1_quota(folder) for folder in _cgroups("cpu")]
    return min((quota for quota in quotas if quota), default=None)


def memory_limit_bytes() -> int | None:
    """Return the lowest memory limit of this process's cgroups; None without one."""
    return min((limit for limit, _ in _memory_limits()), default=None)


def memory_free_bytes() -> int:
    """Return the free memory, within the limits of this process's cgroups."""
    available: int = psutil.virtual_memory().available
    return max(0, min([available, *(limit - used for limit, used in _memory_limits())]))


def _usable_cpus() -> tuple[int, ...]:
    """Return the CPUs that this process may be pinned to; empty where it cannot be pinned."""
    try:
        usable = os.sched_getaffinity(0)
        os.sched_setaffinity(0, usable)  # a sandbox may refuse it
    except (AttributeError, OSError):
        return ()
    return tuple(sorted(usable))


def _physical_cores(usable: Sequence[int]) -> list[tuple[int, ...]]:
    """Group CPUs by physical core; one with unknown siblings is a core of its own."""
    groups: list[tuple[int, ...]] = []
    left = set(usable)
    for cpu in usable:
        if cpu in left:
            group = {cpu} | left.intersection(_siblings(cpu))
            groups.append(tuple(sorted(group)))
            left -= group
    return groups


def _siblings(cpu: int) -> list[int]:
    """Return the hardware threads of a CPU's core, from "0,4" or "0-1"; empty if unknown."""
    found: list[int] = []
    for part in _text(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list").split(","):
        first, _, last = part.partition("-")
        try:
            found += range(int(first), min(int(last or first), MAX_CPUS) + 1)
        except ValueError:
            continue
    return found


def _threads_per_core() -> int | None:
    numbers = (int(folder.name[3:]) for folder in (ROOT / CPUS).glob("cpu[0-9]*"))
    return max((len(_siblings(cpu)) for cpu in numbers), default=0) or None


def _governor() -> str | None:
    files = (ROOT / CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")
    found = {_text(file) for file in files}
    return ", ".join(sorted(found - {""})) or None


def _turbo() -> bool | None:
    off = {"0": True, "1": False}.get(_text(f"{CPUS}/intel_pstate/no_turbo"))
    return {"0": False, "1": True}.get(_text(f"{CPUS}/cpufreq/boost"), off)


def _virtualization() -> str | None:
    """Return the name of the virtual machine; "none" on bare metal; None if unknown."""
    flags = _cpuinfo("flags")  # x86 only
    if flags is None:
        return None
    if "hypervisor" not in flags.split():
        return "none"
    vendor, product = (_text(f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
    named = product if product.startswith(vendor) else f"{vendor} {product}"
    return named.strip() or "unknown kind"


def _container() -> str | None:
    """Return the kind of container; None outside one."""
    markers = {"docker": ".dockerenv", "podman": "run/.containerenv"}
    found = next((name for name, path in markers.items() if (ROOT / path).exists()), None)
    # By systemd's convention.
    return found or _text("run/systemd/container") or None


def _cpu_name() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(name: str) -> str | None:
    """Return the value of `name` for the first CPU of /proc/cpuinfo."""
    for line in _text("proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _cgroups(controller: str) -> Iterator[Path]:
    """Yield folders that may hold the files of `controller`, for cgroup v2 and v1.

    Those of this process's cgroup and each above it. In a container, its own cgroup is at the
    root, whatever its path outside is.
    """
    for line in _text("proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and controller not in names.split(","):
            continue
        mounts = ["", "unified"] if not names else [controller, names]
        parts = [part for part in path.split("/") if part]
        for mount in mounts:
            for depth in range(len(parts) + 1):
                yield ROOT.joinpath("sys/fs/cgroup", mount, *parts[:depth])


def _v2_quota(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return _ratio(quota, period)


def _v1_quota(folder: Path) -> float | None:
    return _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    """Return CPUs; None without a limit, which is written as "max" or -1."""
    microseconds, of = _number(quota), _number(period)
    return microseconds / of if microseconds and of else None


def _memory_limits() -> Iterator[tuple[int, int]]:
    """Yield limit and usage in bytes of each cgroup with a limit, without droppable files."""
    for folder in _cgroups("memory"):
        for limit_file, usage_file, droppable in MEMORY_FILES:
            limit = _number(_text(folder / limit_file))
            if limit is not None and limit < NO_LIMIT_BYTES:
                usage = _number(_text(folder / usage_file)) or 0
                lines = _text(folder / "memory.stat").splitlines()
                counts = dict(pair for line in lines if len(pair := line.split()) == 2)
                yield limit, max(0, usage - (_number(counts.get(droppable, "")) or 0))


def _number(text: str) -> int | None:
    """Return a number from a kernel file; None for anything else, and below zero."""
    # Longer ones are not the kernel's, and int() refuses those of 4,300 digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def _text(path: str | Path) -> str:
    """Return the text of a file below ROOT; empty if it cannot be read."""
    try:
        return (ROOT / path).read_text(errors="replace").strip()
    except OSError:
        return ""
