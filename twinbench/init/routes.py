"""Routes that answer alike with all targets, found by trying them.

A value of a parameter comes from the OpenAPI document, else from the responses of routes that
list things: `/users` names an id for `/users/{user_id}`. Where the targets name different ones, a
setup request captures it from each.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from twinbench.init.openapi import Parameter, Route, shape

# Combinations of values for one route: with more, a route that answers none takes long.
MAX_ATTEMPTS = 8
# A first request is slow: imports, first connections. From here on a route is asked once more.
SLOW_S = 0.3
OK_STATUSES = range(200, 300)
LOGIN_STATUSES = {401, 403}
LINK = re.compile(rb"""href=["'](/(?!/)[^"'#?\s]*)""")
NOT_A_ROUTE = re.compile(r"\.\w{1,5}$")  # a file, such as /static/site.css
MAX_LINKS = 10
# What a path may hold as it is; an app may name its routes in any script.
IN_PATH = "/{}%:@!$&'()*+,;=?-._~"


class Answer(NamedTuple):
    """Response to a GET; status 0: there was none, and `problem` says why."""

    status: int
    body: bytes = b""
    took_s: float = 0.0
    problem: str = ""


# Sends a GET for a path, without PREFIX, to one target.
Ask = Callable[[str], Answer]


class Capture(NamedTuple):
    """Value that a setup request takes from the response of a list: see `capture` of plans."""

    name: str
    path: str
    value_path: str


@dataclass(frozen=True, slots=True)
class WorkingRoute:
    """Route that all targets answer; `path` is ready for a plan, `slowest_s` of one response."""

    route: Route
    path: str
    status: int
    slowest_s: float
    captures: tuple[Capture, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Route that is not proposed, and why."""

    label: str
    why: str
    kind: Literal["login", "other"] = "other"


@dataclass(slots=True)
class Found:
    """Result of trying all routes."""

    working: list[WorkingRoute] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


class _Value(NamedTuple):
    """Value of a parameter, for each target; `source` if it was found in the response of a list."""

    texts: tuple[str, ...]
    source: tuple[str, str] | None = None


Values = Mapping[str, _Value]


def try_routes(
    routes: Sequence[Route],
    targets: Mapping[str, Ask],
    on_route: Callable[[str], None] = lambda _: None,
) -> Found:
    """Ask every target, by name, for each route; lists first, since they name values."""
    found, trial = Found(), _Trial(targets)
    order = sorted(routes, key=lambda route: route.path.count("{"))
    for route in order:
        on_route(route.label)
        result = trial.of(route)
        if isinstance(result, WorkingRoute):
            found.working.append(result)
        else:
            found.left_out.append(result)
    found.working.sort(key=lambda working: routes.index(working.route))
    return found


def linked_routes(answer: Answer) -> list[Route]:
    """Return routes that the page in `answer` links to."""
    paths = (link.decode("ascii", "replace") for link in LINK.findall(answer.body))
    known = dict.fromkeys(p for p in paths if p.isascii() and not NOT_A_ROUTE.search(p))
    known.pop("/", None)
    return [Route(path) for path in list(known)[:MAX_LINKS] if "{" not in path]


class _Trial:
    """Asks for routes one after the other, and keeps the lists that were answered."""

    def __init__(self, targets: Mapping[str, Ask]) -> None:
        self._targets = targets
        # By the shape of the path: the path as asked for, and the JSON of each target.
        self._lists: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def of(self, route: Route) -> WorkingRoute | LeftOut:
        for parameter in route.parameters:
            if parameter.place in ("header", "cookie"):
                return LeftOut(route.label, f"needs the {parameter.place} {parameter.name}")
        left_out = LeftOut(route.label, _without_value(route))
        for values in itertools.islice(self._attempts(route), MAX_ATTEMPTS):
            paths = [_path_of(route, values, number) for number in range(len(self._targets))]
            answers = self._ask(paths)
            statuses = {answer.status for answer in answers.values()}
            if len(statuses) == 1 and statuses <= set(OK_STATUSES):
                return self._working(route, values, list(answers.values()), paths)
            left_out = _refused(route, answers)
            if left_out.kind == "login" or 0 in statuses:
                break
        return left_out

    def _ask(self, paths: Sequence[str]) -> dict[str, Answer]:
        answers = {}
        for (name, ask), path in zip(self._targets.items(), paths, strict=True):
            answers[name] = answer = ask(path)
            if answer.status in OK_STATUSES and answer.took_s > SLOW_S:
                answers[name] = min(answer, ask(path), key=lambda each: each.took_s)
            if answer.status == 0:
                break  # a second target may be waited for as long
        return answers

    def _working(
        self, route: Route, values: Values, answers: Sequence[Answer], paths: Sequence[str]
    ) -> WorkingRoute:
        captures = tuple(
            Capture(_capture_name(name), *value.source)
            for name, value in values.items()
            if value.source and len(set(value.texts)) > 1
        )
        path = paths[0] if not captures else _path_of(route, values, None)
        if not captures:
            bodies = tuple(_json(answer.body) for answer in answers)
            self._lists[_list_key(route.path)] = path, bodies
        slowest_s = max(answer.took_s for answer in answers)
        return WorkingRoute(route, path, answers[0].status, slowest_s, captures)

    def _attempts(self, route: Route) -> Iterator[Values]:
        """Yield values for all parameters of `route`, the most likely first."""
        names = [parameter.name for parameter in route.parameters]
        candidates = [self._candidates(route, parameter) for parameter in route.parameters]
        for combination in itertools.product(*candidates):
            yield dict(zip(names, combination, strict=True))

    def _candidates(self, route: Route, parameter: Parameter) -> list[_Value]:
        found = [_Value((text,) * len(self._targets)) for text in parameter.values]
        if parameter.place == "path":
            own = _list_key(route.path.partition(f"{{{parameter.name}}}")[0])
            tail = parameter.name.rpartition("_")[2]
            if own in self._lists:
                found += _listed(self._lists[own], (parameter.name, tail, "id", ""))
            for key, other in self._lists.items():
                found += _listed(other, (parameter.name,)) if key != own else ()
        return list(dict.fromkeys(found))


def _listed(of: tuple[str, tuple[Any, ...]], keys: Sequence[str]) -> Iterator[_Value]:
    """Yield the values that the first item of a list has under `keys`; "": the item itself."""
    path, bodies = of
    for key in keys:
        located = [found for body in bodies if (found := _first_value(body, key))]
        if len(located) == len(bodies) and len({place for place, _ in located}) == 1:
            yield _Value(tuple(text for _, text in located), (path, located[0][0]))


def _first_value(body: Any, key: str) -> tuple[str, str] | None:
    """Return where the first item of a list in `body` has `key`, and its value as text."""
    lists = {"": body} if isinstance(body, list) else body if isinstance(body, dict) else {}
    for name, items in lists.items():
        if not isinstance(items, list) or not items or "." in name:
            continue
        value = items[0]
        if key:
            value = value.get(key) if isinstance(value, dict) else None
        if type(value) in (str, int) and str(value).isprintable() and value != "":
            return ".".join(filter(None, (name, "0", key))), str(value)
    return None


def _path_of(route: Route, values: Values, target: int | None) -> str:
    """Return the path with its values for a target; None: as a plan holds it, with captures."""
    query, path = {}, quote(route.path, safe=IN_PATH, errors="replace")
    for parameter in route.parameters:
        value = values[parameter.name]
        captured = target is None and len(set(value.texts)) > 1
        text = f"{{{_capture_name(parameter.name)}}}" if captured else value.texts[target or 0]
        if parameter.place == "query":
            query[parameter.name] = text
        else:
            path = path.replace(f"{{{parameter.name}}}", text if captured else quote(text, safe=""))
    return f"{path}?{urlencode(query)}" if query else path


def _refused(route: Route, answers: Mapping[str, Answer]) -> LeftOut:
    statuses = {answer.status for answer in answers.values()}
    if statuses & LOGIN_STATUSES:
        return LeftOut(route.label, "needs a login", "login")
    answered = {name: answer.problem or str(answer.status) for name, answer in answers.items()}
    if len(set(answered.values())) == 1 and len(answered) > 1:
        return LeftOut(route.label, f"answered with {next(iter(answered.values()))}")
    return LeftOut(route.label, ", ".join(f"{name}: {what}" for name, what in answered.items()))


def _without_value(route: Route) -> str:
    """Return why there is nothing to try: the parameters without any value."""
    names = [parameter.name for parameter in route.parameters if not parameter.values]
    return f"no value is known for {', '.join(names)}"


def _capture_name(parameter: str) -> str:
    return re.sub(r"[^a-z_]+", "_", parameter.lower())[:40] or "value"


def _list_key(path: str) -> str:
    return shape(path).rstrip("/")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
