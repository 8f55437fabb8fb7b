"""Requests of a scenario, and the bytes in which they are sent.

Placeholders are filled in when a request is sent: `{1..2000}` is a random whole number, `{token}` a
value that an earlier setup request captured from its response, or of a row of the feed. The vars of
a target are filled in before, because they are part of the path: `api/v1` keeps its slash.
"""

import functools
import json
import mimetypes
import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar
from urllib.parse import quote, urlencode

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

# Linux takes 128 KiB for an argument, or for a variable with its name.
MAX_SYSTEM_BYTES = 60_000
# Of a number in a range: it stays below 2**63, as the identifiers of databases do.
MAX_DIGITS = 18
# Set by the client: another value would end a request early, so that its rest is taken for the
# next one, or begin another protocol.
FRAMING = ("content-length", "transfer-encoding", "trailer", "te", "upgrade", "http2-settings")
CONNECTION = ("close", "keep-alive")
# Fixed, so that the same request is the same bytes; random enough to occur in no file.
BOUNDARY = "twinbench-8f3a1c5e7d9b2046"
WITH_BODY = {"POST", "PUT", "PATCH"}
# Uploads kept as they are sent: more than a scenario has, so that each file is read once.
CACHED_UPLOADS = 32

VISIBLE_ASCII = re.compile(r"[!\"$-~]+")  # without '#', which begins a browser's fragment
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
NAME = "[a-z_][a-z0-9_]*"
PLACEHOLDER = re.compile(rf"\{{(?:(?P<low>\d+)\.\.(?P<high>\d+)|(?P<name>{NAME}))\}}")
Given = TypeVar("Given", str, Path)
Replace = Callable[[re.Match[str]], str]


def _url_path(path: str) -> str:
    if not path.startswith("/") or not VISIBLE_ASCII.fullmatch(path):
        raise ValueError(
            "a path begins with '/' and holds visible ASCII characters but '#'; write others as"
            " %20 and the like"
        )
    return path


def _header_name(name: str) -> str:
    if not TOKEN.fullmatch(name):
        raise ValueError("a header's name is made of letters, digits and !#$%&'*+-.^_`|~ only")
    if name.lower() in FRAMING:
        raise ValueError("the client sets this header itself; leave it out")
    return name


def _header_value(value: str) -> str:
    # A line break would end the header, and begin another.
    if not value.replace("\t", " ").isprintable():
        raise ValueError("a header's value holds printable characters, spaces and tabs only")
    return value


def _var(value: str) -> str:
    if PLACEHOLDER.search(value):
        raise ValueError("placeholders are not filled in here")
    return value


def _system_text(value: Given) -> Given:
    if "\0" in str(value):
        raise ValueError("holds a NUL byte, which ends a text for the system")
    if len(str(value).encode()) > MAX_SYSTEM_BYTES:
        raise ValueError(f"longer than {MAX_SYSTEM_BYTES:,} bytes, the most the system takes")
    return value


# A value beyond these limits is a typing error. TOML has types: neither "8" nor true is 8.
Whole = Annotated[int, Field(strict=True)]
Count = Annotated[Whole, Field(ge=1)]
Weight = Annotated[Count, Field(le=1_000_000)]  # sums of weights stay exact
Status = Annotated[Whole, Field(ge=100, le=599)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
# Written in braces: of a var, a captured value, or a column of the feed.
ValueName = Annotated[str, StringConstraints(pattern=f"^{NAME}$", max_length=40)]
VarValue = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_var)]
CapturePath = Annotated[str, StringConstraints(max_length=200)]
# Passed to the system when a file is opened or a program is started.
SystemText = Annotated[str, AfterValidator(_system_text)]
SystemPath = Annotated[Path, AfterValidator(_system_text)]

PerSetup = Literal["server", "user"]

Captures = Mapping[str, str]
NO_CAPTURES: Captures = MappingProxyType({})


class Strict(BaseModel):
    """Immutable model that refuses unknown keys, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BaseRequest(Strict):
    """HTTP request; path, headers, body and form may hold placeholders."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: UrlPath
    headers: dict[HeaderName, HeaderValue] = {}
    body: dict[str, JsonValue] | None = Field(default=None, description="sent as JSON")
    form: dict[str, str] | None = Field(default=None, description="sent URL-encoded")
    upload: dict[str, SystemPath] | None = Field(
        default=None,
        min_length=1,
        description="form field: file, sent as multipart/form-data; the path is relative to the"
        " TOML file in which it is written",
    )
    expect: Status = Field(default=200, description="the status of a correct response")

    @field_validator("headers")
    @classmethod
    def _headers_are_sent_once(cls, headers: dict[str, str]) -> dict[str, str]:
        names: set[str] = set()
        for name, value in headers.items():
            if name.lower() in names:
                raise ValueError(f"'{name}' is given twice; header names ignore case")
            names.add(name.lower())
            if name.lower() == "connection" and value.lower() not in CONNECTION:
                raise ValueError(f"'{name}' may be {' or '.join(CONNECTION)}")
        return headers

    @model_validator(mode="after")
    def _has_one_payload(self) -> Self:
        given = [name for name in ("body", "form", "upload") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give only one of {' and '.join(given)}")
        if self.upload and any(name.lower() == "content-type" for name in self.headers):
            raise ValueError("an upload has a Content-Type of its own; leave that header out")
        return self

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for found in self._placeholders():
            if max(len(found["low"] or ""), len(found["high"] or "")) > MAX_DIGITS:
                raise ValueError(f"a number of a range has at most {MAX_DIGITS} digits")
            if found["low"] and int(found["low"]) > int(found["high"]):
                raise ValueError(f"{found[0]} is empty: write the smaller number first")
        return self

    @property
    def label(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    @property
    def has_range(self) -> bool:
        """Whether it holds a range, so that it is not the same each time."""
        return any(found["low"] for found in self._placeholders())

    @property
    def names(self) -> list[str]:
        """Names in braces."""
        return [found["name"] for found in self._placeholders() if found["name"]]

    def with_vars(self, values: Mapping[str, str]) -> Self:
        """Return it with the vars of a target filled in.

        Raises ValueError if they cannot be part of its path or of a header.
        """
        if not values.keys() & set(self.names):
            return self

        def replace(found: re.Match[str]) -> str:
            return values.get(found["name"] or "", found[0])

        fields = ("path", "headers", "body", "form")
        update = {name: _fill(getattr(self, name), replace) for name in fields}
        _check_slashes(self.path, _url_path(update["path"]))
        for value in update["headers"].values():
            _header_value(value)
        return self.model_copy(update=update)

    def _placeholders(self) -> Iterator[re.Match[str]]:
        for text in _texts([self.path, self.headers, self.body, self.form]):
            yield from PLACEHOLDER.finditer(text)


class Request(BaseRequest):
    """Request of the load, as frequent as its `weight`."""

    weight: Weight = 1
    background: bool = Field(default=False, strict=True, description="adds load, and is not timed")


class SetupRequest(BaseRequest):
    """Request that is sent to each fresh server before the load: once, or once for each user."""

    per: PerSetup = Field(
        default="server", description="user: sent once for each user, and captured for that user"
    )
    capture: dict[ValueName, CapturePath] = Field(
        default={}, description="name: dotted path of its value in the JSON response"
    )

    @property
    def label(self) -> str:
        """Method and path, marked as setup."""
        return f"setup: {super().label}"


class Rendered(NamedTuple):
    """Bytes of a request; equal uploads share one body."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        """Head and body, copied."""
        return self.head + self.body


def render(
    request: BaseRequest, netloc: str, rng: random.Random, captures: Captures = NO_CAPTURES
) -> Rendered:
    """Return `request` to the host `netloc` as HTTP/1.1, its placeholders filled in."""

    def replace(found: re.Match[str]) -> str:
        # In one pass: a captured value may look like a placeholder, and is none.
        if found["name"]:
            return captures.get(found["name"], found[0])
        return str(rng.randint(int(found["low"]), int(found["high"])))

    def replace_quoted(found: re.Match[str]) -> str:
        value = captures.get(found["name"] or "")
        return replace(found) if value is None else quote(value, safe="")

    own = _fill(request.headers, replace)
    content_type, body = _payload(request, replace)
    headers = {"Host": netloc, "Accept": "*/*", "User-Agent": "twinbench"}
    if content_type:
        headers["Content-Type"] = content_type
    # The plan's headers replace ours, whatever the case of their names.
    names = {name.lower() for name in own}
    headers = {name: value for name, value in headers.items() if name.lower() not in names} | own
    if content_type or request.method in WITH_BODY:  # some servers insist on it, be it 0
        headers["Content-Length"] = str(len(body))
    lines = [f"{request.method} {_fill(request.path, replace_quoted)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return Rendered("\r\n".join([*lines, "", ""]).encode(), body)


def _check_slashes(template: str, path: str) -> None:
    # A query may hold a URL. Errors of the preflight show only the template.
    if "//" in path.partition("?")[0] and "//" not in template:
        raise ValueError(f"the path becomes '{path}': remove one of the slashes")


def _payload(request: BaseRequest, replace: Replace) -> tuple[str, bytes]:
    """Return content type and body; both are empty where there is none."""
    if request.body is not None:
        return "application/json", json.dumps(_fill(request.body, replace)).encode()
    if request.form is not None:
        form = urlencode(_fill(request.form, replace))
        return "application/x-www-form-urlencoded", form.encode()
    if request.upload is not None:
        return f"multipart/form-data; boundary={BOUNDARY}", _multipart(*request.upload.items())
    return "", b""


@functools.lru_cache(maxsize=CACHED_UPLOADS)
def _multipart(*files: tuple[str, Path]) -> bytes:
    parts = []
    for field, path in files:
        content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        head = (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="{_quoted(field)}";'
            f' filename="{_quoted(path.name)}"\r\n'
            f"Content-Type: {content_type}\r\n\r\n"
        )
        parts += [head.encode(), path.read_bytes(), b"\r\n"]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _quoted(text: str) -> str:
    # As browsers write names in a multipart head.
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _fill(value: Any, replace: Replace) -> Any:
    if isinstance(value, str):
        return PLACEHOLDER.sub(replace, value)
    if isinstance(value, Mapping):
        return {name: _fill(item, replace) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, replace) for item in value]
    return value


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in `value` that may hold a placeholder."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
