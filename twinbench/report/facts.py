"""Key facts of a scenario: what each target could do, what limited it, where it failed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from twinbench.analyse.gates.answers import MOST_ERRORS
from twinbench.analyse.results import CellResult, Curve, Results
from twinbench.plan import LoadKind
from twinbench.report.elements import Table
from twinbench.report.format import MISSING, loads_text, number, stretch
from twinbench.report.pairs import title
from twinbench.text import count

HEADINGS: dict[LoadKind, str] = {
    "closed": "Closed loads: users who each wait for their response",
    "open": "Open loads: requests sent at a fixed rate",
}
# Share of its cores above which a server is limited by CPU; all of them is never quite read.
FULL_CPU = 0.9
POOLS = ("threads", "connections")


def key_facts(
    results: Results, section: str, titles: Sequence[str], curves: Sequence[Curve]
) -> Table:
    """A row for each fact that is known of a target, a column for each of `curves`."""
    slo = f"p99 within {results.plan.slo_ms:g} ms"
    cores = max(1, len(results.machine.server_cores))
    columns = []
    for curve in curves:
        cells = results.cells_of(curve)
        facts = {
            "Peak requests/s": _peak(curve),
            slo: _objective(curve),
            "Limited by": _limits(cells, cores),
            "CPU per request": _cpu(curve),
            "Event-loop lag, p99": _at_highest(cells, "loop_lag_p99_ms", "ms"),
            "Memory": _at_highest(cells, "server_memory_mib", "MiB"),
            "Collapsed": _collapses(curve),
            "Errors": _wrong(cells),
            "Predicted, measured": _prediction(curve),
        }
        columns.append(facts)
    rows = (
        (name, *(column[name] or MISSING for column in columns))
        for name in columns[0]
        if any(column[name] for column in columns)
    )
    heading = HEADINGS[curves[0].load_kind]
    return Table(f"facts-{section}", heading, ("", *titles), tuple(rows))


def collapsed_loads(curve: Curve) -> list[int]:
    """Return the loads at which the server collapsed in half of the blocks or more."""
    return [p.value for p in curve.points if p.collapsed and p.collapsed >= p.blocks]


def wrong_share(cell: CellResult) -> float:
    """Return the share of wrong responses, where it is beyond what the gate allows; else 0."""
    found = cell.errors / cell.requests if cell.requests else 0.0
    return found if cell.status == "invalid" and found > MOST_ERRORS else 0.0


def deadlocked(cell: CellResult) -> bool:
    """Return whether each thread waits for a connection, and its holders for a thread."""
    threads, connections = cell.threads_used_max, cell.connections_used_max
    callers = cell.connections_waiting_max or 0
    return bool(threads and connections and callers >= threads and cell.threads_waiting_max)


def failures(results: Results, curve: Curve) -> Iterable[str]:
    """Return from which load a target collapses or responds with errors."""
    name, cells = title(results.plan.target(curve.target)), results.cells_of(curve)
    fallen = [cell for cell in cells if cell.status == "collapsed"]
    collapses = "deadlocks" if fallen and all(map(deadlocked, fallen)) else "collapses"
    found = {collapses: fallen, "errors": [cell for cell in cells if wrong_share(cell)]}
    for what, own in found.items():
        blocks = Counter(cell.load.value for cell in own)
        total = Counter(cell.load.value for cell in cells)
        tried = [point.value for point in curve.points]
        loads = [load for load in tried if blocks[load] and 2 * blocks[load] >= total[load]]
        if loads and loads == tried[-len(loads) :]:
            yield f"{name} {what} from {loads_text(curve.load_kind, loads[:1])}"
        elif loads:
            yield f"{name} {what} {stretch(curve.load_kind, tried, loads)}"
        elif own:
            load = min(blocks)
            share_of = f"{blocks[load]} of {count(total[load], 'block')}"
            yield f"{name} {what} in {share_of} at {loads_text(curve.load_kind, [load])}"


def _limits(cells: Sequence[CellResult], cores: int) -> str:
    """Return what was used up at the highest load that has a result."""
    seen = [cell for cell in cells if cell.status != "invalid"]
    if not seen:
        return ""
    # Of a load with few results nothing is certain.
    counts, total = (Counter(cell.load.value for cell in group) for group in (seen, cells))
    load = max((n for n in counts if 2 * counts[n] >= total[n]), default=max(counts))
    there = [cell for cell in seen if cell.load.value == load]
    fallen = [cell for cell in there if cell.status == "collapsed"]
    if fallen and all(map(deadlocked, fallen)):
        threads, connections = (_most(fallen, f"{name}_used_max") for name in POOLS)
        return f"deadlock: {threads} threads wait for {connections} connections"
    used = [cell.server_cpu for cell in there if cell.server_cpu is not None]
    cpu = f"CPU {100 * median(used) / cores:.0f} %" if used else ""
    found = [cpu] if used and median(used) >= FULL_CPU * cores else []
    pools = {name: _exhausted(there, name) for name in POOLS}
    found += [f"{name} {most}/{most}" for name, most in pools.items() if most]
    text = ", ".join(found) or f"not saturated{f' ({cpu})' if cpu else ''}"
    return f"{text} at {loads_text(there[0].load.kind, [load])}"


def _peak(curve: Curve) -> str:
    """Return the capacity; at the edge of the loads that have a result, it is the least."""
    if not (best := curve.capacity):
        return ""
    at = loads_text(curve.load_kind, [best.value])
    return f"{'≥ ' * best.at_edge}{number(best.throughput_rps.estimate)} at {at}"


def _objective(curve: Curve) -> str:
    """Up to which load the SLO is met."""
    if not (met := curve.objective):
        return ""
    if met.value is None:
        return "not known" if met.until == "not known" else "at no load"
    return f"up to {loads_text(curve.load_kind, [met.value])}"


def _cpu(curve: Curve) -> str:
    """At the highest load at which it is known."""
    for point in reversed(curve.points):
        if point.server_cpu_ms is not None:
            at = loads_text(curve.load_kind, [point.value])
            return f"{number(point.server_cpu_ms)} ms at {at}"
    return ""


def _at_highest(cells: Sequence[CellResult], field: str, unit: str) -> str:
    """Return the median of the valid cells at the highest load at which it is known."""
    known = [
        (cell.load.value, value)
        for cell in cells
        if cell.status == "valid" and (value := getattr(cell, field))
    ]
    if not known:
        return ""
    load = max(known)[0]
    middle = median(value for at, value in known if at == load)
    return f"{number(middle)} {unit} at {loads_text(cells[0].load.kind, [load])}"


def _collapses(curve: Curve) -> str:
    """In how many blocks at which loads; loads with the same share together."""
    loads: dict[str, list[int]] = {}
    for point in curve.points:
        if point.collapsed:
            blocks = f"{point.collapsed} of {point.collapsed + point.blocks} blocks"
            loads.setdefault(blocks, []).append(point.value)
    return "; ".join(
        f"{blocks} at {loads_text(curve.load_kind, values)}" for blocks, values in loads.items()
    )


def _wrong(cells: Sequence[CellResult]) -> str:
    """Return the largest share of errors, and the loads at which there were some."""
    found = [(wrong_share(cell), cell.load.value) for cell in cells if wrong_share(cell)]
    if not found:
        return ""
    loads = sorted({load for _, load in found})
    return f"up to {100 * max(found)[0]:.2g} % at {loads_text(cells[0].load.kind, loads)}"


def _prediction(curve: Curve) -> str:
    """Return what threads or connections allow, beside the peak."""
    if not (curve.prediction and curve.capacity):
        return ""
    found = curve.prediction
    measured = number(curve.capacity.throughput_rps.estimate)
    held = f"{found.limit} {found.by} / {number(found.held_ms)} ms"
    return f"{held} = {number(found.rps)}/s, measured {measured}/s"


def _exhausted(cells: Sequence[CellResult], name: str) -> int:
    """Return how many were in use where requests waited for one; 0 where no limit was reached.

    As many in every block: else requests waited for a connection to be opened."""
    used = {getattr(cell, f"{name}_used_max") for cell in cells}
    waited = all(getattr(cell, f"{name}_waiting_max") for cell in cells)
    return (used.pop() or 0) if len(used) == 1 and waited else 0


def _most(cells: Sequence[CellResult], field: str) -> int:
    return max(getattr(cell, field) or 0 for cell in cells)
