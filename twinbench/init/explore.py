"""Both targets, started once, and their responses to GET requests."""

import contextlib
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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
from twinbench.init.targets import InitError, TargetDraft, variants
from twinbench.measure.rig import Rig
from twinbench.measure.running import refusal
from twinbench.measure.server import Server, ServerFailedError
from twinbench.models import error_text
from twinbench.plan import Plan, Request, render
from twinbench.preflight.result import PreflightError
from twinbench.run import machine_lock
from twinbench.scratch import scratch

OnStatus = Callable[[str], None]

# As long as the preflight waits by default; a slower route needs a plan by hand.
TRY_S = 10.0
MAX_TRIED = 60  # GET routes; with two requests each they take a few seconds
WSGI_CALLED_AS_ASGI = "required positional argument"  # in the TypeError that Python raises
LOG_S = 1.0  # an app prints the reason of a 500 after its response
MAX_SHOWN = 20  # routes in an error
OPENAPI_PATH, DOCS_PATH = "/openapi.json", "/docs"  # FastAPI's defaults
# In FastAPI's page of the docs: where the app has its document.
OPENAPI_IN_DOCS = re.compile(rb"""url: ['"](/[^'"\s]+)['"]""")
ONE_RUNS = "one server that runs already has no other version: give AFTER, or its app"
WRITE_BY_HAND = "; write a plan with it by hand (docs/your-app.md)"
NEEDS_MORE = (
    "variables: --env NAME=VALUE (of one app: --before-env, --after-env); another interpreter:"
    " --before-python, --after-python; another folder: --before-dir, --after-dir"
)


@dataclass(frozen=True, slots=True)
class Exploration:
    """What both targets respond to; `start_s`: time that a server takes to start."""

    targets: Sequence[TargetDraft]
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


def explore(targets: Sequence[TargetDraft], wanted: Wanted, on_status: OnStatus) -> Exploration:
    """Start the targets, request their routes, and stop them.

    Raises InitError, PreflightError where one does not start or no route works.
    """
    started = targets[:1] if targets[0].prefix else targets
    plan = Plan.model_validate(
        {
            "name": "init",
            "targets": [target.validated() for target in started],
            "scenarios": [{"name": "init", "closed": [1], "requests": [{"path": "/"}]}],
        }
    )
    for target in plan.targets:
        if target.url and (why := refusal(target, remote=wanted.remote)):
            raise InitError(why)
        if len(targets) == 1 and target.url and not wanted.routes:
            raise InitError(ONE_RUNS)
    with machine_lock(), contextlib.ExitStack() as stack:
        rig = stack.enter_context(Rig(plan, stack.enter_context(scratch())))
        on_status(f"starting {', '.join(target.name for target in started)}")
        rig.databases.start()
        found = stack.enter_context(rig.running(plan.targets))
        servers = [_started(*each) for each in zip(started, found, strict=True)]
        if not wanted.routes:  # those of a locustfile
            return Exploration(targets, rig.start_s)
        return _explored(targets, servers, wanted, on_status, rig.start_s)


def _started(target: TargetDraft, server: Server | ServerFailedError) -> Server:
    if isinstance(server, Server):
        return server
    if server.app_not_found:
        raise InitError(
            f"'{target.table.get('app')}' in {target.table.get('cwd')}: {server};"
            " --before-dir and --after-dir name the folders of the apps"
        )
    more = "" if "url" in target.table else f"\nIf it needs more: {NEEDS_MORE}."
    if "app" in target.table:
        more = f"\nIt was started by {target.table.get('python', sys.executable)}.{more}"
    raise PreflightError(f"{server}{more}")


def _explored(
    targets: Sequence[TargetDraft],
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
    if len(targets) == 1:
        targets = _variants(targets[0], documents)
    by_name = {
        target.name: _with_prefix(asks[min(number, len(asks) - 1)], target.prefix)
        for number, target in enumerate(targets)
    }
    routes, one_sided = _routes(targets, wanted, documents, asks)
    found = try_routes(routes[:MAX_TRIED], by_name, lambda label: on_status(f"trying {label}"))
    left_out = [
        *found.left_out,
        *(LeftOut(label, "only one target has it") for label in one_sided),
        *(LeftOut(route.label, "not tried, there are many") for route in routes[MAX_TRIED:]),
    ]
    writing = list(
        dict.fromkeys(label for document in documents for label in writing_routes(document))
    )
    if not found.working:
        raise PreflightError(_nothing_works(left_out, writing, targets, servers))
    return Exploration(
        targets,
        start_s,
        found.working,
        left_out,
        writing,
        next(filter(None, map(token_path, documents)), ""),
    )


def _variants(target: TargetDraft, documents: Sequence[Document]) -> list[TargetDraft]:
    """Return the two variants in one app, or the app if none are found. Raises InitError."""
    if words := find_words(get_routes(documents[0])) if documents else None:
        return variants(target, words)
    if "url" in target.table:
        raise InitError(ONE_RUNS)
    return [target]


def _routes(
    targets: Sequence[TargetDraft],
    wanted: Wanted,
    documents: Sequence[Document],
    asks: Sequence[Ask],
) -> tuple[list[Route], list[str]]:
    """Return the routes to try, and the labels of those that only one target has."""
    words = [target.prefix for target in targets if target.prefix]
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
        f" has {', '.join(route.path for route in routes[:MAX_SHOWN])}"
    )


def _document(ask: Ask, path: str) -> Document | None:
    if (found := read_document(ask(path or OPENAPI_PATH).body)) or path:
        return found
    located = OPENAPI_IN_DOCS.search(ask(DOCS_PATH).body)
    return read_document(ask(located[1].decode("ascii", "replace")).body) if located else None


def _asker(server: Server) -> Ask:
    def ask(path: str) -> Answer:
        try:
            request = Request(path=path)
        except ValidationError as error:
            return Answer(0, problem=error_text(error.errors()[0]))
        payload = render(request, f"{server.host}:{server.port}", random.Random(1)).whole
        began_s = time.monotonic()
        try:
            response = exchange(payload, server.address, server.port, TRY_S)
        except ExchangeError as error:
            return Answer(0, problem=str(error))
        return Answer(response.status, response.body, time.monotonic() - began_s)

    return ask


def _with_prefix(ask: Ask, prefix: str) -> Ask:
    return lambda path: ask(path.replace(PREFIX, prefix) if prefix else path)


def _nothing_works(
    left_out: Sequence[LeftOut],
    writing: Sequence[str],
    targets: Sequence[TargetDraft],
    servers: Sequence[Server],
) -> str:
    lines = [
        f"no route is answered with 2xx{' by both targets' * (len(targets) > 1)}; name paths with"
        " --path:",
        *(f"  {each.label}: {each.why}" for each in left_out[:MAX_SHOWN]),
        *(f"  {label}: not tried, it may change data{WRITE_BY_HAND}" for label in writing[:1]),
        *(f"  {label}: not tried either" for label in writing[1:MAX_SHOWN]),
    ]
    outputs = list(_last_outputs(targets, servers))
    if any(WSGI_CALLED_AS_ASGI in output for output in outputs):
        outputs.append("A WSGI app is served with --before-server or --after-server gunicorn.")
    return "\n".join([*lines, *outputs])


def _last_outputs(targets: Sequence[TargetDraft], servers: Sequence[Server]) -> Iterator[str]:
    for target, server in zip(targets, servers, strict=False):
        if "url" not in target.table:
            server.drained(LOG_S)
            yield f"Last output of '{target.name}': {server.child.last_output()}"
