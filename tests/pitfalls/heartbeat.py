"""A task that takes every turn it can get: while something blocks the event loop, it gets none."""

import asyncio
import threading
from contextlib import suppress

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response

# What blocks the loop gives up after this long. Elsewhere the next beat comes, on a busy machine
# as well: only somebody who waits for nothing waits so long.
GIVE_UP_S = 0.3
PATIENT_S = 60.0


class Heartbeat:
    """Stands for every other request of the worker."""

    def __init__(self) -> None:
        self.beats = 0
        self._beaten = threading.Event()

    async def beat(self) -> None:
        while True:
            self.beats += 1
            self._beaten.set()
            await asyncio.sleep(0)  # let everybody else have a turn

    def beats_meanwhile(self) -> bool:
        """Hold this thread until the next beat, or give up: the loop was not running."""
        self._beaten.clear()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._beaten.wait(PATIENT_S)
        return self._beaten.wait(GIVE_UP_S)


def get(app: FastAPI, path: str, heart: Heartbeat) -> Response:
    """The answer of `app`, with `heart` beating on the same event loop."""

    async def ask() -> Response:
        beating = asyncio.create_task(heart.beat())
        async with AsyncClient(transport=ASGITransport(app), base_url="http://app") as client:
            answer = await client.get(path)
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        return answer

    return asyncio.run(ask())
