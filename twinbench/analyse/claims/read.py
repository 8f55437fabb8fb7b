"""Claims from their file. One that is not understood is refused, with the claim and the key: a
misspelt threshold that silently fell away would be a false verdict."""

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from twinbench.analyse.claims.alone import Interference, Level
from twinbench.analyse.claims.versus import Difference, Plateau, Ratio, Stops
from twinbench.paths import ROOT
from twinbench.plan.models import Name, nearest
from twinbench.plan.requests import Strict
from twinbench.store import StoreError

CLAIMS = ROOT / "twinbench" / "claims.toml"

AnyCondition = Annotated[
    Ratio | Plateau | Stops | Difference | Level | Interference, Field(discriminator="kind")
]
KINDS: dict[str, type[BaseModel]] = {
    "ratio": Ratio,
    "plateau": Plateau,
    "stops": Stops,
    "difference_ms": Difference,
    "level": Level,
    "interference": Interference,
}
Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class ClaimsError(StoreError):
    """A file of claims that cannot be read: one sentence that names the file, claim and key."""


class Claim(Strict):
    """`text`: the sentence in our words; `source`: who says so, where."""

    id: Name
    text: Words
    source: Words
    conditions: list[AnyCondition] = Field(min_length=1)


class File(Strict):
    claims: list[Claim]

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [claim.id for claim in self.claims]
        if twice := next((name for name in ids if ids.count(name) > 1), None):
            raise ValueError(f"claim '{twice}' stands twice; give each an id of its own")
        return self


def read_claims(path: Path = CLAIMS) -> list[Claim]:
    """Raises ClaimsError."""
    try:
        return File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).claims
    except ValidationError as error:
        # A misspelt key also misses the right one: the misspelling is what helps.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        raise ClaimsError(": ".join(p for p in (str(path), *_said(first)) if p)) from None
    except (OSError, ValueError) as error:
        raise ClaimsError(f"{path}: cannot be read: {error}") from None


def _said(error: ErrorDetails) -> tuple[str, str]:
    """Where, and what is wrong there."""
    where, key = error["loc"][:-1], str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return _dotted(where), f"unknown key '{key}'{nearest(key, _keys_at(where))}"
    if error["type"] == "missing":
        return _dotted(where), f"'{key}' is missing"
    return _dotted(error["loc"]), error["msg"].removeprefix("Value error, ")


def _keys_at(where: tuple[int | str, ...]) -> list[str]:
    """`where`: (), ("claims", 3), or ("claims", 3, "conditions", 0, "ratio")."""
    model = File if not where else KINDS[str(where[4])] if len(where) > 4 else Claim
    return list(model.model_fields)


def _dotted(where: tuple[int | str, ...]) -> str:
    """The kind of a condition, which pydantic adds as the fifth, is no key."""
    keys = where[:4] + where[5:]
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")
