"""Item 5. Whoever stands still, server or generator: an open load tells it whole."""

from typing import NamedTuple

import numpy as np
import polars as pl

from twinbench.calibrate import NoEvidenceError
from twinbench.calibrate.evidence import NS_PER_MS, Evidence, Rows, Seen, ms
from twinbench.calibrate.plans import STALL_RATE, STALL_USERS
from twinbench.calibrate.theory import Values
from twinbench.calibrate.verdict import Judged, Known, at_most, between, within
from twinbench.findings import Check, Picture, Series

# After the stall the requests of a second come at once: some 200, at 0.05 ms each, and as much
# again for a machine that is busy otherwise.
CATCH_UP_MS = 25.0
OFF = 0.05  # of the number of requests; beside one more or less at each end of the stall
EVERY = 50  # of the closed load's thousands of quick answers, one in so many is drawn


class Stall(NamedTuple):
    """What happened from `began_ns` to `ended_ns`, and the requests meant to be sent then."""

    began_ns: int
    ended_ns: int
    rows: Rows

    @property
    def lasted_ms(self) -> float:
        return (self.ended_ns - self.began_ns) / NS_PER_MS

    @property
    def beyond(self) -> Values:
        """How much later than the end of the stall each was answered, ms."""
        return (self.rows["done_ns"].to_numpy() - self.ended_ns) / NS_PER_MS


def judge(evidence: Evidence) -> Judged:
    opened, closed = evidence.one("frozen_open"), evidence.one("frozen_closed")
    frozen = _frozen(evidence, opened)
    held_cell = evidence.one("held")
    hold = evidence.beside("hold")[0]
    held = _stall(held_cell, hold["began_ns"], hold["ended_ns"])
    checks = [
        *_slow(frozen, opened),
        *_hidden(_frozen(evidence, closed), closed),
        *_whole("server frozen, open load", frozen),
        *_whole("generator held, open load", held),
    ]
    return checks, _picture(frozen, opened, _frozen(evidence, closed), closed)


def _frozen(evidence: Evidence, cell: Seen) -> Stall:
    log = evidence.log("frozen", cell)
    if log.is_empty():
        raise NoEvidenceError(f"{cell.record.label}: the server never froze")
    freeze = log.row(0, named=True)
    return _stall(cell, freeze["began_ns"], freeze["ended_ns"])


def _stall(cell: Seen, began_ns: int, ended_ns: int) -> Stall:
    meant = pl.col("intended_ns").is_between(began_ns, ended_ns, closed="left")
    return Stall(began_ns, ended_ns, cell.rows.filter(meant))


def _whole(what: str, stall: Stall) -> list[Check]:
    """All that were meant to be sent are there, and each is told to have waited to the end."""
    due = STALL_RATE * stall.lasted_ms / 1e3
    beyond = stall.beyond if len(stall.rows) else np.array([-stall.lasted_ms])
    return [
        within(f"{what}: requests meant meanwhile", "", len(stall.rows), due, share=OFF, reach=2),
        at_most(f"{what}: answered after its end, first", "ms", beyond.min(), CATCH_UP_MS),
        at_most(f"{what}: answered after its end, last", "ms", beyond.max(), CATCH_UP_MS),
    ]


def _slow(stall: Stall, cell: Seen) -> list[Check]:
    """Constant arrivals: half of those meant meanwhile wait for more than half of it."""
    lasted = stall.lasted_ms
    response = ms(cell.rows, "done_ns", "intended_ns")
    slow = int((response > lasted / 2).sum())
    due = STALL_RATE * lasted / 2e3
    # Who came shortly before the half waits for more than it while the others are answered.
    reach = 2 + STALL_RATE * CATCH_UP_MS / 1e3
    bounds = (lasted - 2e3 / STALL_RATE, lasted + CATCH_UP_MS)
    return [
        within("open load: requests above half the freeze", "", slow, due, share=OFF, reach=reach),
        between("open load: longest response", "ms", response.max(), lasted, bounds),
    ]


def _hidden(stall: Stall, cell: Seen) -> list[Check]:
    """A closed load stands still with its server: only the one request of each user tells."""
    response = ms(cell.rows, "done_ns", "intended_ns")
    slow = int((response > stall.lasted_ms / 2).sum())
    p99 = float(np.percentile(response, 99))
    return [
        within("closed load: requests that saw the freeze", "", slow, STALL_USERS),
        at_most("closed load: p99", "ms", p99, stall.lasted_ms / 20),
    ]


def _picture(frozen: Stall, opened: Seen, also: Stall, closed: Seen) -> Picture:
    return Picture(
        title="A freeze of the server, as two loads tell it",
        x_label="meant to be sent (s after the freeze began)",
        y_label="response (ms)",
        series=[
            _points(f"open, {STALL_RATE} requests/s", frozen, opened.rows),
            _points(f"closed, {STALL_USERS} users", also, _thinned(closed.rows)),
            Series(
                name="theory",
                kind="line",
                x=[0.0, 0.0, frozen.lasted_ms / 1e3],
                y=[0.0, frozen.lasted_ms, 0.0],
            ),
        ],
    )


def _thinned(rows: Rows) -> Rows:
    slow = (pl.col("done_ns") - pl.col("intended_ns")) > 20 * NS_PER_MS
    return rows.filter(slow | (pl.int_range(pl.len()) % EVERY == 0))


def _points(name: str, stall: Stall, rows: Rows) -> Series:
    since_s = (rows["intended_ns"].to_numpy() - stall.began_ns) / 1e9
    response = ms(rows, "done_ns", "intended_ns")
    return Series(name=name, kind="points", x=list(since_s.round(4)), y=list(response.round(3)))


KNOWN = Known(
    5,
    "server frozen, generator held",
    judge,
    "Stalls are hidden or misdated: high percentiles of open loads are wrong here; report this as"
    " an error of twinbench.",
    headline=4,
)
