"""What was seen of a target: every fact a text, so that one comparison serves them all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from twinbench.plan import Aspect

# Only a server that can be asked tells these, or tells when they are complete.
INSIDE: tuple[Aspect, ...] = (
    "SQL",
    "commits",
    "final database",
    "upstream requests",
    "files",
    "settings",
)


class Key(NamedTuple):
    """Where something was seen, and what."""

    where: str
    aspect: Aspect


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was seen of one target from its start to its last request, in that order.

    `blind` is why the server could not be asked, empty if it could; `uses_sql` whether its app
    has SQLAlchemy; `styles` how its drivers write parameters; `files` and `others` how many
    SQLite files it used, and which other databases; `partly` is what was not wholly seen, and why.
    `conditions` decide its speed and are no work: name and value.
    `env` and `options` are the plan's; a command's options are not known. `unseen` is in what its
    observer has failed, and why.
    """

    target: str
    requests: int
    facts: Mapping[Key, str]
    blind: str = ""
    uses_sql: bool = False
    styles: tuple[str, ...] = ()
    files: int = 0
    others: tuple[str, ...] = ()
    partly: Mapping[Aspect, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, int | None] = field(default_factory=dict)
    unseen: Mapping[Aspect, str] = field(default_factory=dict)


def not_comparable(one: Seen, other: Seen) -> dict[Aspect, str]:
    """The aspects in which two targets cannot be compared, each with the reason."""
    found: dict[Aspect, str] = {}
    if not any(key.aspect == "OpenAPI" for seen in (one, other) for key in seen.facts):
        found["OpenAPI"] = "neither serves /openapi.json"
    for seen in (one, other):
        if seen.blind:
            return found | dict.fromkeys(INSIDE, seen.blind)
    # What was seen of only one would be a difference that is none.
    found |= {**one.unseen, **other.unseen}
    if not (one.uses_sql or other.uses_sql):
        found |= dict.fromkeys(("SQL", "commits"), "neither app uses SQLAlchemy")
    if one.styles and other.styles and one.styles != other.styles:
        styles = " and ".join(" + ".join(seen.styles) for seen in (one, other))
        found["SQL"] = f"their drivers write parameters in different ways: {styles}"
    if others := sorted({*one.others, *other.others}):
        found["final database"] = f"{', '.join(others)}: only SQLite files can be read"
    elif not (one.files or other.files):
        found["final database"] = "no SQLite file was used"
    return found


def not_seen(one: Seen, other: Seen) -> dict[Aspect, str]:
    """The aspects in which two targets were compared, but not wholly, each with the reason."""
    found: dict[Aspect, str] = {}
    for aspect in {**one.partly, **other.partly}:
        reasons = (seen.partly.get(aspect, "") for seen in (one, other))
        found[aspect] = "; ".join(filter(None, dict.fromkeys(reasons)))
    return found


def unequal_variables(one: Seen, other: Seen) -> list[str]:
    """The names of the variables that the plan sets differently for two targets."""
    return sorted(
        name for name in {*one.env, *other.env} if one.env.get(name) != other.env.get(name)
    )


def unequal_options(one: Seen, other: Seen) -> list[str]:
    """The options that the plan gives two targets differently, where nobody else tells them."""
    if not (one.blind or other.blind) or not (one.options and other.options):
        return []
    return [
        f"{name}: {value} | {other.options.get(name)}"
        for name, value in one.options.items()
        if other.options.get(name) != value
    ]


def conditions_of(one: Seen, other: Seen) -> dict[str, str]:
    """The conditions of two targets: the value of both, or the two values."""
    return {
        name: " | ".join(dict.fromkeys(_condition(seen, name) for seen in (one, other)))
        for name in {**one.conditions, **other.conditions}
    }


def _condition(seen: Seen, name: str) -> str:
    return seen.conditions.get(name, "not seen" if seen.blind else "none")
