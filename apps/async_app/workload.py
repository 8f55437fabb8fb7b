"""/workload: routes that each isolate one cause.

None has a response model: FastAPI would validate the response, for an `async
def` route on the loop, and that would be measured along with the cause.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, HTTPException, Query, Request
from httpx2 import HTTPError

from apps.shared import statements
from apps.shared.compute import digest
from apps.shared.images import fixed_thumbnail
from apps.shared.offload import run_cpu
from apps.shared.schemas import WaitMs, problems
from apps.shared.security import verify_demo_password

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


@router.get("/fetch", response_model=None, responses=problems(502))
async def fetch(request: Request, ms: WaitMs = 50) -> dict[str, int]:
    # Holds a socket while it waits for the answer, and no thread.
    try:
        answer = await request.state.upstream.get("/delay", params={"ms": ms})
    except HTTPError as error:
        raise HTTPException(502, "The upstream API did not answer") from error
    return {"upstream_status": answer.status_code}


@router.get("/query", response_model=None)
async def query(session: SessionDep, ms: WaitMs = 50) -> dict[str, float]:
    # Holds one connection, and the driver's thread of that connection.
    waited_ms = await session.scalar(statements.database_wait(ms)) or 0
    return {"waited_ms": waited_ms}


@router.get("/compute", response_model=None)
async def compute(
    n: Annotated[int, Query(ge=1, le=1_000_000)] = 10_000,
) -> dict[str, int]:
    # On the loop, as most write it: every other request waits.
    return {"digest": await run_cpu(digest, n)}


@router.get("/hash", response_model=None)
async def argon2() -> dict[str, bool]:
    # On the loop, likewise, unless BLOG_CPU_OFFLOAD says otherwise.
    return {"right": await run_cpu(verify_demo_password)}


@router.get("/thumbnail", response_model=None)
async def thumbnail() -> dict[str, int]:
    # Pillow, likewise.
    return {"bytes": len(await run_cpu(fixed_thumbnail))}


async def work_afterwards(ms: float) -> None:
    # Holds nothing that a request could want.
    await asyncio.sleep(ms / 1_000)


@router.post("/background", status_code=202, response_model=None)
async def background(
    tasks: BackgroundTasks,
    ms: WaitMs = 50,
) -> dict[str, float]:
    # Answered at once; the work begins when the answer has been sent.
    tasks.add_task(work_afterwards, ms)
    return {"working_ms": ms}
