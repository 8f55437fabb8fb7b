"""Requests of one load, prepared before it starts, so that sending them costs nothing.

Apart from the users, because importing locust patches the whole process, and from the recorder,
because polars would delay the start of plain Locust.
"""

import functools
import random
from collections.abc import Sequence
from urllib.parse import urlsplit

from twinbench.plan import NO_CAPTURES, Captures, Rendered, Request, render

# Requests prepared for all users of a load together; then they repeat.
PREPARED = 4096

# Of the targets that take turns, for the next load on the same servers.
KEPT = 8

# Index into the scenario's requests, expected status, bytes to send.
PreparedRequest = tuple[int, int, bytes]


def prepare_requests(
    requests: Sequence[Request], host: str, seed: int, captures: Captures = NO_CAPTURES
) -> tuple[PreparedRequest, ...]:
    """Return the requests to `host` (a URL) that users send in order, drawn by weight.

    `captures` are the values of names in braces. Equal requests share their bytes, since uploads
    are big.
    """
    drawn_from = tuple(request.model_dump_json() for request in requests)
    return _prepared(drawn_from, urlsplit(host).netloc, seed, tuple(captures.items()))


@functools.lru_cache(maxsize=KEPT)
def _prepared(
    of: tuple[str, ...], netloc: str, seed: int, captured: tuple[tuple[str, str], ...]
) -> tuple[PreparedRequest, ...]:
    rng, captures = random.Random(seed), dict(captured)
    requests = [Request.model_validate_json(text) for text in of]
    weights = [request.weight for request in requests]
    payloads: dict[Rendered, bytes] = {}
    prepared = []
    for n in rng.choices(range(len(requests)), weights, k=PREPARED):
        rendered = render(requests[n], netloc, rng, captures)
        if rendered not in payloads:
            payloads[rendered] = rendered.whole
        prepared.append((n, requests[n].expect, payloads[rendered]))
    return tuple(prepared)
