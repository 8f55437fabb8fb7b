"""Request by request: what was recorded beside what the server noted of it.

A server of ours takes requests in the order in which they were sent, so the nth sent is the nth
begun.
"""

from typing import NamedTuple

import numpy as np

from twinbench.calibrate.evidence import NS_PER_MS, Evidence, Seen, ms
from twinbench.calibrate.theory import Values
from twinbench.calibrate.verdict import within
from twinbench.findings import Check


class Matched(NamedTuple):
    """An array for each column, a row for each request of a cell, in ms."""

    request: Values  # index into the scenario's requests
    sent: Values
    response: Values  # done - intended
    exchange: Values  # done - sent
    service: Values  # as the server noted it, from its beginning to the answer
    in_window: Values


def counted(evidence: Evidence, cell: Seen) -> Check:
    """Every request that the server answered is recorded, and no other."""
    answered = len(evidence.log(cell.record.target, cell))
    return within(f"{cell.record.scenario}: requests recorded", "", len(cell.rows), answered)


def matched(evidence: Evidence, cell: Seen) -> Matched:
    """Row by row as far as both go; `counted` says whether they go equally far."""
    log = evidence.log(cell.record.target, cell)
    rows = cell.rows.sort("sent_ns")
    both = min(len(rows), len(log))
    rows, log = rows[:both], log[:both]
    begin, end = cell.record.window_ns
    in_window = rows["intended_ns"].is_between(begin, end, closed="left")
    return Matched(
        request=rows["request"].to_numpy(),
        sent=rows["sent_ns"].to_numpy() / NS_PER_MS,
        response=ms(rows, "done_ns", "intended_ns"),
        exchange=ms(rows, "done_ns", "sent_ns"),
        service=ms(log, "ended_ns", "began_ns"),
        in_window=in_window.to_numpy(),
    )


def medians(of: Matched, values: Values) -> Values:
    """The median of `values` for each of the scenario's requests."""
    kinds = np.unique(of.request)
    return np.array([np.median(values[of.request == kind]) for kind in kinds])
