"""What a target lacked: sentences about CPU, threads, connections, the loop and memory, from curves
and cells."""

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from statistics import median
from typing import NamedTuple

from twinbench.analyse.results import CellResult, Curve, Results
from twinbench.plan import LoadKind
from twinbench.report import style
from twinbench.report.kinds import EVERYWHERE, kinds_of, span
from twinbench.report.sentences import listed, stretch

# Who waits for a thread finds all of them taken: the most in use are then all there are. Who waits
# for a connection may wait for it to be opened.
IN_USE = {"threads": "{0} of {0} threads", "connections": "{0} connections"}
# Share of a core above which a server is at its limit; 1.00 is never quite read.
FULL_CORE = 0.95
# A loop that is later than this is felt by people; an idle one is late by less than one.
LATE_MS = 10.0
# In MiB; what less would cost is not worth a sentence.
MUCH_MEMORY = 200.0
# So many times the least of the others': what one can call another order, and noise is not.
CLEARLY = 2.0


class Seen(NamedTuple):
    """A figure of one target at one load: the median of its valid cells that have it."""

    target: str
    load: int
    value: float


def causes(results: Results, scenario: str) -> list[str]:
    """For each kind of load: from where on somebody had no CPU left, and who waited for what."""
    said = []
    for kind in kinds_of(results, scenario):
        curves = results.curves_of(scenario, kind)
        cells = {curve.target: results.cells_of(curve) for curve in curves}
        said += [sentence for curve in curves for sentence in _cost(curve)]
        said += [sentence for c in curves for sentence in _waits(c, cells[c.target])]
        said += [sentence for c in curves for sentence in _deadlock(c, cells[c.target])]
        said += _late(kind, cells)
        said += _memory(kind, cells)
    return said


def _cost(curve: Curve) -> Iterable[str]:
    """From which load on a server has no CPU left: then the cost of a request decides."""
    used = [point for point in curve.points if point.server_cpu is not None]
    full = list(takewhile(lambda p: (p.server_cpu or 0) > FULL_CORE, reversed(used)))
    if full:
        cost = style.number(full[-1].server_cpu_ms)
        since = f"from {span(curve.load_kind, [full[-1].value])} on"
        where = since if full != used[::-1] else EVERYWHERE[curve.load_kind]
        yield f"{curve.target} fills its core {where}, at {cost} ms of CPU a request."


def _waits(curve: Curve, cells: Sequence[CellResult]) -> Iterable[str]:
    """At the highest load at which somebody waited: for what, and how many."""
    seen = [cell for cell in cells if cell.status != "void"]
    lacking = {name: [cell for cell in seen if _lacks(cell, name)] for name in IN_USE}
    load = max((cell.load.value for own in lacking.values() for cell in own), default=None)
    found = [
        f"{form.format(_most(there, f'{name}_used_max'))} in use, up to"
        f" {_most(there, f'{name}_waiting_max')} waiting for one"
        for name, form in IN_USE.items()
        if (there := [cell for cell in lacking[name] if cell.load.value == load])
    ]
    if load and found:
        yield f"{curve.target} at {span(curve.load_kind, [load])}: {', '.join(found)}."


def _deadlock(curve: Curve, cells: Sequence[CellResult]) -> Iterable[str]:
    """Where it stopped answering, and every cell that did shows why: each thread waits for a
    connection, so that whoever has one gets no thread to go on and give it back."""
    fallen = [cell for cell in cells if cell.status == "collapsed"]
    stuck = [cell for cell in fallen if _stuck(cell)]
    moving = {cell.load for cell in fallen if not _stuck(cell)}
    loads = sorted({cell.load.value for cell in stuck if cell.load not in moving})
    if there := [cell for cell in stuck if cell.load.value in loads]:
        where = stretch(curve.load_kind, [point.value for point in curve.points], loads)
        yield (
            f"{curve.target} {where}: all {_most(there, 'threads_used_max')} threads wait for one"
            f" of {_most(there, 'connections_used_max')} connections, and those who hold one wait"
            " for a thread: nothing moves."
        )


def _stuck(cell: CellResult) -> bool:
    threads, connections = cell.threads_used_max, cell.connections_used_max
    callers = cell.connections_waiting_max or 0
    return bool(threads and connections and callers >= threads and cell.threads_waiting_max)


def _lacks(cell: CellResult, name: str) -> bool:
    """Whether somebody waited because others had them all. Where each user has one, whoever waits
    waits for his own to be opened."""
    used, waiting = getattr(cell, f"{name}_used_max"), getattr(cell, f"{name}_waiting_max")
    enough = cell.load.kind == "closed" and (used or 0) >= cell.load.value
    return bool(waiting) and not enough


def _most(cells: Iterable[CellResult], field: str) -> int:
    return max(getattr(cell, field) or 0 for cell in cells)


def _late(kind: LoadKind, cells: dict[str, list[CellResult]]) -> Iterable[str]:
    """Whose loop is late, and clearly later than the other's, at the highest load where it is."""
    seen = _seen(cells, lambda cell: cell.loop_lag_p99_ms)
    for late, others in _striking(seen, LATE_MS):
        than = "".join(f"; that of {other.target} {_ms(other.value)}" for other in others)
        yield (
            f"The event loop of {late.target} comes {_ms(late.value)} late to its timers at"
            f" {span(kind, [late.load])} (p99){than}."
        )


def _memory(kind: LoadKind, cells: dict[str, list[CellResult]]) -> Iterable[str]:
    """Who takes clearly more memory than the other, at the highest load where it does."""
    seen = _seen(cells, lambda cell: cell.server_memory_mib or None)
    for large, others in _striking(seen, MUCH_MEMORY):
        if others:
            than = listed([f"{other.target} {_mib(other.value)}" for other in others])
            at = span(kind, [large.load])
            yield f"{large.target} takes {_mib(large.value)} of memory at {at}; {than}."


def _seen(
    cells: dict[str, list[CellResult]], figure: Callable[[CellResult], float | None]
) -> dict[int, list[Seen]]:
    """By load, from the highest: the figure of each target of which it is known."""
    loads = sorted({cell.load.value for own in cells.values() for cell in own}, reverse=True)
    found: dict[int, list[Seen]] = {}
    for load in loads:
        found[load] = []
        for target, own in cells.items():
            there = [c for c in own if c.load.value == load and c.status == "valid"]
            if known := [value for c in there if (value := figure(c)) is not None]:
                found[load].append(Seen(target, load, median(known)))
    return found


def _striking(seen: dict[int, list[Seen]], least: float) -> Iterable[tuple[Seen, list[Seen]]]:
    """The largest figure, and the others, at the first load at which all are known, and it is
    `least` above the least of them and `CLEARLY` times that; of one target alone, `least`."""
    targets = max(map(len, seen.values()), default=0)
    for there in seen.values():
        if not there or len(there) < targets:
            continue
        largest, *others = sorted(there, key=lambda one: one.value, reverse=True)
        low = others[-1].value if others else 0.0
        if largest.value - low >= least and largest.value >= CLEARLY * low:
            yield largest, others
            return


def _ms(value: float) -> str:
    return f"{style.number(value)} ms"


def _mib(value: float) -> str:
    return f"{style.number(value)} MiB"
