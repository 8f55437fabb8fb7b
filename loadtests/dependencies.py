"""Routes that do nothing, after 0, 1 or 3 dependencies that do nothing (plan `dependencies`).

The routes are `async def`, and so nothing but a `def` dependency needs a worker thread.
"""

from collections.abc import Callable

from fastapi import Depends, FastAPI

app = FastAPI(title="Dependencies")


def new_dependency(kind: str) -> Callable[[], object]:
    """Return a new function, because FastAPI calls each function once for a request."""

    def blocking() -> None:
        """Do nothing, in a worker thread."""

    async def awaited() -> None:
        """Do nothing, on the event loop."""

    return blocking if kind == "def" else awaited


async def noop() -> dict[str, bool]:
    """Do nothing."""
    return {"done": True}


for kind in ("def", "async"):
    for times in (0, 1, 3):
        depends = [Depends(new_dependency(kind)) for _ in range(times)]
        app.add_api_route(f"/{kind}/{times}", noop, dependencies=depends, response_model=None)
