"""The machine's own floor: how late a bare timer loop wakes up, on the generator's cores.

`python timer.py RATE SECONDS SEED` sleeps until each of its Poisson arrivals and prints how late
it was, in nanoseconds, as JSON. Standard library only: no load, no sockets, nothing of ours.
"""

import gc
import json
import random
import sys
import time


def lags_ns(rate: float, seconds: float, seed: int) -> list[int]:
    """`time.sleep` is clock_nanosleep to an absolute time (Python 3.11): the best there is."""
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
