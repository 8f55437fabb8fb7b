"""The blog as one app: lifespan, routers, error answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from httpx2 import AsyncClient
from starlette.exceptions import HTTPException

from apps.shared.settings import settings
from apps.shared.upstream import CLIENT_OPTIONS

from apps.async_app import pages, posts, users, workload
from apps.async_app.database import close_database, prepare_database


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, AsyncClient]]:
    # Runs once, before the first request. The threads still serve static files.
    limiter = current_default_thread_limiter()
    limiter.total_tokens = settings.thread_tokens
    await prepare_database()
    async with AsyncClient(**CLIENT_OPTIONS) as upstream:
        yield {"upstream": upstream}
    await close_database()


app = FastAPI(title="Blog", lifespan=lifespan)
static = Path(__file__).parents[1] / "shared" / "static"
app.mount("/static", StaticFiles(directory=static), name="static")
app.include_router(users.router)
app.include_router(posts.router)
app.include_router(workload.router)
app.include_router(pages.router)


def wants_json(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/workload/"))


@app.exception_handler(HTTPException)
async def http_error(request: Request, error: HTTPException) -> Response:
    code, headers = error.status_code, error.headers
    if wants_json(request):
        content = {"detail": error.detail}
        return JSONResponse(content, status_code=code, headers=headers)
    context = {"code": code, "message": error.detail}
    return pages.templates.TemplateResponse(
        request, "error.html", context, status_code=code, headers=headers
    )


@app.exception_handler(RequestValidationError)
async def invalid_request(request: Request, error: RequestValidationError) -> Response:
    if wants_json(request):
        content = {"detail": jsonable_encoder(error.errors())}
        return JSONResponse(content, status_code=422)
    context = {"code": 422, "message": "The address is not valid"}
    return pages.templates.TemplateResponse(
        request, "error.html", context, status_code=422
    )
