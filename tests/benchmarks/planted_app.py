"""Built-in async app with a slowdown that is planted in each of its requests (`compare_power`).

PLANTED_LOOPS: rounds of an empty loop, which hold the event loop as computing does. They are
counted, not timed: a core that is taken away meanwhile makes them longer, as it does all work.
PLANTED_WAIT_MS: a wait during which other requests go on.
"""

import asyncio
import os

from starlette.types import ASGIApp, Receive, Scope, Send

from apps.async_app.main import app as async_app


class PlantedApp:
    """ASGI app that does `loops` rounds and waits `wait_ms` before each request of `app`."""

    def __init__(self, app: ASGIApp, loops: int, wait_ms: float) -> None:
        self._app, self._loops, self._wait_ms = app, loops, wait_ms
        self._owed_ms = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond as `app` does, later."""
        if scope["type"] == "http":
            for _ in range(self._loops):
                pass
            if wait_ms := self.next_wait_ms():
                await asyncio.sleep(wait_ms / 1000)
        await self._app(scope, receive, send)

    def next_wait_ms(self) -> int:
        """Return how long the next request waits, on average `wait_ms`.

        In whole milliseconds, to which the timers of uvloop round.
        """
        self._owed_ms += self._wait_ms
        whole_ms = int(self._owed_ms)
        self._owed_ms -= whole_ms
        return whole_ms


app = PlantedApp(
    async_app,
    loops=int(os.environ.get("PLANTED_LOOPS", "0")),
    wait_ms=float(os.environ.get("PLANTED_WAIT_MS", "0")),
)
