"""Templates, and what an error looks like: JSON under the API, a page elsewhere."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy.exc import OperationalError

from apps.shared.security import DEMO_EMAIL, DEMO_PASSWORD
from apps.shared.settings import settings
from apps.shared.sqlite import is_locked

STATIC = Path(__file__).with_name("static")
FOR_PROGRAMS = {"api", "workload"}
# Everything that a page needs comes from here, and nothing is written into the page itself.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# The shortest wait that the header can ask for; a lock is held for less.
RETRY_AFTER_S = 1

LOG = logging.getLogger("uvicorn.error")

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
    """Return the page made of `template`, with the headers that every page has."""
    return templates.TemplateResponse(
        request,
        template,
        context,
        status_code=code,
        headers={**PAGE_HEADERS, **(headers or {})},
    )


def error_answer(
    request: Request,
    code: int,
    detail: Any,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`detail` as JSON, or on a page where a person is looking."""
    if headers and "Allow" in headers:
        # Made from a set: its order changes from one start to the next.
        allowed = sorted(headers["Allow"].split(", "))
        headers = {**headers, "Allow": ", ".join(allowed)}
    if request.url.path.split("/")[1] in FOR_PROGRAMS:
        return JSONResponse({"detail": detail}, code, headers)
    message = detail if isinstance(detail, str) else "The address is not valid"
    context = {"code": code, "message": message}
    return render_page(request, "error.html", context, code, headers)


async def busy(request: Request, error: Exception) -> Response:
    """Answer 503 if the pool had no connection in time, or the database stayed locked.

    `async` in both apps: a `def` handler would wait for a thread when the threads are all taken.
    """
    if isinstance(error, OperationalError) and not is_locked(error):
        raise error
    # Without the statement, and what was to be stored.
    LOG.warning("Answered 503: %s", error.args[0])
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return error_answer(
        request, 503, "The server is busy. Please try again.", headers
    )


def invalid_fields(errors: Any) -> list[dict[str, Any]]:
    """What was wrong, without repeating what was sent: it may be a password."""
    return [
        {key: error[key] for key in ("type", "loc", "msg")} for error in errors
    ]
