"""/workload: routes that each isolate one cause.

None has a response model: for an `async def` route FastAPI would validate the response on
the loop, work that would be measured along with the cause.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from httpx2 import HTTPError

from apps.shared import statements
from apps.shared.compute import digest
from apps.shared.schemas import WaitMs

from apps.async_app.database import SessionDep

router = APIRouter(prefix="/workload", tags=["workload"])


@router.get("/noop", response_model=None)
async def noop() -> dict[str, bool]:
    return {"done": True}


@router.get("/wait", response_model=None)
async def wait(ms: WaitMs = 50) -> dict[str, float]:
    # Holds nothing while it waits: a timer on the loop.
    await asyncio.sleep(ms / 1_000)
    return {"waited_ms": ms}


@router.get("/fetch", response_model=None)
async def fetch(request: Request, ms: WaitMs = 50) -> dict[str, int]:
    # Holds a socket while it waits for the answer, and no thread.
    try:
        answer = await request.state.upstream.get("/delay", params={"ms": ms})
    except HTTPError as error:
        raise HTTPException(502, "The upstream API did not answer") from error
    return {"upstream_status": answer.status_code}


@router.get("/query", response_model=None)
async def query(session: SessionDep, ms: WaitMs = 50) -> dict[str, float]:
    # Holds one connection, and the driver's thread of that connection, while it waits.
    waited_ms = await session.scalar(statements.database_wait(ms)) or 0
    return {"waited_ms": waited_ms}


@router.get("/compute", response_model=None)
async def compute(
    n: Annotated[int, Query(ge=1, le=1_000_000)] = 10_000,
) -> dict[str, int]:
    # Runs on the loop: every other request waits until it is done.
    return {"digest": digest(n)}
