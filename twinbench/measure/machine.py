"""What machine this is, and which cores the server and the generator get."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import psutil

from twinbench.store import Machine

# What decides how fast the apps and the harness are.
PACKAGES = (
    *("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "anyio", "pydantic"),
    *("sqlalchemy", "aiosqlite", "greenlet", "httpx2", "locust", "gevent"),
)


class Cores(NamedTuple):
    """Core numbers; both empty where the system cannot pin or there is one core only."""

    server: tuple[int, ...]
    generator: tuple[int, ...]


def share_cores(workers: int = 1) -> Cores:
    """A core for each of the server's workers, the others for the generator."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores((), ())
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return Cores((), ())
    most = min(workers, len(usable) - 1)
    return Cores(tuple(usable[:most]), tuple(usable[most:]))


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stay_on(cores: tuple[int, ...]) -> tuple[int, ...]:
    """Keep this process on `cores`, and say where it was; nothing where they are unknown."""
    if not cores:
        return ()
    before = tuple(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores)
    return before


def describe(cores: Cores) -> Machine:
    return Machine(
        cpu=_cpu_name(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        server_cores=cores.server,
        generator_cores=cores.generator,
    )


def versions() -> dict[str, str]:
    import sqlite3

    found = {name: version(name) for name in PACKAGES}
    return {"python": sys.version.split()[0], "sqlite": sqlite3.sqlite_version} | found


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
