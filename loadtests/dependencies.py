"""Routes that do nothing, after 0, 1 or 3 dependencies that do nothing (plan `dependencies`).

The routes are `async def`, and so nothing but a `def` dependency needs a worker thread.
"""

from fastapi import Depends, FastAPI

app = FastAPI(title="Dependencies")


def blocking() -> None:
    """Do nothing, in a worker thread."""


async def awaited() -> None:
    """Do nothing, on the event loop."""


async def noop() -> dict[str, bool]:
    """Do nothing."""
    return {"done": True}


for kind, dependency in (("def", blocking), ("async", awaited)):
    # FastAPI would call a dependency that occurs three times only once.
    depends = Depends(dependency, use_cache=False)
    for times in (0, 1, 3):
        app.add_api_route(
            f"/{kind}/{times}",
            noop,
            dependencies=[depends] * times,
            response_model=None,
        )
