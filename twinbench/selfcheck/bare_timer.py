"""Lag of a bare timer loop: `python bare_timer.py RATE SECONDS SEED`.

Sleeps until each of its Poisson arrivals and prints how late each wake-up was, in nanoseconds, as
JSON. On the generator's cores this is the floor of the generator's own lag. Standard library only.
"""

import gc
import json
import random
import sys
import time


def lags_ns(rate: float, seconds: float, seed: int) -> list[int]:
    """Return the lag of each wake-up.

    `time.sleep` is clock_nanosleep to an absolute time (Python 3.11): nothing is more exact.
    """
    rng = random.Random(seed)
    begin_ns = time.perf_counter_ns()
    due_s, lags = 0.0, []
    while (due_s := due_s + rng.expovariate(rate)) < seconds:
        due_ns = begin_ns + int(due_s * 1e9)
        if (left_ns := due_ns - time.perf_counter_ns()) > 0:
            time.sleep(left_ns / 1e9)
        lags.append(time.perf_counter_ns() - due_ns)
    return lags


if __name__ == "__main__":
    gc.disable()
    found = lags_ns(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(found))
