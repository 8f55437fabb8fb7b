"""/workload: routes for measuring, each with one cause of waiting or load.

They are not part of the blog. None has a response model: FastAPI would
validate the response, and that work would be measured with the cause.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, HTTPException, Query, Request
from httpx2 import HTTPError

from apps.shared import statements
from apps.shared.cpu_work import (
    digest,
    make_sample_thumbnail,
    verify_demo_password,
)
from apps.shared.offload import run_cpu
from apps.shared.schemas import WaitMs, error_responses

from apps.async_app.database import SessionDep

router = APIRouter(prefix="/workload", tags=["workload"])


@router.get("/noop", response_model=None)
async def noop() -> dict[str, bool]:
    """Do nothing: the cost of a request itself."""
    return {"done": True}


@router.get("/wait", response_model=None)
async def wait(ms: WaitMs = 50) -> dict[str, float]:
    """Wait `ms` milliseconds."""
    # A timer of the event loop: no thread waits.
    await asyncio.sleep(ms / 1_000)
    return {"waited_ms": ms}


@router.get("/fetch", response_model=None, responses=error_responses(502))
async def fetch(request: Request, ms: WaitMs = 50) -> dict[str, int]:
    """Call the upstream API, which answers after `ms` milliseconds."""
    # A socket waits, but no thread.
    try:
        answer = await request.state.upstream.get("/delay", params={"ms": ms})
    except HTTPError as error:
        raise HTTPException(502, "The upstream API did not answer") from error
    return {"upstream_status": answer.status_code}


@router.get("/query", response_model=None)
async def query(session: SessionDep, ms: WaitMs = 50) -> dict[str, float]:
    """Execute one SQL statement that takes `ms` milliseconds."""
    # Holds one connection, and the thread that aiosqlite has for it.
    waited_ms = await session.scalar(statements.database_wait(ms)) or 0
    return {"waited_ms": waited_ms}


@router.get("/compute", response_model=None)
async def compute(
    n: Annotated[int, Query(ge=1, le=1_000_000)] = 10_000,
) -> dict[str, int]:
    """Compute `n` steps in pure Python, holding the GIL."""
    # On the event loop unless BLOG_CPU_OFFLOAD moves it: all others wait.
    return {"digest": await run_cpu(digest, n)}


@router.get("/hash", response_model=None)
async def argon2() -> dict[str, bool]:
    """Verify a password with Argon2, which releases the GIL."""
    # On the event loop unless BLOG_CPU_OFFLOAD moves it.
    return {"right": await run_cpu(verify_demo_password)}


@router.get("/thumbnail", response_model=None)
async def thumbnail() -> dict[str, int]:
    """Scale a picture down with Pillow."""
    # On the event loop unless BLOG_CPU_OFFLOAD moves it.
    return {"bytes": len(await run_cpu(make_sample_thumbnail))}


async def background_task(ms: float) -> None:
    """Wait `ms` milliseconds after the response was sent."""
    # A timer of the event loop.
    await asyncio.sleep(ms / 1_000)


@router.post("/background", status_code=202, response_model=None)
async def background(
    tasks: BackgroundTasks,
    ms: WaitMs = 50,
) -> dict[str, float]:
    """Answer at once, then wait `ms` milliseconds in a background task."""
    tasks.add_task(background_task, ms)
    return {"working_ms": ms}
