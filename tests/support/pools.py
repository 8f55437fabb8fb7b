"""SQLAlchemy's pools under 40 threads: `python pools.py FOLDER`.

Prints what the probe, the module in FOLDER, counts. A process of its own, since the probe counts
all pools of its process.
"""

import json
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.pool import NullPool, Pool, QueuePool, StaticPool

sys.path.insert(0, sys.argv[1])
from probe import Connections  # type: ignore[import-not-found]

THREADS, TURNS = 40, 200


def connect() -> Any:
    return sqlite3.connect(":memory:", check_same_thread=False)


def use_in_threads(pool: Pool) -> None:
    together = threading.Barrier(THREADS)

    def take_turns(_: int) -> None:
        together.wait()
        for _ in range(TURNS):
            pool.connect().close()

    with ThreadPoolExecutor(THREADS) as executor:
        list(executor.map(take_turns, range(THREADS)))


def main() -> None:
    counted = Connections()
    counted.attach()
    pools: dict[str, Pool] = {
        "queue": QueuePool(connect, pool_size=5, max_overflow=10),
        "null": NullPool(connect),
        "static": StaticPool(connect),
    }
    counts: dict[str, list[int]] = {}
    for name, pool in pools.items():
        held = pool.connect()
        counts[f"{name} held"] = counted.counts()
        held.close()
        if name != "static":  # one connection for all is not for several threads
            use_in_threads(pool)
        counts[f"{name} after"] = counted.counts()
    for way in ("close", "detach", "invalidate", "drop"):
        kept, left = pools["queue"].connect(), pools["queue"].connect()
        if way != "drop":
            getattr(left, way)()
        del left
        counts[way] = counted.counts()
        kept.close()
    print(json.dumps(counts))  # noqa: T201


if __name__ == "__main__":
    main()
