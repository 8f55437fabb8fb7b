"""Plan that compares versions of one target, from the user's plan."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from twinbench.measure.machine import MAX_START_S
from twinbench.models import error_text
from twinbench.plan import Plan, PlanError, Scenario, Target
from twinbench.preflight.check import VersionNames
from twinbench.text import count, did_you_mean, printable
from twinbench.versions.environments import (
    OWN_INSTALL,
    PACKAGES,
    Environment,
    Installer,
    Place,
)
from twinbench.versions.git import (
    SHORT,
    VIRTUAL_ENVIRONMENT,
    Refs,
    Repository,
    is_working_tree,
    label,
)
from twinbench.versions.result import BASE, BASE_AGAIN, HEAD, ComparedVersions, Version

TITLES = {BASE: "base", HEAD: "head", BASE_AGAIN: "base again"}
MAX_NOTE = 120  # characters of a target's note
# Keys of a target whose texts may hold a path.
WITH_PATHS = ("command", "env", "prepare", "server_options")
IMPORT_STRING = re.compile(r"([A-Za-z_]\w*)(?:\.\w+)*:[A-Za-z_]\w*")
# Where an interpreter finds modules, in its current folder first; null: it does not. Nothing is
# imported. Also the packages that are installed from the folder in the first argument, editable.
PRINT_PLACES = """
import importlib.metadata, importlib.util, json, sys
from urllib.parse import unquote, urlsplit
places, editable = {}, set()
for name in sys.argv[2:]:
    spec = importlib.util.find_spec(name)
    found = spec and (spec.origin or next(iter(spec.submodule_search_locations or ()), None))
    places[name] = found
for each in importlib.metadata.distributions():
    url = json.loads(each.read_text("direct_url.json") or "{}")
    path = unquote(urlsplit(url.get("url", "")).path)
    if url.get("dir_info", {}).get("editable") and (path + "/").startswith(sys.argv[1] + "/"):
        editable.add(each.metadata["Name"])
print(json.dumps([places, sorted(editable)]))
"""
OnStatus = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PreparedPlan:
    """Plan that is measured, and what a reader should know of it.

    `versions`: what its targets are, if they are versions, and `names` theirs.
    """

    plan: Plan
    versions: ComparedVersions | None = None
    remarks: Sequence[str] = ()
    names: VersionNames | None = None


@dataclass(frozen=True, slots=True)
class VersionFolder:
    """Version of the target, ready to be started; `with_packages`: PACKAGES is on PYTHONPATH."""

    version: Version
    place: Place
    environment: Environment
    with_packages: bool


def prepare_versions(
    plan: Plan,
    plan_file: Path,
    refs: Refs,
    target_name: str | None,
    scratch: Path,
    on_status: OnStatus,
    *,
    fail_on: float | None = None,
) -> PreparedPlan:
    """Make folder and environment of each version, and return the plan that measures them.

    Call it under the machine's lock. All folders are in `scratch`, but for cached environments.
    Raises PlanError, GitError and InstallError.
    """
    target = chosen_target(plan, plan_file, target_name)
    scenarios = scenarios_of(plan, target, plan_file)
    repository = Repository.of(plan_file)
    where = folder_in(repository, target, plan_file)
    refuse_paths_of_checkout(repository, target, plan_file)
    versions = dict(zip((BASE, HEAD), repository.versions(refs), strict=True))
    remarks = _remarks(repository, plan_file, versions[BASE], versions[HEAD])
    if left_out := [each.name for each in plan.scenarios if each not in scenarios]:
        remarks.append(f"Left out, as they are for other targets: {', '.join(left_out)}.")
    places = {
        name: Place(label(name, version), scratch / name, scratch / name / where)
        for name, version in versions.items()
    }
    for name, place in places.items():
        on_status(f"checking out {place.label}")
        _check_out(repository, versions[name], place)
    install = plan.compare.install if plan.compare else None
    installer = Installer(scratch, target.python, install, on_status)
    found = _installed(versions, places, installer)
    remarks += _remarks_on_environments(found, install)
    remarks += check_places(found, target, repository.root)
    found[BASE_AGAIN] = _copied(found[BASE], scratch / BASE_AGAIN)
    compared = ComparedVersions(
        base=_with_source(found[BASE]), head=_with_source(found[HEAD]), fail_on=fail_on
    )
    targets = [_target_of(target, name, found[name]) for name in (BASE, HEAD, BASE_AGAIN)]
    made = _with_targets(plan, plan_file, targets, scenarios)
    labels = {name: each.place.label for name, each in found.items()}
    return PreparedPlan(made, compared, remarks, VersionNames(target.name, labels))


def _installed(
    versions: Mapping[str, Version], places: Mapping[str, Place], installer: Installer
) -> dict[str, VersionFolder]:
    """Return each version with its environment. Raises InstallError."""
    environments = {name: installer.environment(place) for name, place in places.items()}
    # For all, if for one: the preflight compares variables.
    with_packages = any(each.has_packages for each in environments.values())
    return {
        name: VersionFolder(version, places[name], environments[name], with_packages)
        for name, version in versions.items()
    }


def chosen_target(plan: Plan, plan_file: Path, name: str | None) -> Target:
    """Return the target whose versions are compared. Raises PlanError."""
    known = [target.name for target in plan.targets]
    if plan.sweep:
        raise PlanError(
            f"{plan_file}: sweep: versions are compared with one setting each: remove [sweep]"
        )
    if name is None and len(known) > 1:
        raise PlanError(
            f"{plan_file}: {count(len(known), 'target')}: name the one whose versions are compared:"
            f" --target {known[0]}; known: {', '.join(known)}"
        )
    if name is not None and name not in known:
        near = did_you_mean(name, known)
        raise PlanError(f"{plan_file}: --target {name}: there is no such target{near}")
    target = plan.target(name or known[0])
    if target.url:
        raise PlanError(
            f"{plan_file}: target '{target.name}' is a url, a server that runs already: it has no"
            " other version; give app or command"
        )
    return target


def scenarios_of(plan: Plan, target: Target, plan_file: Path) -> list[Scenario]:
    """Return the scenarios of a target. Raises PlanError if it has none."""
    found = [each for each in plan.scenarios if target.name in plan.targets_of(each)]
    if not found:
        raise PlanError(
            f"{plan_file}: no scenario is for target '{target.name}': name another (--target), or"
            " other scenarios (--only)"
        )
    return found


def folder_in(repository: Repository, target: Target, plan_file: Path) -> Path:
    """Return the target's folder relative to the root of the repository. Raises PlanError."""
    given = target.import_from or target.cwd
    root, here = repository.root, (given or Path.cwd()).resolve()
    if here.is_relative_to(root):
        return here.relative_to(root)
    if given:
        raise PlanError(
            f"{plan_file}: cwd of target '{target.name}' is not in the repository of the plan, of"
            " which versions are compared: write a plan in the repository of the app"
        )
    return Path()


def refuse_paths_of_checkout(repository: Repository, target: Target, plan_file: Path) -> None:
    """Raise PlanError for a path of the user's folder, which would be the same for all versions."""
    root = repository.root
    names = {root, *(p for p in plan_file.absolute().parents if p.resolve() == root)}
    pattern = re.compile(rf"(?:{'|'.join(re.escape(str(name)) for name in names)})(?![\w.-])")
    values = target.model_dump(mode="json")
    for key in WITH_PATHS:
        if pattern.search(json.dumps(values[key], ensure_ascii=False)):
            raise PlanError(
                f"{plan_file}: {key} of target '{target.name}' leads into the checkout, which is"
                " the same for all versions: write it relative to cwd, or move it elsewhere"
            )


def check_places(found: Mapping[str, VersionFolder], target: Target, checkout: Path) -> list[str]:
    """Check that each version imports its own app and has its server; return remarks.

    Raises PlanError: an environment that has the app of the checkout gives it to both.
    """
    texts = [target.app or "", *(target.command or ())]
    modules = [match[1] for match in map(IMPORT_STRING.fullmatch, texts) if match]
    servers: list[str] = [target.server_name] if target.server_name else []
    base, head = (
        _modules_and_editable(_target_of(target, name, found[name]), checkout, modules + servers)
        for name in (BASE, HEAD)
    )
    for name, (places, _) in ((BASE, base), (HEAD, head)):
        missing = [server for server in servers if not places.get(server, "unknown")]
        if missing and found[name].environment.source:
            raise PlanError(
                f"{found[name].place.label}: {found[name].environment.source} does not install"
                f" {missing[0]}, which serves the app: add it there, or {OWN_INSTALL}"
            )
    for module in modules:
        if base[0].get(module) and base[0][module] == head[0].get(module):
            raise PlanError(
                f"both versions would import {module} from {base[0][module]}, which is no folder of"
                f" a version: {OWN_INSTALL}, such as ['pip', 'install', '.']"
            )
    shared = sorted({*base[1], *head[1]})
    return [
        f"The environment holds {', '.join(shared)} of the checkout (editable): what a version"
        " imports from there is the same for both."
    ] * bool(shared)


def _with_targets(
    plan: Plan, plan_file: Path, targets: Sequence[Target], scenarios: Sequence[Scenario]
) -> Plan:
    """Return `plan` with these targets, of which each of `scenarios` has all. Raises PlanError."""
    of_all = [scenario.model_copy(update={"targets": []}) for scenario in scenarios]
    try:
        return Plan.model_validate({**dict(plan), "targets": [*targets], "scenarios": of_all})
    except ValidationError as error:  # three targets may be too many measurements
        raise PlanError(f"{plan_file}: {error_text(error.errors()[0])}") from None


def _target_of(target: Target, name: str, of: VersionFolder) -> Target:
    version, place = of.version, of.place
    note = f"{version.commit[:SHORT]} {version.subject}".strip()
    if is_working_tree(version):
        note = f"{count(version.changed, 'changed file')} since {note}"
    env = dict(target.env)
    if of.with_packages:
        path = env.get("PYTHONPATH", os.environ.get("PYTHONPATH"))
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(place.cwd / PACKAGES), path)))
    in_fresh_folder = target.app and not target.cwd  # as without versions
    changed = {
        "name": name,
        "title": TITLES[name],
        "note": note[:MAX_NOTE],
        "cwd": None if in_fresh_folder else place.cwd,
        "import_from": place.cwd if in_fresh_folder else None,
        "python": of.environment.python,
        "env": env,
    }
    return Target.model_validate({**dict(target), **changed})


def _check_out(repository: Repository, version: Version, place: Place) -> None:
    """Make the folder of a version. Raises GitError, or PlanError if it lacks the target's."""
    repository.check_out(version, place.root)
    if not place.cwd.is_dir():
        folder = place.cwd.relative_to(place.root)
        raise PlanError(f"{place.label}: it has no folder {folder}, the cwd of the target")


def _copied(of: VersionFolder, root: Path) -> VersionFolder:
    """Return a copy of a version: two servers must not write to the same files."""
    # With what the installation has made in it; an environment is used where it is.
    ignored = shutil.ignore_patterns(VIRTUAL_ENVIRONMENT)
    shutil.copytree(of.place.root, root, symlinks=True, ignore=ignored)
    cwd = root / of.place.cwd.relative_to(of.place.root)
    return replace(of, place=Place(of.place.label, root, cwd))


def _modules_and_editable(
    target: Target, checkout: Path, names: Sequence[str]
) -> tuple[dict[str, str | None], list[str]]:
    """Return where a target would import modules from, and what it has editable of `checkout`.

    Both are empty of an interpreter that does not say it: the preflight says what is wrong.
    """
    command = [str(target.python or sys.executable), "-c", PRINT_PLACES, str(checkout), *names]
    env = os.environ | target.env
    try:
        printed = subprocess.run(
            command,
            cwd=target.import_from or target.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=MAX_START_S,
        ).stdout
        places, editable = json.loads(printed)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return {}, []
    return places, editable


def _with_source(of: VersionFolder) -> Version:
    return of.version.model_copy(update={"environment": of.environment.source})


def _remarks(repository: Repository, plan_file: Path, base: Version, head: Version) -> list[str]:
    """Return what a reader should know of the versions' files."""
    remarks = []
    file = plan_file.absolute().parent.resolve() / plan_file.name
    if not repository.has(base, file):
        of_base = label(BASE, base)
        remarks.append(f"{file.name} is not in {of_base}: that of the checkout is used for both.")
    of_both = {*repository.submodules(base), *repository.submodules(head)}
    # Without the plan, of which that of the checkout is used.
    changed = len({*repository.changed_files()} - {repository.name_of(file)})
    if changed and not is_working_tree(head):
        remarks.append(
            f"{count(changed, 'changed file')} of the checkout, not committed: in neither version;"
            f" --base {base.commit[:SHORT]} compares what is not committed."
        )
    if submodules := [printable(name) for name in sorted(of_both)]:
        remarks.append(f"Submodules are left empty in both versions: {', '.join(submodules)}.")
    return remarks


def _remarks_on_environments(
    found: Mapping[str, VersionFolder], install: list[str] | None
) -> list[str]:
    without = [each.place.label for each in found.values() if not each.environment.source]
    if not without or install == []:
        return []
    return [
        f"{' and '.join(without)}: no uv.lock, requirements.lock or requirements.txt, so the"
        " environment is that of the plan; [compare] install gives each version its own."
    ]
