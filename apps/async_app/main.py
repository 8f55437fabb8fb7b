"""The blog as one app: lifespan, routers, error answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from httpx2 import AsyncClient
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from apps.shared.body_limit import BodyLimit
from apps.shared.rendering import (
    STATIC,
    busy,
    error_answer,
    invalid_fields,
)
from apps.shared.settings import settings
from apps.shared.upstream import CLIENT_OPTIONS

from apps.async_app import pages, pictures, posts, users, workload
from apps.async_app.database import PICTURES, close_database, prepare_database


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, AsyncClient]]:
    # Runs once, before the first request. Threads serve the static files.
    limiter = current_default_thread_limiter()
    limiter.total_tokens = settings.thread_tokens
    await prepare_database()
    async with AsyncClient(**CLIENT_OPTIONS) as upstream:
        yield {"upstream": upstream}
    await close_database()


app = FastAPI(title="Blog", lifespan=lifespan)
app.add_middleware(BodyLimit)
app.mount("/static", StaticFiles(directory=STATIC), name="static")
pictures_kept = StaticFiles(directory=PICTURES, check_dir=False)
app.mount("/media/profile_pics", pictures_kept, name="media")
app.include_router(users.router)
app.include_router(pictures.router)
app.include_router(posts.router)
app.include_router(workload.router)
app.include_router(pages.router)
app.add_exception_handler(PoolTimeoutError, busy)
app.add_exception_handler(OperationalError, busy)


@app.exception_handler(HTTPException)
async def http_error(request: Request, error: HTTPException) -> Response:
    code, headers = error.status_code, error.headers
    return error_answer(request, code, error.detail, headers)


@app.exception_handler(RequestValidationError)
async def invalid_request(
    request: Request, error: RequestValidationError
) -> Response:
    return error_answer(request, 422, invalid_fields(error.errors()))


@app.exception_handler(IntegrityError)
@app.exception_handler(StaleDataError)
async def changed_meanwhile(request: Request, error: Exception) -> Response:
    # A row that this request had read was deleted by another one since.
    return error_answer(
        request, 409, "Somebody else has changed this meanwhile"
    )
