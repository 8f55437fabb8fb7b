"""A request as it goes over the wire, its placeholders filled in."""

import functools
import json
import mimetypes
import random
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from twinbench.plan.requests import PLACEHOLDER, BaseRequest

Captures = Mapping[str, str]
NO_CAPTURES: Captures = MappingProxyType({})
# Fixed, so that the same request is the same bytes; random enough to be in no file.
BOUNDARY = "twinbench-8f3a1c5e7d9b2046"
WITH_BODY = {"POST", "PUT", "PATCH"}
# Uploads kept as they go over the wire: more than a scenario has, so that each is read once.
KEPT_UPLOADS = 32


class Rendered(NamedTuple):
    """Equal uploads share one body: only `whole` copies it."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        return self.head + self.body


def render(
    request: BaseRequest, netloc: str, rng: random.Random, captures: Captures = NO_CAPTURES
) -> Rendered:
    """`request` to the host `netloc` as HTTP/1.1; `{1..9}` becomes a number drawn from `rng`,
    `{token}` the value of that name in `captures`, where there is one."""
    own = _fill(request.headers, rng, captures)
    kind, body = _payload(request, rng, captures)
    headers = {"Host": netloc, "Accept": "*/*", "User-Agent": "twinbench"}
    if kind:
        headers["Content-Type"] = kind
    # The plan's headers replace ours of the same name, which has no case.
    names = {name.lower() for name in own}
    headers = {name: value for name, value in headers.items() if name.lower() not in names} | own
    if kind or request.method in WITH_BODY:  # some servers insist on it, be it 0
        headers["Content-Length"] = str(len(body))
    in_path = {name: quote(value, safe="") for name, value in captures.items()}
    lines = [f"{request.method} {_fill(request.path, rng, in_path)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return Rendered("\r\n".join([*lines, "", ""]).encode(), body)


def _payload(request: BaseRequest, rng: random.Random, captures: Captures) -> tuple[str, bytes]:
    """Content type and body; the type is empty where there is none."""
    if request.body is not None:
        return "application/json", json.dumps(_fill(request.body, rng, captures)).encode()
    if request.form is not None:
        form = urlencode(_fill(request.form, rng, captures))
        return "application/x-www-form-urlencoded", form.encode()
    if request.upload is not None:
        return f"multipart/form-data; boundary={BOUNDARY}", _multipart(*request.upload.items())
    return "", b""


@functools.lru_cache(maxsize=KEPT_UPLOADS)
def _multipart(*files: tuple[str, Path]) -> bytes:
    parts = []
    for field, path in files:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        head = (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="{_quoted(field)}";'
            f' filename="{_quoted(path.name)}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        )
        parts += [head.encode(), path.read_bytes(), b"\r\n"]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _quoted(text: str) -> str:
    """As browsers write names in a multipart head."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _fill(value: Any, rng: random.Random, captures: Captures) -> Any:
    if isinstance(value, str):
        # In one pass: a value that was taken is never taken for a placeholder.
        return PLACEHOLDER.sub(lambda found: _filled(found, rng, captures), value)
    if isinstance(value, Mapping):
        return {name: _fill(item, rng, captures) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, rng, captures) for item in value]
    return value


def _filled(found: re.Match[str], rng: random.Random, captures: Captures) -> str:
    if found["name"]:
        return captures.get(found["name"], found[0])
    return str(rng.randint(int(found["low"]), int(found["high"])))
