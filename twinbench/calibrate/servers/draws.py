"""How long a request is to take, and how it is answered."""

import random
import re
from collections.abc import Callable

from twinbench.calibrate.servers.sockets import BROKEN, OK
from twinbench.calibrate.servers.station import Draw

MS_IN_PATH = re.compile(rb"ms=([0-9.]+)")
# Two points: three of four requests take half of the mean, the fourth two and a half times it.
# Its second moment is 1.75 times the mean's square: between a constant (1) and an exponential (2).
TWO_POINTS = (0.5, 0.5, 0.5, 2.5)


def asked_for(seed: int, always_ms: float = 0.0) -> Draw:
    """As many ms as the path says, or `always_ms`. The first request on a connection takes a
    random share more: users who begin together would otherwise come back together for ever, in
    bursts whose place in the window decides how many of them are counted."""
    rng = random.Random(seed)

    def draw(data: bytes, first: bool) -> tuple[float, int, bytes]:
        found = None if always_ms else MS_IN_PATH.search(data)
        takes_s = (float(found[1]) if found else always_ms) / 1e3
        return takes_s * (1 + rng.random() * first), 200, OK

    return draw


def drawn(service: str, mean_s: float, seed: int) -> Draw:
    """Services of the mean `mean_s`: `exponential`, `constant` or `two_points`."""
    rng = random.Random(seed)
    services: dict[str, Callable[[], float]] = {
        "exponential": lambda: rng.expovariate(1 / mean_s),
        "constant": lambda: mean_s,
        "two_points": lambda: mean_s * rng.choice(TWO_POINTS),
    }
    service_s = services[service]
    return lambda data, first: (service_s(), 200, OK)


def erring(every: int, seed: int) -> Draw:
    """As asked for, but each `every`th request fails at once."""
    inner, count = asked_for(seed), 0

    def draw(data: bytes, first: bool) -> tuple[float, int, bytes]:
        nonlocal count
        count += 1
        return (0.0, 500, BROKEN) if count % every == 0 else inner(data, first)

    return draw
