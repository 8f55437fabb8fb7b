"""The law behind a closed curve: bounds on throughput, and what they predict.

N users who each wait t for an answer get N / t answers a second, until something runs out: the
threads of the pool, the connections of the database, the CPU. Source of such bounds: P. J. Denning
and J. P. Buzen, The Operational Analysis of Queueing Network Models, ACM Computing Surveys 10(3),
1978.

What is assumed: t, the mean service time at the lowest load, holds no waiting for other requests
(`at` more than one user it may, and then all that is divided by it comes out too low); and a
request holds one thread, and one connection, for all of t. That is so of a `def` route that waits,
but for the moments in which the loop reads the request and writes the answer. It is not so where
only some of the requests take a thread or a connection, or each for a part of its time: then more
is possible than is predicted, and a bound beyond which something was measured is left out. What
goes on after the answer is not in t, and if it takes a thread, less is possible than is predicted.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean

from twinbench.analyse.results import Bound, CellResult, Law, Point
from twinbench.analyse.scalability import scalability

# t is known to some per cent, and a part of it is not the thread's or the connection's: what is
# exceeded by more than this is no bound.
EXCEEDED = 1.1
# Of the server's cores. One that uses more is kept from more by CPU, whoever waits for a thread.
FULL = 0.9


def law(points: Sequence[Point], cells: Sequence[CellResult], cores: int) -> Law | None:
    """`points` by load; `cells` are all of the curve's; `cores` those of the server, 0 where they
    are not known. None without a valid cell."""
    valid = [cell for cell in cells if cell.status == "valid"]
    served = [(c.load.value, c.service_ms.mean) for c in valid if c.service_ms.mean]
    if not served:
        return None
    at = min(users for users, _ in served)
    service_ms = fmean(mean_ms for users, mean_ms in served if users == at)
    bounds = [
        Bound(by="users", limit=1, rps=1e3 / service_ms),
        *_pools(points, cells, service_ms),
        *_cpu(points, cores),
    ]
    limit = min(bounds, key=lambda bound: _allowed_rps(bound, points[-1])).by
    threads = _lacking_threads(points[-1], cells, cores)
    capped = limit in ("threads", "connections") or threads
    return Law(
        at=at,
        service_ms=service_ms,
        bounds=bounds,
        predicted_rps=[min(_allowed_rps(bound, point) for bound in bounds) for point in points],
        usl=None if capped else scalability(points),
        threads_full=threads or None,
    )


def _allowed_rps(bound: Bound, point: Point) -> float:
    return bound.rps * point.value if bound.by == "users" else bound.rps


def _pools(
    points: Sequence[Point], cells: Sequence[CellResult], service_ms: float
) -> Iterable[Bound]:
    """What was seen to run out: so many were in use, and somebody waited for one."""
    seen = [cell for cell in cells if cell.status != "void"]
    threads = _exhausted((c.threads_used_max, c.threads_waiting_max) for c in seen)
    connections = _exhausted((c.connections_used_max, c.connections_waiting_max) for c in seen)
    bounds = [
        Bound(by="threads", limit=threads, rps=1e3 * threads / service_ms),
        Bound(by="connections", limit=connections, rps=1e3 * connections / service_ms),
    ]
    most_rps = max((p.throughput_rps.estimate for p in points if p.throughput_rps), default=0)
    return [bound for bound in bounds if bound.limit and most_rps <= EXCEEDED * bound.rps]


def _exhausted(seen: Iterable[tuple[int | None, int | None]]) -> int:
    """The most in use, of cells in which somebody waited; 0 where nobody did."""
    return max((used for used, waiting in seen if used and waiting), default=0)


def _lacking_threads(point: Point, cells: Sequence[CellResult], cores: int) -> int:
    """How many threads are all in use, with requests waiting for one, at this load while the cores
    are not full: a cap, even where the service time does not tell that threads are held so long.
    0 where that is not so."""
    if point.server_cpu is None or point.server_cpu > FULL * max(1, cores):
        return 0
    there = [cell for cell in cells if cell.load.value == point.value and cell.status != "void"]
    return _exhausted((cell.threads_used_max, cell.threads_waiting_max) for cell in there)


def _cpu(points: Sequence[Point], cores: int) -> list[Bound]:
    """By the load at which a request costs least. At one user it costs more, since the server
    falls asleep and is woken for each; where many are under way it finds the next one ready. More
    than the cheapest allows is possible at no load: a bound must be a bound."""
    per_cpu_s = max((p.per_cpu_s.estimate for p in points if p.per_cpu_s), default=0)
    if not (per_cpu_s and cores):
        return []
    return [Bound(by="cpu", limit=1e3 / per_cpu_s, rps=cores * per_cpu_s)]
