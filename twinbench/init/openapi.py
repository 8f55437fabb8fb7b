"""Routes of an app as its OpenAPI document describes them.

Documents come from any app: what is not as the standard says is skipped.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Document = Mapping[str, Any]
Place = Literal["path", "query", "header", "cookie"]
PREFIX = "{prefix}"  # the part of a path that differs between two variants in one app
METHODS = ("post", "put", "patch", "delete")
IN_BRACES = re.compile(r"(\{[^{}]*\})")
WORD = re.compile(r"[A-Za-z0-9]+")
# How variants beside an "async" one are named, apart from "sync".
SYNC_WORDS = ("def", "blocking", "threads", "threaded", "threadpool")
# A schema that refers to itself has no end.
MAX_REFERENCES = 10
# Values of parameters without a described one, by type; text for paths alone, since any text is
# a possible name, while a query for "1" seldom finds what a user would look for.
BY_TYPE = {"integer": "1", "number": "1", "boolean": "true"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Required parameter of a route, and values to try, the most likely first."""

    name: str
    place: Place
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Route that responds to GET; `path` may hold PREFIX and the names of path parameters."""

    path: str
    parameters: tuple[Parameter, ...] = ()

    @property
    def label(self) -> str:
        """Method and path."""
        return f"GET {self.path}"


def read_document(body: bytes) -> Document | None:
    """Return the OpenAPI document in `body`, None if it holds none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("paths"), dict) else None


def get_routes(document: Document) -> list[Route]:
    """Return the routes that respond to GET, in the order of the document."""
    return [
        Route(path, tuple(_required(document, item, operation)))
        for path, item, operation in _operations(document, ("get",))
    ]


def writing_routes(document: Document) -> list[str]:
    """Return method and path of the routes that respond to other methods."""
    return [
        f"{method.upper()} {path}"
        for method in METHODS
        for path, _, _ in _operations(document, (method,))
    ]


def token_path(document: Document) -> str:
    """Return the path of a login by a password form, as FastAPI's OAuth2 declares it."""
    schemes = _mapping(_mapping(document.get("components")).get("securitySchemes"))
    for scheme in map(_mapping, schemes.values()):
        flow = _mapping(_mapping(scheme.get("flows")).get("password"))
        if isinstance(url := flow.get("tokenUrl"), str) and "://" not in url:
            return "/" + url.lstrip("/")
    return ""


def shape(path: str) -> str:
    """Return `path` without the names of its parameters, which two apps may call differently."""
    return IN_BRACES.sub(lambda found: found[0] if found[0] == PREFIX else "{}", path)


def in_all(documents: Sequence[Document]) -> tuple[list[Route], list[str]]:
    """Return the GET routes that all documents have, and labels of those that only some have."""
    of_each = [get_routes(document) for document in documents]
    shared = set.intersection(*({shape(route.path) for route in routes} for routes in of_each))
    others = [route for routes in of_each for route in routes if shape(route.path) not in shared]
    return (
        [route for route in of_each[0] if shape(route.path) in shared],
        list(dict.fromkeys(route.label for route in others)),
    )


def with_prefix(routes: Iterable[Route], words: Sequence[str]) -> list[Route]:
    """Return the routes that exist with both words in their path, PREFIX in the word's place."""
    of_app = list(routes)
    shapes = {shape(route.path) for route in of_app}
    found = []
    for route in of_app:
        path = put_prefix(route.path, words[0])
        if PREFIX in path and shape(path.replace(PREFIX, words[1])) in shapes:
            found.append(Route(path, route.parameters))
    return found


def put_prefix(path: str, word: str) -> str:
    """Return `path` with PREFIX in place of `word`."""
    return path if PREFIX in path else _replaced(path, word, PREFIX)


def find_words(routes: Iterable[Route]) -> tuple[str, str] | None:
    """Return the words by which the paths of two variants differ, such as sync and async."""
    paths = [route.path for route in routes]
    shapes, pairs = set(map(shape, paths)), Counter[tuple[str, str]]()
    for path in paths:
        for word in set(WORD.findall(IN_BRACES.sub("", path))):
            if "async" not in word.lower():
                continue
            for other in (re.sub("a(?=sync)", "", word, flags=re.IGNORECASE), *SYNC_WORDS):
                if shape(_replaced(path, word, other)) in shapes:
                    pairs[other, word] += 1
    return pairs.most_common(1)[0][0] if pairs else None


def _replaced(path: str, word: str, by: str) -> str:
    """Return `path` with a whole `word` replaced once, outside of parameters."""
    whole = re.compile(rf"(?<![A-Za-z0-9]){re.escape(word.strip('/'))}(?![A-Za-z0-9])")
    parts = IN_BRACES.split(path)
    for number in range(0, len(parts), 2):
        parts[number], count = whole.subn(lambda _: by, parts[number], count=1)
        if count:
            break
    return "".join(parts)


def _operations(
    document: Document, methods: Iterable[str]
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        for method in methods:
            if isinstance(operation := _mapping(item).get(method), dict):
                yield path, item, operation


def _required(
    document: Document, item: Mapping[str, Any], operation: Mapping[str, Any]
) -> Iterator[Parameter]:
    """Yield the required parameters of an operation; its own replace those of its path."""
    found: dict[tuple[str, str], Parameter] = {}
    for given in (*_list(item.get("parameters")), *_list(operation.get("parameters"))):
        parameter = _resolved(document, given)
        name, place = parameter.get("name"), parameter.get("in")
        if isinstance(name, str) and (parameter.get("required") or place == "path"):
            values = tuple(dict.fromkeys(_values(document, parameter)))
            found[name, str(place)] = Parameter(name, place, values)  # type: ignore[arg-type]
    yield from found.values()


def _values(document: Document, parameter: Mapping[str, Any]) -> Iterator[str]:
    """Yield described values of a parameter, then one by its type."""
    schema = _resolved(document, parameter.get("schema"))
    combined = [each for key in ("anyOf", "oneOf", "allOf") for each in _list(schema.get(key))]
    schemas = [schema, *(_resolved(document, each) for each in combined)]
    examples = _mapping(parameter.get("examples")).values()
    described = [parameter.get("example"), *(_mapping(each).get("value") for each in examples)]
    for value in (*described, *(value for each in schemas for value in _described(each))):
        if isinstance(value, str | int | float) and value != "":
            yield json.dumps(value) if isinstance(value, bool) else str(value)
    for each in schemas:
        kind = str(each.get("type"))
        if kind == "string" and not each.get("format") and parameter.get("in") == "path":
            yield "1"
        elif kind in BY_TYPE:
            yield BY_TYPE[kind]


def _described(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield from (schema.get("default"), schema.get("example"), *_list(schema.get("examples"))[:1])
    yield from (schema.get("const"), *_list(schema.get("enum"))[:1], schema.get("minimum"))
    if isinstance(bound := schema.get("exclusiveMinimum"), int | float):
        yield bound + 1


def _resolved(document: Document, node: object) -> Mapping[str, Any]:
    """Return `node`, or what its `$ref` refers to inside of `document`."""
    found = _mapping(node)
    for _ in range(MAX_REFERENCES):
        reference = found.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return found
        found = document
        for key in reference[2:].split("/"):
            found = _mapping(found.get(key.replace("~1", "/").replace("~0", "~")))
    return {}


def _mapping(node: object) -> Mapping[str, Any]:
    return node if isinstance(node, dict) else {}


def _list(node: object) -> list[Any]:
    return node if isinstance(node, list) else []
