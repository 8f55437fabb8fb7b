"""Gates on open loads: was sent what was meant to be sent, and when it was meant?"""

import numpy as np

from twinbench.analyse.gates.evidence import GateInput
from twinbench.analyse.window import NS_PER_MS

# A timer of the kernel wakes a process within 0.1 ms here; thrice that at the median is no longer
# the machine but a generator that cannot keep up.
MOST_LAG_P50_MS = 0.3
# A p99 that is late by less than a tenth of the p99 response cannot have made it.
LAG_OF_RESPONSE = 0.1
# What a self-check measures in a second moves by this factor between minutes on a shared machine,
# and a bare timer does nothing with an arrival: in a clump, each waits for those before it.
FLOOR_TIMES, CLUMP_MS = 3, 0.2
LEAST_OFFERED = 0.99  # of the scheduled rate: less is another load than the plan names
# A request or two meant for the window's last instant leave after it.
EDGE_REQUESTS = 3


def censored(seen: GateInput) -> str | None:
    """Those dropped would have been the slowest: what is left looks better than it was."""
    record = seen.record
    if not record.dropped:
        return None
    return (
        f"censored: {record.dropped:,} of {record.scheduled:,} arrivals were dropped because too"
        " many requests were in flight already; its latencies would look better than they"
        " were: lower the rate, or raise in_flight"
    )


def late(seen: GateInput) -> str | None:
    """Late at the median, or at p99 beyond what the machine itself is late by."""
    lag_ms = _lags_ms(seen)
    if not len(lag_ms):
        return None
    p50, p99 = np.percentile(lag_ms, [50, 99])
    if p50 > MOST_LAG_P50_MS:
        return (
            f"half of the requests were sent more than {p50:.2g} ms late"
            f" ({MOST_LAG_P50_MS} ms is allowed): lower the rate, or raise processes"
        )
    if seen.floor is None or not _tail_is_late(seen):
        return None
    floor_ms = seen.floor.lag_p99_ms
    most_ms = max(FLOOR_TIMES * floor_ms, floor_ms + CLUMP_MS)
    if p99 <= most_ms:
        return None
    return (
        f"one request in a hundred was sent more than {p99:.2g} ms late, above a tenth"
        f" of the p99 response and above {most_ms:.2g} ms (this machine is {floor_ms:.2g} ms late"
        " by itself): measure again when it is calm, or lower the rate"
    )


def late_without_floor(seen: GateInput) -> str | None:
    """Return a remark: without a self-check it is not known how late the machine is by itself."""
    if seen.floor is not None or not _tail_is_late(seen):
        return None
    return (
        f"one request in a hundred was sent more than {np.percentile(_lags_ms(seen), 99):.2g} ms"
        " late, above a tenth of the p99 response; whether that is this machine's floor,"
        " a self-check would show"
    )


def short_of_rate(seen: GateInput) -> str | None:
    meant = seen.record.scheduled - seen.record.dropped
    sent = int(seen.window.inside(seen.window.sent_ns).sum())
    if sent >= LEAST_OFFERED * meant or meant - sent <= EDGE_REQUESTS:
        return None
    return (
        f"only {sent:,} of {meant:,} requests were sent inside the window: the generator did not"
        " reach the rate; lower it, or raise processes"
    )


def _lags_ms(seen: GateInput) -> np.ndarray:
    """Of what was due in the window. A gate looks at however few there are."""
    window = seen.window
    sent = window.inside(window.intended_ns) & (window.sent_ns > 0)
    return (window.sent_ns[sent] - window.intended_ns[sent]) / NS_PER_MS


def _tail_is_late(seen: GateInput) -> bool:
    window = seen.window
    # Of those whose latencies are told: slow neighbours would hide a late generator.
    response_ms = (window.done_ns - window.intended_ns)[window.timed] / NS_PER_MS
    lag_ms = _lags_ms(seen)
    if not len(lag_ms) or not len(response_ms):
        return False
    lag, response = np.percentile(lag_ms, 99), np.percentile(response_ms, 99)
    return bool(lag > LAG_OF_RESPONSE * response)
