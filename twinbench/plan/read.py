"""Plans and scenarios from TOML files.

A plan that is not understood is refused, with the file, the key and the nearest known key: a
misspelt `measure_s` that fell back to a default would give a wrong result.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from os.path import abspath, isdir, isfile  # pathlib raises OSError for a name that is too long
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from twinbench.models import error_text
from twinbench.paths import NEEDS_CHECKOUT, SCENARIOS
from twinbench.plan.feed import read_feed
from twinbench.plan.models import Plan, Scenario
from twinbench.plan.prepared import check_prepared
from twinbench.plan.requests import Request, SetupRequest
from twinbench.plan.sweep import Sweep, with_sweep
from twinbench.plan.targets import Compare, Service, Started, Target
from twinbench.text import UserError, did_you_mean, one_line

MAX_BYTES = 1 << 18  # fifty times our longest plan; to read and check it takes a second or two
MAX_UPLOAD_BYTES = 1 << 28  # held in memory, once for each process of the generator
# A plan needs five levels, and has a JSON body in them. Python cannot print far more.
MAX_LEVELS = 50
MAX_BITS = 13_000  # 3,900 digits; Python prints 4,300
FEED_KEYS = ("file", "per")
# What pydantic says of Python, and no plan has.
OF_PYTHON = re.compile(r" or instance of \w+| for <class 'pathlib.Path'>")
MAX_SHOWN = 60  # characters of a key or a value in an error
# tomllib takes n² steps for a key of n parts.
KEY = r"""(?:[\w-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
LONG_KEY = re.compile(rf"(?:^|[\[{{,])[ \t]*(?:{KEY}[ \t]*\.[ \t]*){{{MAX_LEVELS}}}", re.MULTILINE)
TOO_DEEP = f"nested more than {MAX_LEVELS} levels deep"
TOO_BIG = "a number has thousands of digits"
T = TypeVar("T", bound=Started)


class PlanError(UserError):
    """Plan that cannot be measured; the message names the file and the key."""


# Keys of a plan that a command replaces; None: the plan's own.
Wishes = Mapping[str, str | int | None]
# What a time without a precision chooses.
CHOSEN = ("blocks", "measure_s")


def read_plan(path: Path, wishes: Wishes | None = None, only: Sequence[str] = ()) -> Plan:
    """Return the plan in the TOML file `path`, its scenarios included. Raises PlanError.

    `wishes` replace keys of the plan: `time`, `precision`, `blocks`. `only`: the names of the
    scenarios to keep; all, if left out.
    """
    data = _read_toml(path, "plan")
    given = [key for key in CHOSEN if key in data]
    if given and "time" in data and "precision" not in data:
        raise _error(path, given[0], "the plan's time chooses it: remove one of them")
    wished = {key: value for key, value in (wishes or {}).items() if value is not None}
    data |= wished
    if "blocks" in wished and "time" in data and "precision" not in data:
        where = "--time" if "time" in wished else "the plan's time"
        raise _error(path, "--blocks", f"{where} chooses it: leave one of them out")
    scenarios = data.get("scenarios")
    if isinstance(scenarios, list):
        data["scenarios"] = [_with_use(item, n, path) for n, item in enumerate(scenarios)]
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        # A misspelt key also misses the right one: the misspelling is what helps.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        raise _error(path, *_explained(first)) from None
    for n, scenario in enumerate(plan.scenarios):
        if too_many := check_prepared(scenario):
            raise _error(path, f"scenarios[{n}]", too_many)
    return _with_sweep(_with_absolute_paths(_with_only(plan, only, path), path), path)


def read_scenario(name: str) -> dict[str, Any]:
    """Return the table in `loadtests/scenarios/<name>.toml`. Raises PlanError."""
    path = SCENARIOS / f"{name}.toml"
    return _with_files(_read_toml(path, "scenario"), path, "")


def scenario_names() -> list[str]:
    """Return the names of the scenario files."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def _error(path: Path, *parts: str) -> PlanError:
    return PlanError(": ".join(filter(None, (str(path), *parts))))


def _with_use(item: Any, n: int, path: Path) -> Any:
    """Return a scenario of the plan, completed from the scenario file that its `use` names."""
    if not isinstance(item, dict):
        return item
    item = _with_files(item, path, f"scenarios[{n}].")
    if "use" not in item:
        return item
    use = str(item.pop("use"))
    if use not in scenario_names():
        what = f"there is no scenario '{one_line(use, MAX_SHOWN)}'"
        near = did_you_mean(use, scenario_names())
        if not SCENARIOS.is_dir():
            near = f"; a built-in one {NEEDS_CHECKOUT}: give its requests"
        raise _error(path, f"scenarios[{n}].use", what + near)
    return {"name": use} | read_scenario(use) | item


def _with_sweep(plan: Plan, path: Path) -> Plan:
    try:
        return with_sweep(plan)
    except ValueError as error:
        raise _error(path, "sweep", str(error)) from None


def _with_only(plan: Plan, only: Sequence[str], path: Path) -> Plan:
    """Return `plan` with the scenarios that are named `only`; all, if none is."""
    known = [scenario.name for scenario in plan.scenarios]
    for name in only:
        if name not in known:
            near = did_you_mean(name, known)
            raise _error(path, f"--only {_shown(name)}", f"there is no such scenario{near}")
    kept = [scenario for scenario in plan.scenarios if not only or scenario.name in only]
    return plan.model_copy(update={"scenarios": kept})


def _with_absolute_paths(plan: Plan, path: Path) -> Plan:
    """Return `plan` with the paths of its targets and services, relative to it, made absolute."""
    targets = [_absolute(each, path, f"targets[{n}]") for n, each in enumerate(plan.targets)]
    services = [_absolute(each, path, f"services[{n}]") for n, each in enumerate(plan.services)]
    return plan.model_copy(update={"targets": targets, "services": services})


def _absolute(of: T, path: Path, where: str) -> T:
    """Return a target or service with absolute paths. Raises PlanError if there is no such folder.

    Its python is looked for where it is needed: versions of an app have environments of their own.
    """
    update = {}
    for key in ("cwd", "import_from", "python"):
        if given := getattr(of, key, None):
            # Not resolved: the python of a virtual environment must stay a link.
            update[key] = (path.parent / given).absolute()
            if key != "python" and not isdir(update[key]):  # noqa: PTH112
                raise _error(path, f"{where}.{key}", f"there is no folder {given}")
    return of.model_copy(update=update)


def _with_files(scenario: dict[str, Any], path: Path, where: str) -> dict[str, Any]:
    return _with_feed(_with_absolute_files(scenario, path, where), path, f"{where}feed")


def _with_feed(scenario: dict[str, Any], path: Path, where: str) -> dict[str, Any]:
    """Return `scenario` with what its feed holds; a file alone is one with a row for each user."""
    feed = scenario.get("feed")
    feed = {"file": feed} if isinstance(feed, str) else feed
    if not isinstance(feed, dict):
        return scenario
    for key in feed:
        if key not in FEED_KEYS:
            near = did_you_mean(key, FEED_KEYS)
            raise _error(path, where, f"unknown key '{one_line(key, MAX_SHOWN)}'{near}")
    name = feed.get("file")
    if not _is_file_name(name):
        return scenario | {"feed": feed}
    file = _existing(name, path, where)
    try:
        content = read_feed(file)
    except OSError as error:
        raise _error(path, where, f"{name} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise _error(path, where, f"{name}: {error}") from None
    return scenario | {"feed": feed | {"file": file} | content._asdict()}


def _with_absolute_files(scenario: dict[str, Any], path: Path, where: str) -> dict[str, Any]:
    """Return `scenario` with its files, which are relative to `path`, made absolute.

    What is not of the right type is left for the models to refuse.
    """
    found = dict(scenario)
    if _is_file_name(name := scenario.get("locustfile")):
        file = _existing(name, path, f"{where}locustfile")
        # As the command `locust` does: files beside a link to it are found.
        found["locustfile"] = Path(abspath(file))  # noqa: PTH100
    for key in ("setup", "requests"):
        if isinstance(requests := scenario.get(key), list):
            found[key] = [
                _with_absolute_upload(request, path, f"{where}{key}[{n}].upload")
                for n, request in enumerate(requests)
            ]
    return found


def _with_absolute_upload(request: Any, path: Path, where: str) -> Any:
    if not isinstance(request, dict) or not isinstance(request.get("upload"), dict):
        return request
    files = dict(request["upload"])
    for field, name in request["upload"].items():
        if _is_file_name(name):
            key = f"{where}.{_shown(field)}"
            file = files[field] = _existing(name, path, key)
            if file.stat().st_size > MAX_UPLOAD_BYTES:
                raise _error(path, key, f"{name} is above {MAX_UPLOAD_BYTES >> 20} MiB")
    return request | {"upload": files}


def _is_file_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and "\0" not in value


def _existing(name: str, path: Path, where: str) -> Path:
    """Return the file `name`, relative to the file `path`. Raises PlanError if there is none."""
    file = (path.parent / name).absolute()
    if not isfile(file):  # noqa: PTH113
        raise _error(path, where, f"there is no file {_shown(name)}")
    return file


def _read_toml(path: Path, what: str) -> dict[str, Any]:
    try:
        # utf-8-sig: with a byte order mark, as some editors write it.
        text = _read_bytes(path, what).decode("utf-8-sig")
        if LONG_KEY.search(text):
            raise _error(path, TOO_DEEP)
        data = tomllib.loads(text)
    except UnicodeDecodeError:
        raise _error(path, "not a text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise _error(path, f"not valid TOML: {error}") from None
    except ValueError:  # raised by int(), which takes no more digits
        raise _error(path, TOO_BIG) from None
    except RecursionError:
        raise _error(path, TOO_DEEP) from None
    _check_printable(data, path)
    return data


def _read_bytes(path: Path, what: str) -> bytes:
    try:
        str(path.absolute()).encode()
        # Checked before it is opened: a pipe may never begin, nor end.
        if path.exists() and not path.is_file():
            raise _error(path, f"this {what} is not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _error(path, f"there is no such {what} file") from None
    except OSError as error:
        raise _error(path, f"this {what} cannot be read ({error.strerror})") from None
    except UnicodeEncodeError:  # the manifest is JSON, which cannot hold it
        raise _error(path, f"the path of a {what} is not in UTF-8; rename it") from None
    if len(content) > MAX_BYTES:
        raise _error(path, f"this {what} is longer than {MAX_BYTES >> 10} KiB")
    return content


def _check_printable(data: dict[str, Any], path: Path) -> None:
    """Raise PlanError if Python cannot print `data`: nested too deeply, or a number too big."""
    level: list[Any] = [data]
    for _ in range(MAX_LEVELS):
        level = [inner for item in level for inner in _items(item)]
        # Hexadecimal numbers may have any length.
        if any(isinstance(item, int) and item.bit_length() > MAX_BITS for item in level):
            raise _error(path, TOO_BIG)
        if not level:
            return
    raise _error(path, TOO_DEEP)


def _items(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _explained(error: ErrorDetails) -> tuple[str, str]:
    """Return the key that is wrong, and what is wrong with it."""
    loc, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        key = str(loc[-1])
        near = did_you_mean(key, _keys_at(loc[:-1]))
        return _dotted(loc[:-1]), f"unknown key '{one_line(key, MAX_SHOWN)}'{near}"
    if kind == "missing":
        return _dotted(loc[:-1]), f"'{loc[-1]}' is missing"
    what, given = OF_PYTHON.sub("", error_text(error)), error["input"]
    if kind == "int_type" and isinstance(given, float):
        what += ", written without point and exponent"
    # A float is not shown: 1e9 would be 1000000000.0, which is not what was written.
    elif kind not in ("value_error", "too_short", "too_long") and not isinstance(given, float):
        written = json.dumps(given, default=str, ensure_ascii=False)  # much like TOML
        what += f", not {one_line(written, MAX_SHOWN)}"
    return _dotted(loc), what


def _keys_at(loc: Sequence[str | int]) -> list[str]:
    """Return the keys that are known at `loc`, whose last name is a field that holds models."""
    models: dict[str, type[BaseModel]] = {
        "compare": Compare,
        "sweep": Sweep,
        "services": Service,
        "targets": Target,
        "scenarios": Scenario,
        "setup": SetupRequest,
        "requests": Request,
    }
    names = [part for part in loc if isinstance(part, str)]
    keys = list(models[names[-1]].model_fields if names else Plan.model_fields)
    return [*keys, "use"] if names == ["scenarios"] else keys


def _dotted(loc: Sequence[str | int]) -> str:
    # Pydantic ends with "[key]" where a key itself is refused.
    parts = loc[:-1] if loc and loc[-1] == "[key]" else loc
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in parts)
    return text.removeprefix(".")


def _shown(key: str) -> str:
    """Return `key`, quoted if it is empty or invisible, and shortened if it is long."""
    return one_line(key if key and key.isprintable() else repr(key), MAX_SHOWN)
