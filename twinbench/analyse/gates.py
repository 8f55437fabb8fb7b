"""Which cells count. A gate that fails voids its cell, in words that say what to do about it.

A collapse is not a failed gate but a result: the server stopped answering.
"""

from collections.abc import Iterable

import polars as pl

from twinbench.analyse.results import CellResult
from twinbench.plan import Plan
from twinbench.store import CellRecord

MOST_ERRORS = 0.001  # share of wrong answers
MOST_GENERATOR_CPU = 0.8  # above it the generator, not the server, may set the figure
# Little's law, N = throughput x latency: further off, the window was not a steady state.
LITTLE_OFF = 0.1
# Of the best throughput at a lower load: below it the server answers only now and then.
COLLAPSED_SHARE = 0.1


def judge(cell: CellResult, record: CellRecord, errors: pl.Series, plan: Plan) -> None:
    """Set status and reasons of `cell`; `errors` are the reasons of its wrong answers."""
    if record.outcome == "lost":
        cell.status, cell.reasons = "void", [record.reason]
        return
    if record.outcome == "collapsed":
        cell.status = "collapsed"
        cell.reasons = [
            f"no answer for {plan.collapse_s:g} s while {record.unanswered} requests were in flight"
        ]
        return
    void = list(_void(cell, errors))
    cell.status = "void" if void else "valid"
    cell.reasons = void + list(_cautions(cell, record))


def mark_collapses(cells: Iterable[CellResult]) -> None:
    """Mark cells with next to no good answers beside a lower load of the same server: those who
    answer with errors alone among them."""
    best: dict[tuple[int, str, str], float] = {}
    for cell in sorted(cells, key=lambda cell: cell.load.value):
        if not cell.requests or cell.status == "collapsed":
            continue
        key = (cell.block, cell.scenario, cell.target)
        if cell.throughput_rps < COLLAPSED_SHARE * best.get(key, 0.0):
            cell.status = "collapsed"
            cell.reasons = [
                f"{cell.throughput_rps:.0f} good answers a second,"
                f" less than a tenth of the {best[key]:.0f} at a lower load"
            ]
        if cell.status == "valid":
            best[key] = max(best.get(key, 0.0), cell.throughput_rps)


def _void(cell: CellResult, errors: pl.Series) -> Iterable[str]:
    if not cell.requests:
        yield "no answer at all in the window: lengthen measure_s"
    elif cell.errors / cell.requests > MOST_ERRORS:
        most = errors.value_counts(sort=True).row(0)[0]
        yield (
            f"{cell.errors} of {cell.requests} answers were wrong, most of them '{most}':"
            " see what the app says to these requests"
        )
    if cell.generator.cpu > MOST_GENERATOR_CPU:
        yield (
            f"the load generator used {cell.generator.cpu:.0%} of its core and may have been"
            " the limit: lower the load or give it a faster core"
        )


def _cautions(cell: CellResult, record: CellRecord) -> Iterable[str]:
    if record.users_unserved:
        yield f"{record.users_unserved} users had had no answer when the window began"
    if not record.drained:
        yield "the server was still busy after the last answer, and was replaced"
    if cell.latency_ms.mean is None:
        return
    in_flight = cell.throughput_rps * cell.latency_ms.mean / 1e3
    if abs(in_flight / cell.load.value - 1) > LITTLE_OFF:
        yield (
            f"not a steady state: throughput x latency is {in_flight:.0f}"
            f" with {cell.load.value} users"
        )
