"""App for locustfiles: a login, items, orders; it counts its requests by method and path.

`SHOP_DRIFT` in the environment changes the items.
"""

import os
from collections import Counter
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Header, HTTPException, Request, Response

DRIFT = os.environ.get("SHOP_DRIFT", "")
COUNTS: Counter[str] = Counter()
app = FastAPI()


@app.middleware("http")
async def count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    COUNTS[f"{request.method} {request.url.path}"] += 1
    return await call_next(request)


@app.post("/login")
async def login() -> dict[str, str]:
    return {"token": "abc"}


@app.post("/logout")
async def logout() -> None:
    pass


@app.get("/items/{n}")
async def item(n: int) -> dict[str, str]:
    return {"name": f"item {n}{DRIFT}"}


@app.post("/orders")
async def order(authorization: str = Header()) -> dict[str, bool]:
    if authorization != "Bearer abc":
        raise HTTPException(401)
    return {"ok": True}


@app.get("/old", status_code=307)
async def old(response: Response) -> None:
    response.headers["location"] = "/items/0"


@app.get("/counts")
async def counts() -> dict[str, int]:
    return dict(COUNTS)
