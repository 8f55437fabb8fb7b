"""All items of a calibration folder: what it found."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from twinbench.calibrate import NoEvidenceError, mutations
from twinbench.calibrate.beside import has_wrk
from twinbench.calibrate.evidence import Evidence, Seen, ms
from twinbench.calibrate.items import (
    answers,
    arrivals,
    delays,
    headroom,
    planted,
    queues,
    stalls,
    synthetic,
    wrk,
)
from twinbench.calibrate.verdict import Known, judged, skipped
from twinbench.findings import Calibration, Floor, Item
from twinbench.plan import Load
from twinbench.store import now

LIVE: tuple[Known, ...] = (
    delays.KNOWN,
    queues.SERIAL_QUEUE,
    queues.POOL,
    stalls.KNOWN,
    planted.KNOWN,
    arrivals.KNOWN,
    headroom.KNOWN,
    answers.KNOWN,
)
SHORT: tuple[Known, ...] = (synthetic.KNOWN, delays.KNOWN, arrivals.LAG, headroom.KNOWN)
Form = Literal["short", "full"]


def full(evidence: Evidence, started: datetime) -> Calibration:
    """All eleven."""
    live = [*LIVE, wrk.KNOWN] if has_wrk() else list(LIVE)
    items = [judged(known, evidence) for known in live]
    if not has_wrk():
        items.append(skipped(wrk.KNOWN.number, wrk.NAME, wrk.NOT_THERE))
    noticed = mutations.judge(live, items, evidence)
    return _found("full", [judged(synthetic.KNOWN, evidence), *items, noticed], evidence, started)


def short(evidence: Evidence, started: datetime) -> Calibration:
    items = [judged(known, evidence) for known in SHORT]
    return _found("short", items, evidence, started)


def _found(form: Form, items: Sequence[Item], evidence: Evidence, started: datetime) -> Calibration:
    return Calibration(
        form=form,
        started=started.isoformat(timespec="seconds"),
        took_s=round((now() - started).total_seconds(), 1),
        floor=_floor(evidence),
        capacity_rps=round(headroom.capacity_rps(evidence)),
        items=list(items),
    )


def _floor(evidence: Evidence) -> Floor:
    alone: Seen = evidence.one("limits", Load("closed", 1))
    latency = ms(alone.in_window, "done_ns", "intended_ns")
    lag = np.concatenate([np.array(lags) / 1e6 for lags in evidence.beside("timer")])
    return Floor(
        latency_p50_ms=_round(latency, 50),
        latency_p99_ms=_round(latency, 99),
        lag_p50_ms=_round(lag, 50),
        lag_p99_ms=_round(lag, 99),
    )


def _round(values_ms: np.ndarray, p: int) -> float:
    return round(float(np.percentile(values_ms, p)), 4)


def main() -> None:
    """Print what the short form finds in a folder, as JSON (short.py)."""
    folder, started = sys.argv[1:]
    try:
        found = short(Evidence(Path(folder)), datetime.fromisoformat(started))
    except NoEvidenceError as missing:
        sys.exit(str(missing))
    sys.stdout.write(found.model_dump_json())


if __name__ == "__main__":
    main()
