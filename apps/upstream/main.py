"""GET /delay?ms=50: answer after a delay, fixed or lognormal.

Start it with `uvicorn apps.upstream.main:app --port 8900`. It is a plain ASGI app, because it
shares a core with the load generator and must cost little CPU time.

With `spread` (the sigma of the logarithm) above 0, the delay is lognormal with median `ms`. The
delays come from one seeded sequence, so each run has the same ones. The longest is 10 s.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping
from random import Random
from typing import Any
from urllib.parse import parse_qsl

MAX_DELAY_MS = 10_000.0
MAX_SPREAD = 3.0
SEED = 1

Message = MutableMapping[str, Any]
random = Random(SEED)


def delay_ms(query: str) -> float | None:
    """Return the delay of a query string in milliseconds, or None if it is invalid."""
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
        or not (0 <= ms <= MAX_DELAY_MS and 0 <= spread <= MAX_SPREAD)
    ):
        return None
    if spread and ms:
        ms = min(random.lognormvariate(math.log(ms), spread), MAX_DELAY_MS)
    return ms


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Serve GET /delay (ASGI)."""
    if scope["type"] != "http":
        return
    status, body = 404, b"not found\n"
    if scope["path"] == "/delay":
        ms = delay_ms(scope["query_string"].decode("latin-1"))
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
