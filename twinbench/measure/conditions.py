"""Conditions that decide the speed of a server and are not work, for the preflight.

Self-contained like serve.py, which loads it; a server that is measured does not.
"""

import asyncio
import gc
import os
import platform
import sys
import threading
import tracemalloc
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

MAX_WRAPPERS = 10  # middleware around an app: uvicorn's, and that of the app's author
MOUNT_TABLE = Path("/proc/self/mountinfo")


def conditions(
    http: type, app: Any, opened: Mapping[str, Iterable[str]], limiter: Any
) -> dict[str, str]:
    """Return the conditions of this process by name.

    Call it on the event loop; `http` is the server's HTTP implementation, `opened` the paths of
    files by their kind, `limiter` AnyIO's of threads, if there is one.
    """
    mounts = MOUNT_TABLE.read_text(errors="replace") if MOUNT_TABLE.exists() else ""
    types = {
        f"file system of {kind}": ", ".join(sorted(file_systems(paths, mounts)))
        for kind, paths in opened.items()
        if paths
    }
    return {**_process_conditions(http, limiter), "app debug": _on(_is_debug(app)), **types}


def file_systems(paths: Iterable[str], mounts: str) -> set[str]:
    """Return the types of the file systems that hold the files `paths`, or will hold them.

    `mounts` is the text of /proc/self/mountinfo; where there is none, types are "unknown".
    """
    types: dict[str, str] = {}
    for line in mounts.splitlines():
        place, _, source = line.partition(" - ")
        # Spaces and the like are written as octal numbers.
        mount_point = place.split()[4].encode("latin-1", "replace").decode("unicode_escape")
        types[mount_point.rstrip("/")] = source.split()[0]
    found = set()
    for path in paths:
        real = Path(os.path.realpath(path))
        if real.exists() and not real.is_file() and not real.is_dir():
            continue  # a device or a pipe
        folders = (str(folder).rstrip("/") for folder in (real, *real.parents))
        found.add(next((types[folder] for folder in folders if folder in types), "unknown"))
    return found


def _process_conditions(http: type, limiter: Any) -> dict[str, str]:
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    flags = {
        "-X dev": sys.flags.dev_mode,
        "-d": sys.flags.debug,
        "-O": sys.flags.optimize,
        "debug build": hasattr(sys, "gettotalrefcount"),
    }
    return {
        "event loop": _qualified(type(loop)),
        "task factory": _qualified(factory) if factory else "default",
        "HTTP implementation": _qualified(http),
        "asyncio debug": _on(loop.get_debug()),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Python debug": ", ".join(name for name, is_set in flags.items() if is_set) or "off",
        "trace function": _on(sys.gettrace() or sys.getprofile()),
        "trace function of threads": _on(threading.gettrace() or threading.getprofile()),
        "tracemalloc": _on(tracemalloc.is_tracing()),
        "garbage collector": f"{_on(gc.isenabled())}, thresholds {gc.get_threshold()}",
        "frozen objects": "some" if gc.get_freeze_count() else "none",
        "switch interval": f"{sys.getswitchinterval():g} s",
        "thread limit": f"{limiter.total_tokens:g}" if limiter else "none",
        "default executor": _executor(getattr(loop, "_default_executor", None)),
        "nice value": str(os.nice(0)),
    }


def _is_debug(app: Any) -> bool:
    for _ in range(MAX_WRAPPERS):
        if not hasattr(app, "debug"):
            app = getattr(app, "app", app)
    return bool(getattr(app, "debug", False))


def _executor(executor: Any) -> str:
    # asyncio's own, made at first use, counts as none; uvloop does not show it.
    workers = getattr(executor, "_max_workers", None)
    if executor is None or (type(executor), workers) == (ThreadPoolExecutor, _default_workers()):
        return "default"
    return f"{_qualified(type(executor))}, {workers} threads"


def _default_workers() -> int:
    with ThreadPoolExecutor() as executor:
        return executor._max_workers


def _qualified(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    return f"{getattr(thing, '__module__', None) or type(thing).__module__}.{name}"


def _on(state: object) -> str:
    return "on" if state else "off"
