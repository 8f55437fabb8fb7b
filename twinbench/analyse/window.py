"""Which requests of a cell count, and how many were under way: its records as arrays."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twinbench.plan import LoadKind, Scenario
from twinbench.store import CellRecord

NS_PER_MS = 1e6
Stamps = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Window:
    """All requests of a cell, warm-up included, and its measuring window. A stamp of 0: it did
    not come to that."""

    kind: LoadKind
    begin_ns: int
    end_ns: int
    intended_ns: Stamps
    sent_ns: Stamps
    done_ns: Stamps
    good: Marks
    background: Marks

    @classmethod
    def of(cls, record: CellRecord, requests: pl.DataFrame, scenario: Scenario) -> Self:
        begin_ns, end_ns = record.window_ns
        background = [n for n, request in enumerate(scenario.requests) if request.background]
        return cls(
            record.load.kind,
            begin_ns,
            end_ns,
            intended_ns=requests["intended_ns"].to_numpy(),
            sent_ns=requests["sent_ns"].to_numpy(),
            done_ns=requests["done_ns"].to_numpy(),
            good=(requests["error"] == "").to_numpy(),
            background=requests["request"].is_in(background).to_numpy(),
        )

    @property
    def length_ns(self) -> int:
        return self.end_ns - self.begin_ns

    @property
    def population(self) -> Marks:
        """Which requests count. Closed: good answers that arrived inside the window. Open: good
        answers, whenever they came, to what was meant to be sent inside it: a stall at its end
        delays answers past the end, and would otherwise not be seen."""
        if self.kind == "closed":
            return self.arrived
        return self.good & self.inside(self.intended_ns)

    @property
    def timed(self) -> Marks:
        """Whose latencies count: `population` without neighbours."""
        return self.population & ~self.background

    @property
    def wrong(self) -> Marks:
        """The errors that count: since the window began (closed), or of what was meant to be
        sent inside it (open)."""
        if self.kind == "closed":
            return ~self.good & (self.done_ns >= self.begin_ns)
        return ~self.good & self.inside(self.intended_ns)

    @property
    def arrived(self) -> Marks:
        """Good answers that arrived inside the window."""
        return self.good & self.inside(self.done_ns)

    def answered(self, edges_ns: np.ndarray) -> np.ndarray:
        """How many good answers were given between one edge and the next: throughput. Open: those
        that arrived. Closed: of each the share of [sent, done] that lies between the edges.

        Users of a closed load wait in step, and counting arrivals would count whole waves: four
        whose answers take 0.7 s have four or eight in a second, the same in every block. Over a
        long time the two are one.
        """
        sent_ns, done_ns = self.sent_ns[self.good], self.done_ns[self.good]
        given = []
        for edge_ns in edges_ns:
            arrived = np.count_nonzero(done_ns < edge_ns)
            under_way = (sent_ns < edge_ns) & (done_ns >= edge_ns)
            under_way &= self.kind == "closed"
            sent = sent_ns[under_way]
            parts = (edge_ns - sent) / (done_ns[under_way] - sent)
            given.append(arrived + parts.sum())
        return np.diff(given)

    def inside(self, stamps_ns: Stamps) -> Marks:
        return (stamps_ns >= self.begin_ns) & (stamps_ns < self.end_ns)

    @property
    def in_flight(self) -> float:
        """How many requests were under way on average: of each, warm-up and unanswered ones
        included, the part of [sent, done] that lies inside the window."""
        sent = self.sent_ns > 0
        done = np.where(self.done_ns > 0, self.done_ns, self.end_ns)
        begun = np.maximum(self.sent_ns, self.begin_ns)
        overlap = np.minimum(done, self.end_ns) - begun
        return float(overlap.clip(0)[sent].sum() / self.length_ns) if self.length_ns else 0.0

    def in_flight_at(self, moments: int) -> np.ndarray:
        """How many requests had been meant to be sent and had no answer yet, at so many moments
        evenly spread over the window."""
        at = np.linspace(self.begin_ns, self.end_ns, moments, endpoint=False)
        done = np.where(self.done_ns > 0, self.done_ns, self.end_ns)
        came = np.searchsorted(np.sort(self.intended_ns), at, side="right")
        left = np.searchsorted(np.sort(done), at, side="right")
        return (came - left).astype(float)
