"""/workload: routes that each isolate one cause.

None has a response model: FastAPI would validate the response, for a `def`
route on a second hop into the thread pool, and that would be measured along
with the cause.
"""

import time
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, HTTPException, Query, Request
from httpx2 import HTTPError

from apps.shared import statements
from apps.shared.compute import digest
from apps.shared.images import fixed_thumbnail
from apps.shared.schemas import WaitMs, problems
from apps.shared.security import verify_demo_password

from apps.sync_app.database import SessionDep

router = APIRouter(prefix="/workload", tags=["workload"])


@router.get("/noop", response_model=None)
def noop() -> dict[str, bool]:
    return {"done": True}


@router.get("/wait", response_model=None)
def wait(ms: WaitMs = 50) -> dict[str, float]:
    # Holds one pool thread while it waits.
    time.sleep(ms / 1_000)
    return {"waited_ms": ms}


@router.get("/fetch", response_model=None, responses=problems(502))
def fetch(request: Request, ms: WaitMs = 50) -> dict[str, int]:
    # Holds one pool thread while it waits for the answer.
    try:
        answer = request.state.upstream.get("/delay", params={"ms": ms})
    except HTTPError as error:
        raise HTTPException(502, "The upstream API did not answer") from error
    return {"upstream_status": answer.status_code}


@router.get("/query", response_model=None)
def query(session: SessionDep, ms: WaitMs = 50) -> dict[str, float]:
    # Holds one pool thread and one connection while it waits.
    waited_ms = session.scalar(statements.database_wait(ms)) or 0
    return {"waited_ms": waited_ms}


@router.get("/compute", response_model=None)
def compute(
    n: Annotated[int, Query(ge=1, le=1_000_000)] = 10_000,
) -> dict[str, int]:
    # In a pool thread; the others and the loop take turns for the GIL.
    return {"digest": digest(n)}


@router.get("/hash", response_model=None)
def argon2() -> dict[str, bool]:
    # In a pool thread. Argon2 lets go of the GIL: the others go on.
    return {"right": verify_demo_password()}


@router.get("/thumbnail", response_model=None)
def thumbnail() -> dict[str, int]:
    # Pillow, likewise.
    return {"bytes": len(fixed_thumbnail())}


def work_afterwards(ms: float) -> None:
    # Holds one pool thread, which no request can have meanwhile.
    time.sleep(ms / 1_000)


@router.post("/background", status_code=202, response_model=None)
def background(
    tasks: BackgroundTasks,
    ms: WaitMs = 50,
) -> dict[str, float]:
    # Answered at once; the work begins when the answer has been sent.
    tasks.add_task(work_afterwards, ms)
    return {"working_ms": ms}
