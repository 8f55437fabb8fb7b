"""What decides the speed of a server and is no work: for the preflight, never while measuring.

Self-contained like serve.py, which loads it.
"""

import asyncio
import gc
import os
import platform
import sys
import threading
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from anyio.to_thread import current_default_thread_limiter

# Around an app: uvicorn's, and those of the app's author.
MOST_WRAPPERS = 10
MOUNTS = Path("/proc/self/mountinfo")


def conditions(http: type, app: Any, opened: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return what decides the speed of this process and is no work: name and value.

    Call it on the event loop; `http` is the server's HTTP implementation, `opened` the paths of
    files by what they are.
    """
    mounts = MOUNTS.read_text(errors="replace") if MOUNTS.exists() else ""
    places = {
        f"file system of {what}": ", ".join(sorted(file_systems(paths, mounts)))
        for what, paths in opened.items()
        if paths
    }
    return {**_of_process(http), **dict(_of_app(app)), **places}


def _of_process(http: type) -> dict[str, str]:
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    flags = {"-X dev": sys.flags.dev_mode, "-d": sys.flags.debug, "-O": sys.flags.optimize}
    flags["debug build"] = hasattr(sys, "gettotalrefcount")
    return {
        "event loop": _named(type(loop)),
        "task factory": _named(factory) if factory else "default",
        "HTTP implementation": _named(http),
        "asyncio debug": _on(loop.get_debug()),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Python debug": ", ".join(name for name, given in flags.items() if given) or "off",
        "trace function": _on(sys.gettrace() or sys.getprofile()),
        "trace function of threads": _on(threading.gettrace() or threading.getprofile()),
        "tracemalloc": _on(tracemalloc.is_tracing()),
        "garbage collector": f"{_on(gc.isenabled())}, thresholds {gc.get_threshold()}",
        "frozen objects": "some" if gc.get_freeze_count() else "none",
        "switch interval": f"{sys.getswitchinterval():g} s",
        "thread limit": f"{current_default_thread_limiter().total_tokens:g}",
        "default executor": _executor(getattr(loop, "_default_executor", None)),
        "nice value": str(os.nice(0)),
        "upstream": os.environ.get("UPSTREAM_URL", "none"),
    }


def _of_app(app: Any) -> Iterator[tuple[str, str]]:
    for _ in range(MOST_WRAPPERS):
        if not hasattr(app, "debug"):
            app = getattr(app, "app", app)
    yield "app debug", _on(getattr(app, "debug", False))


def _executor(executor: Any) -> str:
    """The loop's own, made at first use, is as good as none; uvloop does not show it."""
    threads = getattr(executor, "_max_workers", None)
    if executor is None or (type(executor), threads) == (ThreadPoolExecutor, _default_threads()):
        return "default"
    return f"{_named(type(executor))}, {threads} threads"


def _default_threads() -> int:
    with ThreadPoolExecutor() as executor:
        return executor._max_workers


def _named(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    return f"{getattr(thing, '__module__', None) or type(thing).__module__}.{name}"


def _on(state: object) -> str:
    return "on" if state else "off"


def file_systems(paths: Iterable[str], mounts: str) -> set[str]:
    """Return the types of the file systems that hold the files `paths`, or will hold them.

    `mounts` is the text of /proc/self/mountinfo; where there is none, types are "unknown".
    """
    types: dict[str, str] = {}
    for line in mounts.splitlines():
        place, _, kind = line.partition(" - ")
        # Spaces and the like are written as octal numbers.
        mounted = place.split()[4].encode("latin-1", "replace").decode("unicode_escape")
        types[mounted.rstrip("/")] = kind.split()[0]
    found = set()
    for path in paths:
        real = Path(os.path.realpath(path))
        if real.exists() and not real.is_file() and not real.is_dir():
            continue  # a device or a pipe
        above = (str(folder).rstrip("/") for folder in (real, *real.parents))
        found.add(next((types[folder] for folder in above if folder in types), "unknown"))
    return found
