"""Key facts of a scenario: what each target served, what limited it, where it failed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from twinbench.analyse.curves import POOLS
from twinbench.analyse.gates import MAX_ERRORS
from twinbench.analyse.results import CellResult, CellStatus, Curve, Results
from twinbench.plan import LoadKind
from twinbench.report.elements import Table
from twinbench.report.format import MISSING, load_range, loads_text, number
from twinbench.report.pairs import title
from twinbench.store import Machine
from twinbench.text import count

CAPTIONS: dict[LoadKind, str] = {
    "closed": "Closed loads: users who each wait for their response",
    "open": "Open loads: requests sent at a fixed rate",
}
# Share of its cores above which a server is limited by CPU; all of them is never quite read.
FULL_CPU = 0.9
# Share of its active sessions above which waits inside the database limit it.
MOST_WAIT = 0.5
# Share of its core above which the generator's CPU time is mostly that of requests.
MOSTLY_REQUESTS = 0.1


def key_facts(results: Results, table_id: str, curves: Sequence[Curve]) -> Table:
    """Return a row for each fact that is known of a target, a column for each of `curves`."""
    columns = [_facts(results, curve) for curve in curves]
    rows = (
        (name, *(column[name] or MISSING for column in columns))
        for name in columns[0]
        if any(column[name] for column in columns)
    )
    header = ("", *(title(results.plan.target(curve.target)) for curve in curves))
    return Table(table_id, CAPTIONS[curves[0].load_kind], header, tuple(rows))


def _facts(results: Results, curve: Curve) -> dict[str, str]:
    """Return the facts of one target by their names, empty where they are not known."""
    cells, kind = results.cells_of(curve), curve.load_kind
    return {
        "Peak requests/s": _peak(curve),
        f"p99 within {results.plan.slo_ms:g} ms": _objective(curve),
        "Limited by": _limits(cells, results.machine),
        "CPU per request": _cpu(curve),
        "Event-loop lag, p99": _at_highest(cells, "loop_lag_p99_ms", "ms"),
        "Database": _database(cells),
        "Memory": _at_highest(cells, "server_memory_mib", "MiB"),
        "Collapsed": "; ".join(
            f"{share} blocks at {loads_text(kind, loads)}"
            for share, loads in collapse_shares(cells).items()
        ),
        "Errors": _errors(cells),
        "In flight": _in_flight(cells),
        "Requests sent by": _client(cells, results.plan.processes),
        "Predicted, measured": _prediction(curve),
    }


# Failures.


def status_cells(cells: Sequence[CellResult], status: CellStatus) -> list[CellResult]:
    return [cell for cell in cells if cell.status == status]


def blocks_by_load(cells: Sequence[CellResult]) -> Counter[int]:
    return Counter(cell.load.value for cell in cells)


def loads_of_most(some: Sequence[CellResult], cells: Sequence[CellResult]) -> list[int]:
    """Return the loads, ascending, at which `some` are half of all blocks in `cells` or more."""
    own, blocks = blocks_by_load(some), blocks_by_load(cells)
    return [load for load in sorted(own) if 2 * own[load] >= blocks[load]]


def collapse_shares(cells: Sequence[CellResult]) -> dict[str, list[int]]:
    """Return the loads with collapsed blocks by their share, such as `2 of 5`."""
    collapsed, blocks = blocks_by_load(status_cells(cells, "collapsed")), blocks_by_load(cells)
    found: dict[str, list[int]] = {}
    for load in sorted(collapsed):
        found.setdefault(f"{collapsed[load]} of {blocks[load]}", []).append(load)
    return found


def error_share(cell: CellResult) -> float:
    """Return the share of wrong responses, where it is beyond what the gate allows; else 0."""
    share = cell.errors / cell.requests if cell.requests else 0.0
    return share if cell.status == "invalid" and share > MAX_ERRORS else 0.0


def failures(results: Results, curve: Curve) -> Iterable[str]:
    """Yield from which load a target collapses, and from which it responds with errors."""
    name, kind = title(results.plan.target(curve.target)), curve.load_kind
    cells = results.cells_of(curve)
    collapsed, errors = status_cells(cells, "collapsed"), list(filter(error_share, cells))
    collapses = "deadlocks" if all(map(_deadlocked, collapsed)) else "collapses"
    for what, failed in ((collapses, collapsed), ("errors", errors)):
        measured = [point.value for point in curve.points]
        loads = loads_of_most(failed, cells)
        if loads and loads == measured[-len(loads) :]:
            yield f"{name} {what} from {loads_text(kind, loads[:1])}"
        elif loads:
            yield f"{name} {what} {load_range(kind, measured, loads)}"
        elif failed:
            blocks = blocks_by_load(failed)
            load = min(blocks)
            share = f"{blocks[load]} of {count(blocks_by_load(cells)[load], 'block')}"
            yield f"{name} {what} in {share} at {loads_text(kind, [load])}"


def _deadlocked(cell: CellResult) -> bool:
    """Return whether each thread waits for a connection, and its holders for a thread."""
    threads, connections = cell.threads_used_max, cell.connections_used_max
    waiting = cell.connections_waiting_max or 0
    return bool(threads and connections and waiting >= threads and cell.threads_waiting_max)


# Facts.


def _peak(curve: Curve) -> str:
    """Return the capacity; a lower bound where no higher load has a result."""
    if not (best := curve.capacity):
        return ""
    at = loads_text(curve.load_kind, [best.value])
    return f"{'≥ ' * best.at_edge}{number(best.throughput_rps.estimate)} at {at}"


def _objective(curve: Curve) -> str:
    if not (met := curve.objective):
        return ""
    if met.value is None:
        return "not known" if met.until == "not known" else "at no load"
    return f"up to {loads_text(curve.load_kind, [met.value])}"


def _limits(cells: Sequence[CellResult], machine: Machine) -> str:
    """Return what was used up at the highest load with a result in half of its blocks or more."""
    usable = [cell for cell in cells if cell.status != "invalid"]
    if not usable:
        return ""
    load = max(loads_of_most(usable, cells) or blocks_by_load(usable))
    own = [cell for cell in usable if cell.load.value == load]
    collapsed = status_cells(own, "collapsed")
    if collapsed and all(map(_deadlocked, collapsed)):
        threads, connections = (
            max(getattr(cell, f"{pool}_used_max") for cell in collapsed) for pool in POOLS
        )
        return f"deadlock: {threads} threads wait for {connections} connections"
    cores = max(1, len(machine.server_cores))
    used = [cell.server_cpu / cores for cell in own if cell.server_cpu is not None]
    cpu = f"CPU {100 * median(used):.0f} %" if used else ""
    limits = [cpu] if used and median(used) >= FULL_CPU else []
    limits += [f"{pool} {most}/{most}" for pool in POOLS if (most := _exhausted(own, pool))]
    limits += _database_limits(own, machine)
    text = ", ".join(limits) or f"not saturated{f' ({cpu})' if cpu else ''}"
    return f"{text} at {loads_text(own[0].load.kind, [load])}"


def _exhausted(cells: Sequence[CellResult], pool: str) -> int:
    """Return how many were in use where requests waited for one; 0 where no limit was reached.

    A limit is the same in every block; otherwise requests waited for a connection to be opened.
    """
    used = {getattr(cell, f"{pool}_used_max") for cell in cells}
    waited = all(getattr(cell, f"{pool}_waiting_max") for cell in cells)
    return (used.pop() or 0) if len(used) == 1 and waited else 0


def _database_limits(cells: Sequence[CellResult], machine: Machine) -> Iterable[str]:
    """Yield what shows that the database was the limit: its CPU, or sessions that wait there."""
    shown = [(cell.database, cell.generator.cpu) for cell in cells if cell.database]
    alone, shared = len(machine.database_cores), len(machine.generator_cores)
    beside = 0 if alone else 1
    cpu = [use.cpu + beside * generator for use, generator in shown if use.cpu is not None]
    if cpu and (share := median(cpu) / (alone or shared or 1)) >= FULL_CPU:
        yield f"database{' and generator' * beside}: CPU {100 * share:.0f} %"
    known = [(use.active, use.waiting or 0) for use, _ in shown if use.active is not None]
    active, waiting = (median(numbers) for numbers in zip(*known, strict=True)) if known else (0, 0)
    if waiting >= max(1, MOST_WAIT * active):
        yield f"database: {number(waiting)} of {number(active)} active sessions wait"


def _database(cells: Sequence[CellResult]) -> str:
    """Return what the database did at the highest load at which it is known."""
    known = [cell for cell in status_cells(cells, "valid") if cell.database]
    if not known:
        return ""
    load = max(cell.load.value for cell in known)
    uses = [cell.database for cell in known if cell.database and cell.load.value == load]
    units = {"connections_max": "connections", "active": "active", "waiting": "waiting"}
    parts = [
        f"{number(median(values))} {unit}"
        for name, unit in units.items()
        if (values := [found for use in uses if (found := getattr(use, name)) is not None])
    ]
    if cpu := [use.cpu for use in uses if use.cpu is not None]:
        parts.insert(0, f"CPU {100 * median(cpu):.0f} %")
    return f"{', '.join(parts)} at {loads_text(cells[0].load.kind, [load])}" if parts else ""


def _cpu(curve: Curve) -> str:
    """Return the CPU time per request at the highest load at which it is known."""
    for point in reversed(curve.points):
        if point.server_cpu_ms is not None:
            at = loads_text(curve.load_kind, [point.value])
            return f"{number(point.server_cpu_ms)} ms at {at}"
    return ""


def _at_highest(cells: Sequence[CellResult], field: str, unit: str) -> str:
    """Return the median of the valid cells at the highest load at which it is known."""
    known = [cell for cell in status_cells(cells, "valid") if getattr(cell, field)]
    if not known:
        return ""
    load = max(cell.load.value for cell in known)
    middle = median(getattr(cell, field) for cell in known if cell.load.value == load)
    return f"{number(middle)} {unit} at {loads_text(cells[0].load.kind, [load])}"


def _errors(cells: Sequence[CellResult]) -> str:
    """Return the largest share of errors, and the loads at which there were some."""
    failed = list(filter(error_share, cells))
    if not failed:
        return ""
    loads = loads_text(cells[0].load.kind, sorted(blocks_by_load(failed)))
    return f"up to {100 * max(map(error_share, failed)):.2g} % at {loads}"


def _in_flight(cells: Sequence[CellResult]) -> str:
    """Return how many users of a locustfile had a request in flight: the others waited."""
    if not any(cell.client for cell in cells):
        return ""
    return _at_highest(cells, "in_flight", "users on average,")


def _client(cells: Sequence[CellResult], processes: int) -> str:
    """Return the client of Locust, and what it could send at most; empty for twinbench's own.

    By the CPU time that it used for each request where it used most.
    """
    busiest = max(cells, key=lambda cell: cell.generator.cpu, default=None)
    if not (busiest and busiest.client):
        return ""
    text = f"Locust’s {busiest.client}"
    if busiest.generator.cpu <= MOSTLY_REQUESTS:
        return text
    limit = number(busiest.client_limit_rps)
    return f"{text}, at most about {limit} requests/s on {count(processes, 'core')}"


def _prediction(curve: Curve) -> str:
    """Return the throughput that threads or connections allow, beside the measured one."""
    if not (curve.prediction and curve.capacity):
        return ""
    found, measured = curve.prediction, number(curve.capacity.throughput_rps.estimate)
    held = f"{found.limit} {found.by} / {number(found.held_ms)} ms"
    return f"{held} = {number(found.rps)}/s, measured {measured}/s"
