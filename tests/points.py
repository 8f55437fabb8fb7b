"""Points of a curve made up for tests."""

from twinbench.analyse.results import PERCENTS, Point


def point(value: int, rps: float | None = None, **changes: object) -> Point:
    """Return a valid point with this throughput; an invalid one without."""
    values: dict[str, object] = {
        "value": value,
        "status": "valid" if rps else "invalid",
        "blocks": 5 if rps else 0,
        "collapsed": 0,
        "throughput_rps": {"estimate": rps, "low": rps / 1.1, "high": rps * 1.1} if rps else None,
        **dict.fromkeys(("per_cpu_s", "p50_ms", "p99_ms", "max_ms", "server_cpu", "server_cpu_ms")),
        "response_ms": [None] * len(PERCENTS),
        "service_ms": [None] * len(PERCENTS),
    }
    return Point.model_validate(values | changes)


def fallen(value: int, rps: float | None = None) -> Point:
    """A point at which the server stopped answering in two blocks; in the others, if it has a
    throughput, it did not."""
    return point(value, rps, status="collapsed", collapsed=2)
