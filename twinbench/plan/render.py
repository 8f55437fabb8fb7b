"""A request as it goes over the wire, its placeholders filled in."""

import json
import random
import re
from collections.abc import Mapping
from typing import Any

from twinbench.plan.models import PLACEHOLDER, Request


def render(request: Request, netloc: str, rng: random.Random) -> bytes:
    """`request` to the host `netloc` as HTTP/1.1; `{1..9}` becomes a number drawn from `rng`."""
    headers = {"Host": netloc, "Accept": "*/*", "User-Agent": "twinbench"} | request.headers
    body = b""
    if request.body is not None:
        body = json.dumps(_fill(request.body, rng)).encode()
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{request.method} {_fill(request.path, rng)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _fill(value: Any, rng: random.Random) -> Any:
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: _number(found, rng), value)
    if isinstance(value, Mapping):
        return {name: _fill(item, rng) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, rng) for item in value]
    return value


def _number(found: re.Match[str], rng: random.Random) -> str:
    return str(rng.randint(int(found[1]), int(found[2])))
