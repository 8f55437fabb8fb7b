"""SQLAlchemy's pools under 40 threads: `python pools.py FOLDER`.

Prints what the probe, the module in FOLDER, counts. A process of its own, since the probe counts
all pools of its process.
"""

import json
import sqlite3
import sys
import threading
from typing import Any

from sqlalchemy.pool import NullPool, Pool, PoolProxiedConnection, QueuePool, StaticPool

sys.path.insert(0, sys.argv[1])
from probe import Connections  # type: ignore[import-not-found]

THREADS, TURNS = 40, 200


def connect() -> Any:
    return sqlite3.connect(":memory:", check_same_thread=False)


def crowd(pool: Pool) -> None:
    """Each thread takes a connection and gives it back, many times."""
    together = threading.Barrier(THREADS)

    def visit() -> None:
        together.wait()
        for _ in range(TURNS):
            pool.connect().close()

    threads = [threading.Thread(target=visit) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def left(way: str, held: PoolProxiedConnection) -> None:
    if way == "dropped":
        return  # the caller holds the last reference
    {"closed": held.close, "detached": held.detach, "invalidated": held.invalidate}[way]()


def main() -> None:
    counted = Connections()
    counted.attach()
    pools: dict[str, Pool] = {
        "queue": QueuePool(connect, pool_size=5, max_overflow=10),
        "null": NullPool(connect),
        "static": StaticPool(connect),
    }
    said: dict[str, list[int]] = {}
    for name, pool in pools.items():
        held = pool.connect()
        said[f"{name} held"] = counted.counts()
        held.close()
        if name != "static":  # one connection for all is not for a crowd
            crowd(pool)
        said[f"{name} after"] = counted.counts()
    for way in ("closed", "detached", "invalidated", "dropped"):
        mine = [pools["queue"].connect(), pools["queue"].connect()]
        left(way, mine.pop())
        said[way] = counted.counts()
        mine.pop().close()
    print(json.dumps(said))  # noqa: T201


if __name__ == "__main__":
    main()
