"""What a target lacked: sentences about CPU, threads and connections, from curves and cells."""

from collections.abc import Iterable
from itertools import takewhile

from twinbench.analyse.results import CellResult, Curve, Results
from twinbench.report import style
from twinbench.report.kinds import kinds_of, span

# Share of a core above which a server is at its limit; 1.00 is never quite read.
FULL_CORE = 0.95


def causes(results: Results, scenario: str) -> list[str]:
    """For each curve: from where on it had no CPU left, and who waited for what."""
    curves = [
        curve for kind in kinds_of(results, scenario) for curve in results.curves_of(scenario, kind)
    ]
    costs = [said for curve in curves for said in _cost(curve)]
    return costs + [said for curve in curves for said in _waits(curve, results.cells_of(curve))]


def _cost(curve: Curve) -> Iterable[str]:
    """From which load on a server has no CPU left: then the cost of a request decides."""
    used = [point for point in curve.points if point.server_cpu is not None]
    full = list(takewhile(lambda p: (p.server_cpu or 0) > FULL_CORE, reversed(used)))
    if full:
        cost = style.number(full[-1].server_cpu_ms)
        since = f"from {span(curve.load_kind, [full[-1].value])} on"
        where = since if full != used[::-1] else _everywhere(curve)
        yield f"{curve.target} fills its core {where}, at {cost} ms of CPU a request."


def _everywhere(curve: Curve) -> str:
    return "at every load" if curve.load_kind == "closed" else "at every rate"


def _waits(curve: Curve, cells: list[CellResult]) -> Iterable[str]:
    """At the highest load at which somebody waited: for what, and how many."""
    waited = [
        cell
        for cell in cells
        if cell.status != "void" and (cell.threads_waiting_max or cell.connections_waiting_max)
    ]
    if not waited:
        return
    load = max(cell.load.value for cell in waited)
    there = [cell for cell in waited if cell.load.value == load]
    found = [
        f"{used} {name} in use and up to {waiting} waiting for one"
        for name, used, waiting in (
            ("threads", _most(there, "threads_used_max"), _most(there, "threads_waiting_max")),
            (
                "connections",
                _most(there, "connections_used_max"),
                _most(there, "connections_waiting_max"),
            ),
        )
        if waiting
    ]
    yield f"{curve.target} at {span(curve.load_kind, [load])}: {', '.join(found)}."


def _most(cells: list[CellResult], field: str) -> int:
    return max(getattr(cell, field) or 0 for cell in cells)
