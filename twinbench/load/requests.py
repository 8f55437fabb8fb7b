"""Requests of one load, prepared before it starts, so that sending them costs nothing.

Apart from the users, because importing locust patches the whole process, and from the recorder,
because polars would delay the start of plain Locust.
"""

import functools
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from twinbench.job import Job, JobTarget
from twinbench.plan import NO_CAPTURES, Captures, Rendered, Request, prepared_for, render

# Of the targets that take turns, for the next load on the same servers.
KEPT = 8
# A prime, so that users start at different requests.
START_STEP = 1009

# Index into the scenario's requests, expected status, bytes to send.
PreparedRequest = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class PreparedRequests:
    """Requests of a load, in the order in which they are sent, again and again.

    Arrivals send `shared`. Users send it too, each from another start, a multiple of `step`
    requests further; or all together, if they are `dealt`; or their `own`, by user id.
    """

    shared: Sequence[PreparedRequest] = ()
    step: int = START_STEP
    dealt: Iterator[PreparedRequest] | None = None
    own: Mapping[int, Sequence[PreparedRequest]] = field(default_factory=dict)

    def of_user(self, user_id: int) -> Iterator[PreparedRequest]:
        """Return what a user sends, without end."""
        if self.dealt:
            return self.dealt
        if self.own:
            return itertools.cycle(self.own[user_id])
        start = user_id * self.step % len(self.shared)
        return itertools.cycle((*self.shared[start:], *self.shared[:start]))


def prepare(job: Job, target: JobTarget) -> PreparedRequests:
    """Return the requests of this process to `target`."""
    cycle = len(target.requests) if job.sequence else 1
    closed = job.load.kind == "closed"
    if closed and (target.users or (job.rows and job.sequence)):
        return PreparedRequests(own=_own(job, target, cycle))
    if not (target.users or job.rows):
        shared = prepare_requests(
            target.requests, target.host, job.seed, target.captures, sequence=job.sequence
        )
        if closed:
            return PreparedRequests(shared, step=START_STEP * cycle)
        return PreparedRequests(_share(shared, job) if job.sequence else shared)
    dealt = _share(_dealt(job, target, cycle), job)
    return PreparedRequests(dealt, dealt=itertools.cycle(dealt))


def prepare_requests(
    requests: Sequence[Request],
    host: str,
    seed: int,
    captures: Captures = NO_CAPTURES,
    *,
    sequence: bool = False,
) -> tuple[PreparedRequest, ...]:
    """Return the requests to `host` (a URL) that users send in order, drawn by weight.

    `captures` are the values of names in braces. Equal requests share their bytes, since uploads
    are big.
    """
    drawn_from = tuple(request.model_dump_json() for request in requests)
    return _prepared(drawn_from, urlsplit(host).netloc, seed, tuple(captures.items()), sequence)


@functools.lru_cache(maxsize=KEPT)
def _prepared(
    of: tuple[str, ...],
    netloc: str,
    seed: int,
    captured: tuple[tuple[str, str], ...],
    sequence: bool,
) -> tuple[PreparedRequest, ...]:
    requests = [Request.model_validate_json(text) for text in of]
    count = prepared_for(1, cycle=len(requests) if sequence else 1)
    captures = dict(captured)
    renderer = _Renderer(requests, netloc)
    return renderer.render(random.Random(seed), count, lambda _: captures, sequence=sequence)


class _Renderer:
    """Renders requests; equal ones share their bytes."""

    def __init__(self, requests: Sequence[Request], netloc: str) -> None:
        self._requests, self._netloc = requests, netloc
        self._weights = [request.weight for request in requests]
        self._payloads: dict[Rendered, bytes] = {}

    def render(
        self,
        rng: random.Random,
        count: int,
        values_of: Callable[[int], Captures],
        *,
        sequence: bool,
    ) -> tuple[PreparedRequest, ...]:
        """Return `count` requests, in sequence or drawn by weight, with the values for each."""
        numbers = range(len(self._requests))
        order: Iterable[int] = itertools.cycle(numbers)
        if not sequence:
            order = rng.choices(numbers, self._weights, k=count)
        prepared = []
        for place, number in zip(range(count), order, strict=False):
            request = self._requests[number]
            rendered = render(request, self._netloc, rng, values_of(place))
            if rendered not in self._payloads:
                self._payloads[rendered] = rendered.whole
            prepared.append((number, request.expect, self._payloads[rendered]))
        return tuple(prepared)


def _own(job: Job, target: JobTarget, cycle: int) -> dict[int, tuple[PreparedRequest, ...]]:
    """Return the requests of each user of this process; rows are dealt to the users in turn."""
    users = job.load.value
    count = prepared_for(users, rows=len(job.rows), cycle=cycle)
    renderer = _Renderer(target.requests, urlsplit(target.host).netloc)

    def of_user(user: int) -> tuple[PreparedRequest, ...]:
        values = target.captures | (target.users[user] if target.users else {})

        def values_of(place: int) -> Captures:
            return values | job.rows[(place * users + user) % len(job.rows)] if job.rows else values

        # Of its own, so that it does not depend on the number of processes.
        rng = random.Random(f"{job.seed} {user}")
        return renderer.render(rng, count, values_of, sequence=job.sequence)

    return {user: of_user(user) for user in range(job.process, users, job.processes)}


def _dealt(job: Job, target: JobTarget, cycle: int) -> tuple[PreparedRequest, ...]:
    """Return requests that take the users' values and the rows in turn.

    Each user has a whole cycle of the sequence before the next one.
    """
    users, rows = target.users or [{}], job.rows or [{}]
    whole = len(users) * cycle
    count = prepared_for(1, rows=len(rows), cycle=whole if whole > 1 else len(rows))

    def values_of(place: int) -> Captures:
        return target.captures | users[place // cycle % len(users)] | rows[place % len(rows)]

    renderer = _Renderer(target.requests, urlsplit(target.host).netloc)
    return renderer.render(random.Random(job.seed), count, values_of, sequence=job.sequence)


def _share(of: Sequence[PreparedRequest], job: Job) -> Sequence[PreparedRequest]:
    """Return those that this process sends: every `processes`-th, as of the arrivals."""
    if job.processes == 1:
        return of
    return [of[(job.process + n * job.processes) % len(of)] for n in range(len(of))]
