"""/workload: routes that each isolate one cause.

None has a response model: for a `def` route FastAPI would validate the response in the
thread pool, a second hop that would be measured along with the cause.
"""

import time
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from httpx2 import HTTPError

from apps.shared import statements
from apps.shared.compute import digest
from apps.shared.schemas import WaitMs

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


@router.get("/fetch", response_model=None)
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
    # Runs on a pool thread; the other threads and the loop take turns for the GIL.
    return {"digest": digest(n)}
