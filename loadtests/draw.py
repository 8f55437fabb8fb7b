"""The ring of requests that the users of one load walk: drawn ahead, so that sending costs nothing.

Apart from the users, because importing locust changes the whole process.
"""

import random
from collections.abc import Sequence
from urllib.parse import urlsplit

from twinbench.plan import NO_CAPTURES, Captures, Rendered, Request, render

# Requests drawn before a load begins, for all users together; then they come round again.
DRAWN_AHEAD = 4096

# Index into the scenario's requests, the status of a good answer, the bytes to send.
PreparedRequest = tuple[int, int, bytes]


def prepare_requests(
    requests: Sequence[Request], host: str, seed: int, captures: Captures = NO_CAPTURES
) -> tuple[PreparedRequest, ...]:
    """The requests to `host` (a URL) that users send, by weight and in order; `captures` are the
    values for names in braces. Equal requests share their bytes: uploads are big."""
    rng = random.Random(seed)
    netloc = urlsplit(host).netloc
    weights = [request.weight for request in requests]
    payloads: dict[Rendered, bytes] = {}
    drawn = []
    for n in rng.choices(range(len(requests)), weights, k=DRAWN_AHEAD):
        rendered = render(requests[n], netloc, rng, captures)
        if rendered not in payloads:
            payloads[rendered] = rendered.whole
        drawn.append((n, requests[n].expect, payloads[rendered]))
    return tuple(drawn)
