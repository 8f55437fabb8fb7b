"""How many requests are prepared before a load, so that sending them costs nothing."""

from twinbench.plan.models import Scenario
from twinbench.plan.requests import Request
from twinbench.text import count

# Requests prepared for all users of a load together; then they repeat.
PREPARED = 4096
# Of these for each user, if users have values of their own: fewer would be the same few all the
# time.
LEAST_OF_USER = 8
# For one target: they take a second or two to prepare, and 0.1 GB without bodies.
MAX_PREPARED = 200_000
# Of requests that each user has of its own, in a process of the generator: uploads.
MAX_PREPARED_BYTES = 1 << 29


def prepared_for(users: int, *, rows: int = 0, cycle: int = 1) -> int:
    """Return how many requests are prepared for each of `users`: whole cycles of `cycle` requests.

    Together they are at least PREPARED, and as many as the feed has `rows` for requests.
    """
    each = max(LEAST_OF_USER, -(-max(PREPARED, rows) // users))
    return -(-each // cycle) * cycle


def check_prepared(scenario: Scenario) -> str:
    """Return why the requests of `scenario` cannot be prepared; empty if they can."""
    users, rows = max(scenario.identities, 1), scenario.rows_for_requests
    each = prepared_for(users, rows=rows, cycle=scenario.cycle)
    of = f"{count(len(scenario.requests), 'request')} for {count(users, 'user')}"
    if users * each > MAX_PREPARED:
        return (
            f"{users * each:,} requests to prepare ({of}), at most {MAX_PREPARED:,}: use fewer"
            " users, rows or requests"
        )
    if (size := users * _bytes_of_user(scenario, each)) > MAX_PREPARED_BYTES:
        return (
            f"{size / 2**20:,.0f} MiB of requests to prepare ({of} with values of their own), at"
            f" most {MAX_PREPARED_BYTES >> 20}: use fewer users or smaller uploads"
        )
    return ""


def _bytes_of_user(scenario: Scenario, each: int) -> float:
    """Return the expected bytes of a user's own requests; equal ones share their bytes."""
    weights, rows = sum(r.weight for r in scenario.requests), scenario.rows_for_requests
    return sum(
        _size(request) * (share if rows or request.has_range else min(1.0, share))
        for request in scenario.requests
        if scenario.own_names.intersection(request.names)
        for share in [each * request.weight / weights]
    )


def _size(request: Request) -> int:
    uploads = (file.stat().st_size for file in (request.upload or {}).values())
    return len(request.model_dump_json()) + sum(uploads)
