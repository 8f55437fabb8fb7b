"""HTML pages and error responses: JSON under /api and /workload, a page elsewhere."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy.exc import DBAPIError

from apps.shared.dialects import is_busy
from apps.shared.security import DEMO_EMAIL, DEMO_PASSWORD
from apps.shared.settings import settings

STATIC = Path(__file__).with_name("static")
JSON_PREFIXES = {"api", "workload"}
# Pages load scripts, styles and pictures from this server only, and have no inline scripts.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# The shortest value of the header; a write lock is held for less.
RETRY_AFTER_S = 1

logger = logging.getLogger("uvicorn.error")

templates = Jinja2Templates(Path(__file__).with_name("templates"))
if settings.demo:
    templates.env.globals["demo"] = (DEMO_EMAIL, DEMO_PASSWORD)


def render_page(
    request: Request,
    template: str,
    context: dict[str, Any] | None = None,
    code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the page made from `template`, with PAGE_HEADERS."""
    return templates.TemplateResponse(
        request,
        template,
        context,
        status_code=code,
        headers={**PAGE_HEADERS, **(headers or {})},
    )


def error_response(
    request: Request,
    code: int,
    detail: Any,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return `detail` as JSON under JSON_PREFIXES, otherwise as a page."""
    if headers and "Allow" in headers:
        # Starlette makes it from a set, whose order changes with each start.
        allowed = sorted(headers["Allow"].split(", "))
        headers = {**headers, "Allow": ", ".join(allowed)}
    if request.url.path.split("/")[1] in JSON_PREFIXES:
        return JSONResponse({"detail": detail}, code, headers)
    message = detail if isinstance(detail, str) else "The address is not valid"
    context = {"code": code, "message": message}
    return render_page(request, "error.html", context, code, headers)


async def busy_error(request: Request, error: Exception) -> Response:
    """Answer 503 if the pool had no free connection or the database stayed locked.

    `async def` in both apps: a `def` handler would wait for a worker thread when all are busy.
    """
    if isinstance(error, DBAPIError) and not is_busy(error):
        raise error
    # Without the statement and its parameters.
    logger.warning("Answered 503: %s", error.args[0])
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return error_response(
        request, 503, "The server is busy. Please try again.", headers
    )


def field_errors(errors: Any) -> list[dict[str, Any]]:
    """Return validation errors without the rejected values: one may be a password."""
    return [
        {key: error[key] for key in ("type", "loc", "msg")} for error in errors
    ]
