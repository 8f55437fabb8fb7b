"""A server that does nothing but answer, and may freeze once."""

import time

from twinbench.calibrate.servers.log import Log
from twinbench.calibrate.servers.sockets import OK, PROBE, Sockets, answer


def serve(port: int, log: Log, freeze_after_s: float, freeze_s: float) -> None:
    """Answer for ever; `freeze_after_s` after the load began stand still for `freeze_s`, which is
    logged (0: never)."""
    sockets = Sockets(port)
    began_ns = 0
    freeze_ns = 0
    while True:
        for connection, data in sockets.arrived(None):
            answer(connection, OK)
            if not began_ns and PROBE not in data:
                began_ns = time.perf_counter_ns()
                freeze_ns = began_ns + int(freeze_after_s * 1e9)
                log.mark_first(began_ns)
        if freeze_s and began_ns and time.perf_counter_ns() >= freeze_ns:
            frozen_ns = time.perf_counter_ns()
            time.sleep(freeze_s)
            freeze_s = 0.0
            log.add((0, frozen_ns, time.perf_counter_ns(), 0))
