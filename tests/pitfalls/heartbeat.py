"""A task that runs at each turn of the event loop: it stops while something blocks the loop."""

import asyncio
import threading
from contextlib import suppress

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response

# How long a call waits for a beat: on the event loop, which it blocks, and in a thread.
BLOCKED_S = 0.3
PATIENCE_S = 60.0


class Heartbeat:
    """Stand-in for the other requests of a worker process."""

    def __init__(self) -> None:
        self.beats = 0
        self._beaten = threading.Event()

    async def run(self) -> None:
        while True:
            self.beats += 1
            self._beaten.set()
            await asyncio.sleep(0)

    def wait_for_beat(self) -> bool:
        """Block this thread until the next beat; return False if there was none."""
        self._beaten.clear()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._beaten.wait(PATIENCE_S)
        return self._beaten.wait(BLOCKED_S)


def get(app: FastAPI, path: str, heart: Heartbeat) -> Response:
    """Send a request to `app` while `heart` runs on the same event loop."""

    async def request() -> Response:
        beating = asyncio.create_task(heart.run())
        async with AsyncClient(transport=ASGITransport(app), base_url="http://app") as client:
            response = await client.get(path)
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        return response

    return asyncio.run(request())
