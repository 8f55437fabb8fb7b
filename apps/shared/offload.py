"""Where the async app runs CPU-bound workload routes, as `BLOG_CPU_OFFLOAD` says.

Used by the async app only: a `def` route is in a thread already.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import to_process, to_thread

from apps.shared.settings import settings

T = TypeVar("T")
Args = TypeVarTuple("Args")


async def run_cpu(work: Callable[[*Args], T], *args: *Args) -> T:
    """`work(*args)`: on the loop, in a thread of the pool, or in a worker process."""
    if settings.cpu_offload == "thread":
        return await to_thread.run_sync(work, *args)
    if settings.cpu_offload == "process":
        # As many processes as the machine has cores; they stay a while for the next call.
        return await to_process.run_sync(work, *args)
    return work(*args)
