"""GET /delay?ms=50: answers after a wait, fixed or drawn from a lognormal distribution.

`uvicorn apps.upstream.main:app --port 8900` serves it by hand. A plain ASGI app: it shares
a core with the load generator, so it should cost as little as it can.

With `spread` (the sigma of the logarithm) above 0, the wait is lognormal with median `ms`,
drawn from one seeded sequence, so a run meets the same waits again. Longest wait: 10 s.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping
from random import Random
from typing import Any
from urllib.parse import parse_qsl

LONGEST_MS = 10_000.0
MOST_SPREAD = 3.0
SEED = 1

Message = MutableMapping[str, Any]
random = Random(SEED)


def wait_ms(query: str) -> float | None:
    """The wait that `query` asks for, in milliseconds; None where it is not valid."""
    try:
        values = {
            name: float(value)
            for name, value in parse_qsl(query, strict_parsing=True)
        }
    except ValueError:
        return None
    ms, spread = values.pop("ms", None), values.pop("spread", 0.0)
    if (
        values
        or ms is None
        or not (0 <= ms <= LONGEST_MS and 0 <= spread <= MOST_SPREAD)
    ):
        return None
    if spread and ms:
        ms = min(random.lognormvariate(math.log(ms), spread), LONGEST_MS)
    return ms


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        return
    status, body = 404, b"not found\n"
    if scope["path"] == "/delay":
        ms = wait_ms(scope["query_string"].decode("latin-1"))
        if ms is None:
            status, body = 422, b"ms: 0 to 10000, spread: 0 to 3\n"
        else:
            await asyncio.sleep(ms / 1_000)
            status, body = 200, b"done\n"
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send(
        {"type": "http.response.start", "status": status, "headers": headers}
    )
    await send({"type": "http.response.body", "body": body})
