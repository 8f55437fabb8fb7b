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
    model_validator,
)

# In TOML a number is a number: neither "8" nor true.
Whole = Annotated[int, Field(strict=True)]
Count = Annotated[Whole, Field(ge=1)]
# A line break in a header would end it, and begin another.
OneLine = Annotated[str, StringConstraints(pattern=r"^[^\r\n]*$")]
TakenName = Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
Given = TypeVar("Given", str, Path)


def _without_nul(value: Given) -> Given:
    if "\0" in str(value):
        raise ValueError("holds a NUL byte, which the system takes for the end of a text")
    return value


# What is handed to the system when a file is opened or a program started.
SystemText = Annotated[str, AfterValidator(_without_nul)]
SystemPath = Annotated[Path, AfterValidator(_without_nul)]
PLACEHOLDER = re.compile(r"\{(?:(?P<low>\d+)\.\.(?P<high>\d+)|(?P<name>[a-z_]+))\}")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BaseRequest(Strict):
    """One HTTP request; path, headers, body and form may hold placeholders."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$")]
    headers: dict[str, OneLine] = {}
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

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for found in self._placeholders():
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

    weight: Count = 1
    neighbour: bool = Field(
        default=False,
        strict=True,
        description="it is there to be in the way of others: load, whose latency does not count",
    )


class Before(BaseRequest):
    """A request that is sent once to each fresh server, before any load."""

    take: dict[TakenName, str] = Field(
        default={}, description="name: dotted path of its value in the JSON answer"
    )

    @property
    def label(self) -> str:
        return f"before: {super().label}"


def _texts(value: Any) -> Iterator[str]:
    """Every string in `value` that may hold a placeholder."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
