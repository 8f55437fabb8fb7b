"""ASGI middleware that limits the size of every request body.

Without it the framework reads the whole body, in memory or on disk, before a route can refuse it.
FastAPI's own limit (`max_body_size`) answers in plain text; this one raises an HTTPException,
which the apps answer as JSON or as a page.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.shared.images import upload_too_large
from apps.shared.settings import settings

# The form around the file: boundaries, headers, the name of the file.
FORM_BYTES = 16 * 1024
MAX_BYTES = settings.upload_bytes + FORM_BYTES


class BodyLimit:
    """Raise HTTPException (413) in whatever reads a body that is too large."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Call the app with a `receive` that counts bytes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        refused = length.isdecimal() and int(length) > MAX_BYTES
        received = 0

        async def limited_receive() -> Message:
            nonlocal received
            if refused:  # before the first byte is read
                raise upload_too_large()
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BYTES:
                raise upload_too_large()
            return message

        await self.app(scope, limited_receive, send)
