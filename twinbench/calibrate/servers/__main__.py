"""`python -m twinbench.calibrate.servers PORT LOG_FOLDER KIND [NUMBER...]`; ended by SIGTERM.

null | frozen AFTER_S FOR_S | delay (as the path asks) | waiting MS | erring EVERY
| queue PLACES SERVICE MEAN_MS SEED
"""

import gc
import signal
import sys
from pathlib import Path

from twinbench.calibrate.servers import draws, fast
from twinbench.calibrate.servers.log import Log
from twinbench.calibrate.servers.station import Draw, Station

UNLIMITED = 1_000_000  # places: more than there are connections
SEED = 7  # of what shall differ within a server, not between servers


def serve(port: int, log: Log, kind: str, numbers: list[str]) -> None:
    if kind in ("null", "frozen"):
        after_s, for_s = (float(number) for number in numbers or ("0", "0"))
        fast.serve(port, log, after_s, for_s)
    places, draw = _station(kind, numbers)
    Station(port, places, draw, log).run()


def _station(kind: str, numbers: list[str]) -> tuple[int, Draw]:
    if kind == "queue":
        places, service, mean_ms, seed = numbers
        return int(places), draws.drawn(service, float(mean_ms) / 1e3, int(seed))
    if kind == "erring":
        return UNLIMITED, draws.erring(int(numbers[0]), SEED)
    return UNLIMITED, draws.asked_for(SEED, float(numbers[0]) if numbers else 0.0)


def main() -> None:
    port, folder, kind, *numbers = sys.argv[1:]
    log = Log(Path(folder))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gc.disable()  # nothing here refers to itself; a collection would be a pause nobody logged
    try:
        serve(int(port), log, kind, numbers)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one shall not cut the log short
        log.write()


if __name__ == "__main__":
    main()
