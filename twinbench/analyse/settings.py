"""Settings of runs that affect their figures, and which of them are not the same in all runs.

Two checkouts of one project have other paths, and are alike: paths are compared from the folder
that all paths of the plan's targets share, likewise of its services and of its scenarios.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from twinbench.analyse.results import Results
from twinbench.models import FrozenModel
from twinbench.scratch import NAME as SCRATCH_NAME

# Keys of a plan, and of its parts, that are not compared.
NO_FIGURES = {
    *("name", "about", "title", "note", "group", "expected_differences"),
    # The order of measuring; how many blocks there are, which makes intervals narrower or wider.
    *("seed", "blocks", "time", "precision"),
    # Scenarios and targets that not all runs have are listed as such.
    "targets",
    # The path of an interpreter; its version and its packages are compared.
    "python",
}
GIVEN = "given"  # text of a service, target or scenario as a whole
NAMED = ("services", "targets", "scenarios")
SECTIONS = ("machine", "versions", "plan", *NAMED)
SCRATCH_FOLDER = re.compile(rf"(?:/[^/\s:\"'=]+)*/{SCRATCH_NAME.pattern}[^/\s:\"']+")
Keys = tuple[str, ...]


class RunDifference(FrozenModel):
    """Setting that is not the same in all runs; `values` in their order, None where it is none."""

    key: str
    values: list[str | None]


def differences(runs: Sequence[Results]) -> list[RunDifference]:
    """Return the settings that are not the same in all runs that have their target or scenario."""
    found = [settings(results) for results in runs]
    compared = []
    paths = dict.fromkeys(path for of_run in found for path in of_run)
    for path in sorted(paths, key=lambda path: SECTIONS.index(path[0])):
        # What not all runs have of these is listed as not shared.
        part = path[:2] if path[0] in ("targets", "scenarios") else None
        having = [of_run for of_run in found if part is None or part in of_run]
        if len({of_run.get(path) for of_run in having}) > 1:
            values = [of_run.get(path) for of_run in found]
            compared.append(RunDifference(key=".".join(path), values=values))
    return compared


def settings(results: Results) -> dict[Keys, str]:
    """Return what affects figures, as texts by path: machine, versions, plan."""
    plan, versions = results.plan, dict(results.versions)
    versions.pop("python", None)  # machine.python has it
    chosen = {"measure_s"} if plan.time else set()  # by `time`, as the blocks are
    found = {
        **dict(_flat(("machine",), results.machine.settings())),
        **dict(_flat(("versions",), versions)),
        **dict(_flat(("plan",), plan.model_dump(exclude={*NAMED, *NO_FIGURES, *chosen}))),
    }
    for name in NAMED:
        parts = {part.name: part.model_dump(exclude=NO_FIGURES) for part in getattr(plan, name)}
        root = _root(parts.values())
        for own, part in parts.items():
            # A part is there although all of its keys may have no value.
            found |= {(name, own): GIVEN, **dict(_flat((name, own), _without_root(part, root)))}
    for target, own_versions in results.target_versions.items():
        found |= dict(_flat(("targets", target, "versions"), own_versions))
    return found


def _flat(path: Keys, value: object) -> Iterator[tuple[Keys, str]]:
    """Yield the texts of a nested value by their paths; what is None has none."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat((*path, str(key)), inner)
    elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        for number, inner in enumerate(value):
            yield from _flat((*path, str(number)), inner)
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value, default=str)


def _root(section: Iterable[object]) -> str:
    """Return the folder that all absolute paths of a section share; empty without one.

    Two checkouts of one project differ in it alone.
    """
    folders = [str(folder) for part in section for folder in _folders(part)]
    root = os.path.commonpath(folders) if folders else ""
    return "" if root == os.sep else root


def _folders(value: object, key: str = "") -> Iterator[Path]:
    """Yield the folders of the absolute paths in a nested value, outside of scratch folders."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _folders(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _folders(inner)
    elif isinstance(value, Path) and value.is_absolute() and not SCRATCH_FOLDER.match(str(value)):
        yield value if key in ("cwd", "import_from") else value.parent


def _without_root(value: object, root: str) -> object:
    """Return a nested value with `root` and scratch folders named alike in every run."""
    if isinstance(value, Mapping):
        return {key: _without_root(inner, root) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_root(inner, root) for inner in value]
    if not isinstance(value, str | Path):
        return value
    text = SCRATCH_FOLDER.sub(".", str(value))
    return re.sub(rf"{re.escape(root)}(?![^/:])", ".", text) if root else text
