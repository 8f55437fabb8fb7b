"""What is sent: a scenario's requests, and those that come before any load.

Two kinds of braces are filled in when a request is sent: `{1..2000}` is a random whole number,
`{token}` a value that an earlier `before` request took from its answer.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

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

# In TOML a number is a number: neither "8" nor true.
Whole = Annotated[int, Field(strict=True)]
Count = Annotated[Whole, Field(ge=1)]
# Requests differ by weight in steps that 4,096 drawn ones can show; sums of weights stay numbers.
MOST_WEIGHT = 1_000_000
# Of a number in a range: it stays below 2**63, as the identifiers of databases do.
MOST_DIGITS = 18
# Linux takes 128 KiB for an argument, or for a variable with its name.
MOST_SYSTEM_BYTES = 60_000
# Set by the client: another value than its own would end a request early, so that its rest is
# taken for the next one, or begin another protocol.
FRAMING = ("content-length", "transfer-encoding", "trailer", "te", "upgrade", "http2-settings")
CONNECTION = ("close", "keep-alive")
SENT = re.compile(r"[!\"$-~]+")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
Given = TypeVar("Given", str, Path)


def _path(path: str) -> str:
    # After '#' would be what a browser keeps for itself.
    if not path.startswith("/") or not SENT.fullmatch(path):
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
    """A line break would end the header, and begin another. Not ASCII: sent as UTF-8."""
    if not value.replace("\t", " ").isprintable():
        raise ValueError("a header's value holds printable characters, spaces and tabs only")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
CaptureName = Annotated[str, StringConstraints(pattern=r"^[a-z_]+$", max_length=40)]
# Dotted; no answer is so deep that its values need longer ones.
CapturePath = Annotated[str, StringConstraints(max_length=200)]


def _for_the_system(value: Given) -> Given:
    if "\0" in str(value):
        raise ValueError("holds a NUL byte, which the system takes for the end of a text")
    if len(str(value).encode()) > MOST_SYSTEM_BYTES:
        raise ValueError(f"longer than {MOST_SYSTEM_BYTES:,} bytes, which no program is given")
    return value


# What is handed to the system when a file is opened or a program started.
SystemText = Annotated[str, AfterValidator(_for_the_system)]
SystemPath = Annotated[Path, AfterValidator(_for_the_system)]
PLACEHOLDER = re.compile(r"\{(?:(?P<low>\d+)\.\.(?P<high>\d+)|(?P<name>[a-z_]+))\}")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BaseRequest(Strict):
    """One HTTP request; path, headers, body and form may hold placeholders."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: Annotated[str, AfterValidator(_path)]
    headers: dict[HeaderName, HeaderValue] = {}
    body: dict[str, JsonValue] | None = Field(default=None, description="sent as JSON")
    form: dict[str, str] | None = Field(default=None, description="sent URL-encoded")
    upload: dict[str, SystemPath] | None = Field(
        default=None,
        min_length=1,
        description="form field: file to send as multipart/form-data; the path is meant from the"
        " file in which it is written",
    )
    expect: Whole = Field(default=200, ge=100, le=599, description="the status of a good answer")

    @model_validator(mode="after")
    def _one_payload(self) -> Self:
        given = [name for name in ("body", "form", "upload") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give only one of {' and '.join(given)}")
        return self

    @field_validator("headers")
    @classmethod
    def _headers_are_sent_once(cls, headers: dict[str, str]) -> dict[str, str]:
        names: set[str] = set()
        for name, value in headers.items():
            if name.lower() in names:
                raise ValueError(f"'{name}' stands twice; the case of its letters does not count")
            names.add(name.lower())
            if name.lower() == "connection" and value.lower() not in CONNECTION:
                raise ValueError(f"'{name}' may be {' or '.join(CONNECTION)}")
        return headers

    @model_validator(mode="after")
    def _upload_has_its_type(self) -> Self:
        if self.upload and any(name.lower() == "content-type" for name in self.headers):
            raise ValueError("an upload has a Content-Type of its own; leave that header out")
        return self

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for found in self._placeholders():
            if max(len(found["low"] or ""), len(found["high"] or "")) > MOST_DIGITS:
                raise ValueError(f"a number of a range has at most {MOST_DIGITS} digits")
            if found["low"] and int(found["low"]) > int(found["high"]):
                raise ValueError(f"{found[0]} is empty: write the smaller number first")
        return self

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_drawn(self) -> bool:
        """Whether it holds a range, so that it is not the same each time."""
        return any(found["low"] for found in self._placeholders())

    def names(self) -> list[str]:
        """The names of values that it wants to be filled in."""
        return [found["name"] for found in self._placeholders() if found["name"]]

    def _placeholders(self) -> Iterator[re.Match[str]]:
        for text in _texts([self.path, self.headers, self.body, self.form]):
            yield from PLACEHOLDER.finditer(text)


class Request(BaseRequest):
    """One kind of request under load, as often as its `weight` says."""

    weight: Annotated[Count, Field(le=MOST_WEIGHT)] = 1
    background: bool = Field(
        default=False,
        strict=True,
        description="it is there to be in the way of others: load, whose latency does not count",
    )


class SetupRequest(BaseRequest):
    """A request that is sent once to each fresh server, before any load."""

    capture: dict[CaptureName, CapturePath] = Field(
        default={}, description="name: dotted path of its value in the JSON answer"
    )

    @property
    def label(self) -> str:
        return f"setup: {super().label}"


def _texts(value: Any) -> Iterator[str]:
    """Every string in `value` that may hold a placeholder."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
