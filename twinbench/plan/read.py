"""Plans and scenarios from TOML files.

A plan that is not understood is refused whole, with the file, the key and the nearest known
key: a misspelt `measure_s` that silently fell back to a default would be a false result.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from twinbench.errors import UserError, one_line
from twinbench.paths import ROOT
from twinbench.plan.models import Plan, Scenario, Target, nearest
from twinbench.plan.requests import Request, SetupRequest

SCENARIOS = ROOT / "loadtests" / "scenarios"
# Fifty times our longest plan; to read and check as much takes a second or two.
MOST_BYTES = 1 << 18
# A plan needs five levels, and has a JSON body in them. Far more would be a body that no server
# takes, and that Python cannot print.
MOST_LEVELS = 50
MOST_BITS = 13_000  # 3,900 digits; Python prints 4,300
# For a key of n parts tomllib takes the square of n steps.
KEY = r"""(?:[\w-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
LONG_KEY = re.compile(rf"(?:^|[\[{{,])[ \t]*(?:{KEY}[ \t]*\.[ \t]*){{{MOST_LEVELS}}}", re.MULTILINE)
TOO_DEEP = f"nested more than {MOST_LEVELS} levels deep"
TOO_BIG = "a number has thousands of digits"
# An upload is held in memory, once for each process of the generator.
MOST_UPLOAD_BYTES = 1 << 28
# Of a key, and of a value, in a sentence.
MOST_SHOWN = 60


class PlanError(UserError):
    """A plan that cannot be carried out: one sentence that names the file and the key."""


def read_plan(path: Path) -> Plan:
    """The plan in the TOML file `path`, scenarios filled in. Raises PlanError."""
    data = _read_toml(path, "plan")
    scenarios = data.get("scenarios")
    if isinstance(scenarios, list):
        data["scenarios"] = [_resolve(item, n, path) for n, item in enumerate(scenarios)]
    return _with_absolute_paths(_validated(data, path), path)


def read_scenario(name: str) -> dict[str, Any]:
    """The table in `loadtests/scenarios/<name>.toml`. Raises PlanError."""
    path = SCENARIOS / f"{name}.toml"
    return _with_uploads(_read_toml(path, "scenario"), path, "")


def scenario_names() -> list[str]:
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def _with_absolute_paths(plan: Plan, path: Path) -> Plan:
    """`plan` with the paths of its targets made absolute: they are meant from its file."""
    targets = []
    for n, target in enumerate(plan.targets):
        found = {}
        if target.cwd:
            found["cwd"] = (path.parent / target.cwd).absolute()
            if not _is(found["cwd"], Path.is_dir):
                raise PlanError(f"{path}: targets[{n}].cwd: there is no folder {target.cwd}")
        if target.python:
            # Not resolved: the python of a virtual environment is a link that must stay one.
            found["python"] = (path.parent / target.python).absolute()
            if not _is(found["python"], Path.is_file):
                raise PlanError(f"{path}: targets[{n}].python: there is no file {target.python}")
        targets.append(target.model_copy(update=found))
    return plan.model_copy(update={"targets": targets})


def _resolve(item: Any, n: int, path: Path) -> Any:
    """A scenario of the plan, with what its `use` names filled in beneath it."""
    if not isinstance(item, dict):
        return item
    item = _with_uploads(item, path, f"scenarios[{n}].")
    if "use" not in item:
        return item
    use = str(item.pop("use"))
    if use not in scenario_names():
        raise PlanError(
            f"{path}: scenarios[{n}].use: there is no scenario '{one_line(use, MOST_SHOWN)}'"
            f"{nearest(use, scenario_names())}"
        )
    return {"name": use} | read_scenario(use) | item


def _with_uploads(scenario: dict[str, Any], path: Path, where: str) -> dict[str, Any]:
    """`scenario` as it stands in `path`, the files to upload made absolute: they are meant from
    there. What is not of the right type is left for the models to refuse."""
    found = dict(scenario)
    for key in ("setup", "requests"):
        if isinstance(requests := scenario.get(key), list):
            found[key] = [
                _with_files(request, path, f"{where}{key}[{n}].upload")
                for n, request in enumerate(requests)
            ]
    return found


def _with_files(request: Any, path: Path, where: str) -> Any:
    if not isinstance(request, dict) or not isinstance(request.get("upload"), dict):
        return request
    files = dict(request["upload"])
    for field, name in files.items():
        if isinstance(name, str) and "\0" not in name:
            files[field] = (path.parent / name).absolute()
            if not _is(files[field], Path.is_file):
                raise PlanError(f"{path}: {where}.{_shown(field)}: there is no file {name}")
            if files[field].stat().st_size > MOST_UPLOAD_BYTES:
                most = MOST_UPLOAD_BYTES >> 20
                raise PlanError(f"{path}: {where}.{_shown(field)}: {name} is above {most} MiB")
    return request | {"upload": files}


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    """Whether `path` is of the `kind`; no path that the system refuses is."""
    try:
        return kind(path)
    except OSError:  # a name that is too long
        return False


def _read_toml(path: Path, what: str) -> dict[str, Any]:
    try:
        # With a byte-order mark as some editors write it.
        text = _read_bytes(path, what).decode("utf-8-sig")
        if LONG_KEY.search(text):
            raise PlanError(f"{path}: {TOO_DEEP}")
        found = tomllib.loads(text)
    except UnicodeDecodeError:
        raise PlanError(f"{path}: not a text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path}: not valid TOML: {error}") from None
    except ValueError:  # of int(), which takes no more digits
        raise PlanError(f"{path}: {TOO_BIG}") from None
    except RecursionError:
        raise PlanError(f"{path}: {TOO_DEEP}") from None
    _check_printable(found, path)
    return found


def _read_bytes(path: Path, what: str) -> bytes:
    try:
        str(path.absolute()).encode()
        # Not opened otherwise: a pipe may never end, nor begin.
        if path.exists() and not path.is_file():
            raise PlanError(f"{path}: this {what} is not a regular file")
        with path.open("rb") as file:
            found = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise PlanError(f"{path}: there is no such {what} file") from None
    except OSError as error:
        raise PlanError(f"{path}: this {what} cannot be read ({error.strerror})") from None
    except UnicodeEncodeError:  # JSON, in which it is kept, cannot hold it
        raise PlanError(f"{path}: the path of a {what} is not in UTF-8; rename it") from None
    if len(found) > MOST_BYTES:
        raise PlanError(f"{path}: this {what} is longer than {MOST_BYTES >> 10} KiB")
    return found


def _check_printable(data: dict[str, Any], path: Path) -> None:
    """Raise PlanError if `data` is nested too deeply, or a number in it is too big, for Python to
    print it, as for a sentence or as JSON."""
    level: list[Any] = [data]
    for _ in range(MOST_LEVELS):
        level = [inner for item in level for inner in _inside(item)]
        # In hexadecimal they may be of any length.
        if any(isinstance(item, int) and item.bit_length() > MOST_BITS for item in level):
            raise PlanError(f"{path}: {TOO_BIG}")
        if not level:
            return
    raise PlanError(f"{path}: {TOO_DEEP}")


def _inside(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _validated(data: dict[str, Any], path: Path) -> Plan:
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        # A misspelt key also misses the right one: the misspelling is what helps.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        where, what = _refused(first)
        raise PlanError(": ".join(part for part in (str(path), where, what) if part)) from None


def _refused(error: ErrorDetails) -> tuple[str, str]:
    """Where something is wrong, and what."""
    loc, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        key = str(loc[-1])
        known = nearest(key, _keys_at(loc[:-1]))
        return _dotted(loc[:-1]), f"unknown key '{one_line(key, MOST_SHOWN)}'{known}"
    if kind == "missing":
        return _dotted(loc[:-1]), f"'{loc[-1]}' is missing"
    what, given = error["msg"].removeprefix("Value error, "), error["input"]
    if kind == "int_type" and isinstance(given, float):
        what += ", written without point and exponent"
    # A float is not shown: 1e9 would be 1000000000.0, which is not what was written.
    elif kind not in ("value_error", "too_long") and not isinstance(given, float):
        written = json.dumps(given, default=str, ensure_ascii=False)  # much like TOML
        what += f", not {one_line(written, MOST_SHOWN)}"
    return _dotted(loc), what


def _keys_at(loc: Sequence[str | int]) -> list[str]:
    """The keys that may stand at `loc`, whose last name is a field holding models."""
    inner: dict[str, type[BaseModel]] = {
        "targets": Target,
        "scenarios": Scenario,
        "setup": SetupRequest,
        "requests": Request,
    }
    names = [part for part in loc if isinstance(part, str)]
    keys = list(inner[names[-1]].model_fields if names else Plan.model_fields)
    return [*keys, "use"] if names == ["scenarios"] else keys


def _dotted(loc: Sequence[str | int]) -> str:
    # Pydantic ends with "[key]" where a key itself is refused.
    parts = loc[:-1] if loc and loc[-1] == "[key]" else loc
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in parts)
    return text.removeprefix(".")


def _shown(key: str) -> str:
    """Return `key`; quoted where it would not be seen, without its middle if it is long."""
    return one_line(key if key and key.isprintable() else repr(key), MOST_SHOWN)
