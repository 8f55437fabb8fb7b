"""Where the async app runs the CPU-bound /workload routes (setting `BLOG_CPU_OFFLOAD`).

Only the async app uses it: a `def` route runs in a worker thread already.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import to_process, to_thread

from apps.shared.settings import settings

T = TypeVar("T")
Args = TypeVarTuple("Args")


async def run_cpu(work: Callable[[*Args], T], *args: *Args) -> T:
    """Return `work(*args)`, run on the event loop, in a thread or in a process."""
    if settings.cpu_offload == "thread":
        return await to_thread.run_sync(work, *args)
    if settings.cpu_offload == "process":
        # AnyIO starts at most one process per core and reuses them.
        return await to_process.run_sync(work, *args)
    return work(*args)
