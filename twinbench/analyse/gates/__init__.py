"""Which cells count. A gate that fails invalidates its cell, in words that say what to do about it.

Every limit stands with its reason beside it in the module of its family.
"""

from collections.abc import Iterable, Sequence

from twinbench.analyse.gates import answers, arrivals, steady
from twinbench.analyse.gates.collapses import mark_collapses
from twinbench.analyse.gates.evidence import Gate, GateInput
from twinbench.analyse.gates.machine import invalidate_contended
from twinbench.analyse.results import CellResult
from twinbench.plan import LoadKind

__all__ = ["GateInput", "judge", "judge_together"]

CLOSED: tuple[LoadKind, ...] = ("closed",)
OPEN: tuple[LoadKind, ...] = ("open",)
BOTH = CLOSED + OPEN

# The deeper reason first: what is dropped or piles up also goes wrong.
GATES: tuple[tuple[Gate, tuple[LoadKind, ...]], ...] = (
    (answers.none_at_all, BOTH),
    (arrivals.censored, OPEN),
    (steady.backlog, OPEN),
    (answers.wrong, BOTH),
    (answers.busy_generator, BOTH),
    (arrivals.short_of_rate, OPEN),
    (arrivals.late, OPEN),
    (steady.little, CLOSED),
    (steady.trend, CLOSED),
    (steady.busy_afterwards, BOTH),
)


def judge(seen: GateInput) -> None:
    """Set status and reasons of a cell by what is known of it alone."""
    cell, record = seen.cell, seen.record
    if record.outcome == "lost":
        cell.status, cell.reasons = "invalid", [record.reason]
        return
    if record.outcome == "collapsed":
        cell.status = "collapsed"
        cell.reasons = [
            f"no answer for {seen.plan.collapse_s:g} s while {record.unanswered} requests"
            " were in flight",
            *record.remarks,
        ]
        return
    failed = [why for gate, kinds in GATES if record.load.kind in kinds and (why := gate(seen))]
    cell.status = "invalid" if failed else "valid"
    cell.reasons = failed + list(_remarks(seen))


def judge_together(cells: Sequence[CellResult]) -> None:
    """What is seen only beside the other cells of the run. Collapses first: they are results."""
    mark_collapses(cells)
    invalidate_contended(cells)


def _remarks(seen: GateInput) -> Iterable[str]:
    """What a reader should know, and what invalidates nothing."""
    yield from seen.record.remarks
    if unserved := seen.record.users_unserved:
        users = "user" if unserved == 1 else "users"
        yield f"{unserved} {users} had had no answer when the window began"
    if seen.record.load.kind == "open" and (why := arrivals.late_without_floor(seen)):
        yield why
