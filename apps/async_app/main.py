"""The FastAPI app: lifespan, middleware, routers and exception handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from httpx2 import AsyncClient
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from apps.shared.body_limit import BodyLimit
from apps.shared.rendering import (
    STATIC,
    busy_error,
    error_response,
    field_errors,
)
from apps.shared.settings import settings
from apps.shared.upstream import CLIENT_OPTIONS

from apps.async_app import pages, pictures, posts, users, workload
from apps.async_app.database import PICTURES, close_database, prepare_database


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, AsyncClient]]:
    """Prepare the database, and open the upstream client for all requests."""
    # Runs once, before the first request. Worker threads serve static files.
    limiter = current_default_thread_limiter()
    limiter.total_tokens = settings.worker_threads
    await prepare_database()
    async with AsyncClient(**CLIENT_OPTIONS) as upstream:
        yield {"upstream": upstream}
    await close_database()


app = FastAPI(title="Blog", lifespan=lifespan)
app.add_middleware(BodyLimit)
app.mount("/static", StaticFiles(directory=STATIC), name="static")
picture_files = StaticFiles(directory=PICTURES, check_dir=False)
app.mount("/media/profile_pics", picture_files, name="media")
app.include_router(users.router)
app.include_router(pictures.router)
app.include_router(posts.router)
app.include_router(workload.router)
app.include_router(pages.router)
app.add_exception_handler(PoolTimeoutError, busy_error)
app.add_exception_handler(DBAPIError, busy_error)


@app.exception_handler(HTTPException)
async def http_error(request: Request, error: HTTPException) -> Response:
    """Answer with the status of the exception, as JSON or as a page."""
    code, headers = error.status_code, error.headers
    return error_response(request, code, error.detail, headers)


@app.exception_handler(RequestValidationError)
async def validation_error(
    request: Request, error: RequestValidationError
) -> Response:
    """Answer 422 with the fields that are invalid."""
    return error_response(request, 422, field_errors(error.errors()))


@app.exception_handler(IntegrityError)
@app.exception_handler(StaleDataError)
async def conflict_error(request: Request, error: Exception) -> Response:
    """Answer 409: another request deleted a row that this one has read."""
    return error_response(
        request, 409, "Somebody else has changed this meanwhile"
    )
