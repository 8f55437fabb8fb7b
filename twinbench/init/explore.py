"""Both sides, started once and asked what they answer."""

import contextlib
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import ValidationError

from twinbench.exchange import ExchangeError, exchange
from twinbench.init.openapi import (
    PREFIX,
    Document,
    Route,
    find_words,
    get_routes,
    in_all,
    put_prefix,
    read_document,
    token_path,
    with_prefix,
    writing_routes,
)
from twinbench.init.routes import (
    Answer,
    Ask,
    LeftOut,
    WorkingRoute,
    linked_routes,
    try_routes,
)
from twinbench.init.sides import NAMES, InitError, Side, variants
from twinbench.measure.rig import Rig
from twinbench.measure.running import refusal
from twinbench.measure.server import Server, ServerFailedError
from twinbench.plan import Plan, Request, render
from twinbench.preflight.result import PreflightError
from twinbench.run import machine_lock
from twinbench.scratch import scratch

OnStatus = Callable[[str], None]

# As long as the preflight waits by default; a slower route needs a plan by hand.
TRY_S = 10.0
MOST_TRIED = 60  # GET routes; with two requests each they take a few seconds
WSGI_CALLED_AS_ASGI = "required positional argument"  # in the TypeError that Python raises
LOG_S = 1.0  # an app prints the reason of a 500 after its response
MOST_SAID = 20  # lines of an error
OPENAPI_PATH, DOCS_PATH = "/openapi.json", "/docs"  # FastAPI's defaults
# In FastAPI's page of the docs: where the app has its document.
OPENAPI_IN_DOCS = re.compile(rb"""url: ['"](/[^'"\s]+)['"]""")
WRITE_BY_HAND = "; write a plan with it by hand (docs/your-app.md)"
NEEDS_MORE = (
    "variables: --env NAME=VALUE (of one side: --before-env, --after-env); another interpreter:"
    " --before-python, --after-python; another folder: --before-dir, --after-dir"
)


@dataclass(frozen=True, slots=True)
class Exploration:
    """What both sides answer; `start_s`: time that a server takes to start."""

    sides: Sequence[Side]
    start_s: float
    working: Sequence[WorkingRoute] = ()
    left_out: Sequence[LeftOut] = ()
    writing: Sequence[str] = ()
    token_path: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask for: `paths`, else the routes of the document at `openapi`; none: only start.

    `remote`: running servers may be on other machines.
    """

    paths: Sequence[str] = ()
    openapi: str = ""
    routes: bool = True
    remote: bool = False


def explore(sides: Sequence[Side], wanted: Wanted, on_status: OnStatus) -> Exploration:
    """Start the sides, ask for their routes, and stop them.

    Raises InitError, PreflightError where one does not start or no route works.
    """
    if not wanted.routes and len(sides) < len(NAMES):
        raise InitError("--locustfile needs two apps: BEFORE AFTER")
    started = sides[:1] if sides[0].prefix else sides
    plan = Plan.model_validate(
        {
            "name": "init",
            "targets": [side.target() for side in started],
            "scenarios": [{"name": "init", "closed": [1], "requests": [{"path": "/"}]}],
        }
    )
    for target in plan.targets:
        if target.url and (why := refusal(target, remote=wanted.remote)):
            raise InitError(why)
    with machine_lock(), contextlib.ExitStack() as stack:
        rig = stack.enter_context(Rig(plan, stack.enter_context(scratch())))
        on_status(f"starting {', '.join(side.name for side in started)}")
        found = rig.start_all(plan.targets)
        for server in found:
            if isinstance(server, Server):
                stack.callback(server.stop, at_once=True)
        servers = [_started(*each) for each in zip(started, found, strict=True)]
        if not wanted.routes:  # those of a locustfile
            return Exploration(sides, rig.start_s)
        return _explored(sides, servers, wanted, on_status, rig.start_s)


def _started(side: Side, server: Server | ServerFailedError) -> Server:
    if isinstance(server, Server):
        return server
    if server.app_not_found:
        raise InitError(
            f"'{side.table.get('app')}' in {side.table.get('cwd')}: {server};"
            " --before-dir and --after-dir name the folders of the apps"
        )
    more = "" if "url" in side.table else f"\nIf it needs more: {NEEDS_MORE}."
    if "app" in side.table:
        more = f"\nIt was started by {side.table.get('python', sys.executable)}.{more}"
    raise PreflightError(f"{server}{more}")


def _explored(
    sides: Sequence[Side],
    servers: Sequence[Server],
    wanted: Wanted,
    on_status: OnStatus,
    start_s: float,
) -> Exploration:
    asks = [_asker(server) for server in servers]
    on_status("reading OpenAPI")
    documents = [document for ask in asks if (document := _document(ask, wanted.openapi))]
    if wanted.openapi and len(documents) < len(servers):
        raise InitError(f"--openapi {wanted.openapi}: there is no OpenAPI document at this path")
    if len(sides) == 1:
        sides = _variants(sides[0], documents)
    targets = {
        side.name: _with_prefix(asks[min(number, len(asks) - 1)], side.prefix)
        for number, side in enumerate(sides)
    }
    routes, one_sided = _routes(sides, wanted, documents, asks)
    found = try_routes(routes[:MOST_TRIED], targets, lambda label: on_status(f"trying {label}"))
    left_out = [
        *found.left_out,
        *(LeftOut(label, "only one side has it") for label in one_sided),
        *(LeftOut(route.label, "not tried, there are many") for route in routes[MOST_TRIED:]),
    ]
    writing = list(
        dict.fromkeys(label for document in documents for label in writing_routes(document))
    )
    if not found.working:
        raise PreflightError(_nothing_works(left_out, writing, sides, servers))
    return Exploration(
        sides,
        start_s,
        found.working,
        left_out,
        writing,
        next(filter(None, map(token_path, documents)), ""),
    )


def _variants(side: Side, documents: Sequence[Document]) -> list[Side]:
    """Return the two variants in one app. Raises InitError if none are found."""
    words = find_words(get_routes(documents[0])) if documents else None
    if not words:
        raise InitError(
            "one app is given, and its OpenAPI has no paths that differ in 'sync' and 'async'"
            " only: give AFTER, or the two parts of its paths (--prefix v1 --prefix v2)"
        )
    return variants(side, words)


def _routes(
    sides: Sequence[Side], wanted: Wanted, documents: Sequence[Document], asks: Sequence[Ask]
) -> tuple[list[Route], list[str]]:
    """Return the routes to try, and the labels of those that only one side has."""
    words = [side.prefix for side in sides if side.prefix]
    if wanted.paths:
        return [Route(put_prefix(path, words[0]) if words else path) for path in wanted.paths], []
    if not documents:
        if words:
            return [Route(f"/{PREFIX}"), Route(f"/{PREFIX}/")], []
        return [Route("/"), *linked_routes(asks[0]("/"))], []
    routes, one_sided = in_all(documents)
    if not words:
        return routes, one_sided
    if shared := with_prefix(routes, words):
        return shared, []
    raise InitError(
        f"no GET route of the app exists with both '{words[0]}' and '{words[1]}' in its path; it"
        f" has {', '.join(route.path for route in routes[:MOST_SAID])}"
    )


def _document(ask: Ask, path: str) -> Document | None:
    if (found := read_document(ask(path or OPENAPI_PATH).body)) or path:
        return found
    located = OPENAPI_IN_DOCS.search(ask(DOCS_PATH).body)
    return read_document(ask(located[1].decode("ascii", "replace")).body) if located else None


def _asker(server: Server) -> Ask:
    address = urlsplit(server.url)
    host, port = address.hostname or "", address.port or 80

    def ask(path: str) -> Answer:
        try:
            request = Request(path=path)
        except ValidationError as error:
            return Answer(0, problem=error.errors()[0]["msg"].removeprefix("Value error, "))
        payload = render(request, address.netloc, random.Random(1)).whole
        began_s = time.monotonic()
        try:
            response = exchange(payload, host, port, TRY_S)
        except ExchangeError as error:
            return Answer(0, problem=str(error))
        return Answer(response.status, response.body, time.monotonic() - began_s)

    return ask


def _with_prefix(ask: Ask, prefix: str) -> Ask:
    return lambda path: ask(path.replace(PREFIX, prefix) if prefix else path)


def _nothing_works(
    left_out: Sequence[LeftOut],
    writing: Sequence[str],
    sides: Sequence[Side],
    servers: Sequence[Server],
) -> str:
    lines = [
        "no route answers with a status of 2xx from both sides; name paths with --path:",
        *(f"  {each.label}: {each.why}" for each in left_out[:MOST_SAID]),
        *(f"  {label}: not tried, it may change data{WRITE_BY_HAND}" for label in writing[:1]),
        *(f"  {label}: not tried either" for label in writing[1:MOST_SAID]),
    ]
    outputs = list(_last_outputs(sides, servers))
    if any(WSGI_CALLED_AS_ASGI in output for output in outputs):
        outputs.append("A WSGI app is served with --before-server or --after-server gunicorn.")
    return "\n".join([*lines, *outputs])


def _last_outputs(sides: Sequence[Side], servers: Sequence[Server]) -> Iterator[str]:
    for side, server in zip(sides, servers, strict=False):
        if "url" not in side.table:
            server.drained(LOG_S)
            yield f"Last output of '{side.name}': {server.child.last_output()}"
