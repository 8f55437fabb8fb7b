"""Plans and scenarios from TOML files.

A plan that is not understood is refused whole, with the file, the key and the nearest known
key: a misspelt `measure_s` that silently fell back to a default would be a false result.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from twinbench.paths import ROOT
from twinbench.plan.models import Plan, Scenario, Target, nearest
from twinbench.plan.requests import Before, Request

SCENARIOS = ROOT / "loadtests" / "scenarios"


class PlanError(Exception):
    """A plan that cannot be carried out: one sentence that names the file and the key."""


def read_plan(path: Path) -> Plan:
    """The plan in the TOML file `path`, scenarios filled in. Raises PlanError."""
    data = _read_toml(path, "plan")
    scenarios = data.get("scenarios")
    if isinstance(scenarios, list):
        data["scenarios"] = [_resolve(item, n, path) for n, item in enumerate(scenarios)]
    return _anchored(_validated(data, path), path)


def read_scenario(name: str) -> dict[str, Any]:
    """The table in `loadtests/scenarios/<name>.toml`. Raises PlanError."""
    path = SCENARIOS / f"{name}.toml"
    return _with_uploads(_read_toml(path, "scenario"), path, "")


def scenario_names() -> list[str]:
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def _anchored(plan: Plan, path: Path) -> Plan:
    """`plan` with the paths of its targets made absolute: they are meant from its file."""
    targets = []
    for n, target in enumerate(plan.targets):
        found = {}
        if target.cwd:
            found["cwd"] = (path.parent / target.cwd).absolute()
            if not found["cwd"].is_dir():
                raise PlanError(f"{path}: targets[{n}].cwd: there is no folder {target.cwd}")
        if target.python:
            # Not resolved: the python of a virtual environment is a link that must stay one.
            found["python"] = (path.parent / target.python).absolute()
            if not found["python"].is_file():
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
            f"{path}: scenarios[{n}].use: there is no scenario '{use}'"
            f"{nearest(use, scenario_names())}"
        )
    return {"name": use} | read_scenario(use) | item


def _with_uploads(scenario: dict[str, Any], path: Path, where: str) -> dict[str, Any]:
    """`scenario` as it stands in `path`, the files to upload made absolute: they are meant from
    there. What is not of the right type is left for the models to refuse."""
    found = dict(scenario)
    for key in ("before", "requests"):
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
            if not files[field].is_file():
                raise PlanError(f"{path}: {where}.{field}: there is no file {name}")
    return request | {"upload": files}


def _read_toml(path: Path, what: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"{path}: there is no such {what} file") from None
    except OSError as error:
        raise PlanError(f"{path}: this {what} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise PlanError(f"{path}: not a text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path}: not valid TOML: {error}") from None


def _validated(data: dict[str, Any], path: Path) -> Plan:
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        # A misspelt key also misses the right one: the misspelling is what helps.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        where = _dotted(first["loc"])
        if first["type"] == "extra_forbidden":
            key = str(first["loc"][-1])
            what = f"unknown key '{key}'{nearest(key, _keys_at(first['loc'][:-1]))}"
            where = _dotted(first["loc"][:-1])
        elif first["type"] == "missing":
            what = f"'{first['loc'][-1]}' is missing"
            where = _dotted(first["loc"][:-1])
        else:
            what = first["msg"].removeprefix("Value error, ")
            if not first["type"].startswith("value_error"):
                what += f", not {first['input']!r}"
        raise PlanError(": ".join(part for part in (str(path), where, what) if part)) from None


def _keys_at(loc: Sequence[str | int]) -> list[str]:
    """The keys that may stand at `loc`, whose last name is a field holding models."""
    inner: dict[str, type[BaseModel]] = {
        "targets": Target,
        "scenarios": Scenario,
        "before": Before,
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
    """Return `key`; quoted where it would not be seen."""
    return key if key and key.isprintable() else repr(key)
