"""No request body larger than an upload may be: refused while it is read.

Otherwise the framework takes in the whole body, in memory or on disk, before a route can say
no. Its own limit (`max_body_size`) answers in plain text; here the API's errors are JSON, and
the pages' are pages. ASGI, and the same in both apps: nothing is held while it waits.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.shared.images import too_large
from apps.shared.settings import settings

# What a form puts around the file: boundaries, headers, the file's name.
FORM_BYTES = 16 * 1024
MOST_BYTES = settings.upload_bytes + FORM_BYTES


class BodyLimit:
    """Raises HTTPException (413) into whoever reads a body that is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        refused = announced.isdecimal() and int(announced) > MOST_BYTES
        read = 0

        async def receive_at_most() -> Message:
            nonlocal read
            if refused:  # before a byte of it is read
                raise too_large()
            message = await receive()
            read += len(message.get("body", b""))
            if read > MOST_BYTES:
                raise too_large()
            return message

        await self.app(scope, receive_at_most, send)
