"""Requests of one load, prepared before it starts, so that sending them costs nothing.

Apart from the users, because importing locust patches the whole process, and from the recorder,
because polars would delay the start of plain Locust.
"""

import random
from collections.abc import Sequence
from urllib.parse import urlsplit

from twinbench.plan import NO_CAPTURES, Captures, Rendered, Request, render

# Requests prepared for all users of a load together; then they repeat.
PREPARED = 4096

# Index into the scenario's requests, expected status, bytes to send.
PreparedRequest = tuple[int, int, bytes]


def prepare_requests(
    requests: Sequence[Request], host: str, seed: int, captures: Captures = NO_CAPTURES
) -> tuple[PreparedRequest, ...]:
    """Return the requests to `host` (a URL) that users send in order, drawn by weight.

    `captures` are the values of names in braces. Equal requests share their bytes, since uploads
    are big.
    """
    rng = random.Random(seed)
    netloc = urlsplit(host).netloc
    weights = [request.weight for request in requests]
    payloads: dict[Rendered, bytes] = {}
    prepared = []
    for n in rng.choices(range(len(requests)), weights, k=PREPARED):
        rendered = render(requests[n], netloc, rng, captures)
        if rendered not in payloads:
            payloads[rendered] = rendered.whole
        prepared.append((n, requests[n].expect, payloads[rendered]))
    return tuple(prepared)
