"""Environment of each version: installed from its lock, cached where that says all of it.

    $XDG_CACHE_HOME/twinbench/environments/HASH/   a virtual environment, complete with MARKER
    $XDG_CACHE_HOME/twinbench/install.log          output of an installation that failed

A virtual environment cannot be moved: it is made where it stays, and its marker is written last.
The machine's lock is held meanwhile, so no other twinbench uses one that is half made.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinbench.measure.machine import MAX_START_S
from twinbench.measure.processes import Child
from twinbench.text import UserError

MARKER = "twinbench.ready"  # in a cached environment; touched when it is used
UV_LOCK, PROJECT = "uv.lock", "pyproject.toml"
# Read by pip, the first that there is.
REQUIREMENTS = ("requirements.lock", "requirements.txt")
# Folder for the app itself in that of the target, put on PYTHONPATH as it is: an absolute path is
# another one in each version, and the preflight compares variables.
PACKAGES = ".twinbench-packages"
PIP_INSTALL = ("pip", "install", "--quiet")
# An environment takes 0.2 GB. Who compares less often than monthly waits for an installation.
MAX_UNUSED_S = 30 * 86_400.0
# Of a lock of uv: sources that are folders of the version, not packages of a registry.
OF_FOLDERS = ("editable", "directory")
# Other files of requirements that a line includes.
INCLUDED = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]?\s*([^\s#]+)", re.MULTILINE)
# pip's last lines explain the error above them.
EXPLANATIONS = (
    *("hint:", "note:", "[notice]", "[end of output]", "╰─>"),
    *("ERROR: ResolutionImpossible:", "To fix this", "1. loosen", "2. remove"),
)
OWN_INSTALL = "set [compare] install in the plan to what installs the app"
# What an interpreter is, so that another one has environments of its own.
PRINT_INTERPRETER = """
import os, platform, sys
print(os.path.realpath(sys.executable), sys.version, platform.platform())
"""

OnStatus = Callable[[str], None]


class InstallError(UserError):
    """Environment that cannot be made; the message names the version."""


@dataclass(frozen=True, slots=True)
class Place:
    """Folders of a version: its root, and the folder in it from which the target is run."""

    label: str
    root: Path
    cwd: Path

    def nearest(self, *names: str) -> Path | None:
        """Return the first of the files `names`, in `cwd` or else above it up to the root."""
        above = [self.cwd, *self.cwd.parents]
        folders = above[: above.index(self.root) + 1]
        files = (folder / name for folder in folders for name in names)
        return next((file for file in files if file.is_file()), None)


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment of a version.

    `python`: its interpreter, None for twinbench's own; `source`: what it was installed from, empty
    if it is not the version's own; `has_packages`: the app itself is in PACKAGES.
    """

    python: Path | None
    source: str = ""
    has_packages: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an environment is installed: a command, in a folder, with variables.

    `files`: those on which the result depends. `is_locked`: they say all of it, so that it is the
    same tomorrow. `of_one_version`: it holds code of the version, and is for no other.
    """

    source: str
    command: tuple[str, ...]
    cwd: Path
    files: tuple[Path, ...] = ()
    is_locked: bool = False
    of_one_version: bool = False

    @property
    def uses_uv(self) -> bool:
        """Whether uv makes the environment, which needs no pip."""
        return self.source == UV_LOCK

    def key(self, place: Place, python: Path) -> str:
        """Return the name of the environment's folder: equal ones are shared by versions."""
        parts = [*self.command, _interpreter(python)]
        parts += [place.label] if self.of_one_version else []
        digest = hashlib.sha256("\0".join(parts).encode())
        for file in self.files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return digest.hexdigest()[:32]


class Installer:
    """Makes environments: cached ones in the user's cache, others in `scratch`."""

    def __init__(
        self,
        scratch: Path,
        python: Path | None,
        install: Sequence[str] | None,
        on_status: OnStatus,
    ) -> None:
        self._scratch, self._python = scratch, python
        self._base = python if python and python.is_file() else Path(sys.executable)
        self._install, self._on_status = install, on_status
        self._cache = _cache_folder()

    def environment(self, place: Place) -> Environment:
        """Return the environment of a version. Raises InstallError."""
        recipe = None if self._install == [] else recipe_of(place, self._install)
        if not recipe:
            if self._python and not self._python.is_file():
                raise InstallError(
                    f"{place.label} has no environment: there is no {self._python}, the python of"
                    f" the target; {OWN_INSTALL}"
                )
            return Environment(self._python)
        if recipe.uses_uv and not shutil.which("uv"):
            raise InstallError(
                f"{place.label} has a {UV_LOCK}, and there is no uv on the PATH: install uv, or"
                f" {OWN_INSTALL}"
            )
        python = _python_in(self._made(recipe, place))
        if self._install:
            # Such as `uv sync` makes.
            own = [folder / ".venv" for folder in (place.cwd, place.root)]
            found = filter(Path.is_file, map(_python_in, own))
            return Environment(next(found, python), recipe.source)
        return Environment(python, recipe.source, self._installs_app(recipe, place, python))

    def _made(self, recipe: Recipe, place: Place) -> Path:
        """Return the folder of an environment, which is made unless it is complete."""
        parent = self._cache if recipe.is_locked else self._scratch
        folder = parent / "environments" / recipe.key(place, self._base)
        marker = folder / MARKER
        if marker.exists():
            marker.touch()
            return folder
        verb = "running" if self._install else "installing"
        self._on_status(f"{verb} {recipe.source} for {place.label}")
        remove_unused(self._cache / "environments")
        shutil.rmtree(folder, ignore_errors=True)
        _make_folder(folder.parent)
        try:
            activated = self._activated(folder)
            if not recipe.uses_uv:
                own = {"TMPDIR": activated["TMPDIR"]}  # venv runs pip, too
                self._run([str(self._base), "-m", "venv", str(folder)], place, place.cwd, own)
            self._run(recipe.command, place, recipe.cwd, activated)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        marker.touch()
        return folder

    def _installs_app(self, recipe: Recipe, place: Place, python: Path) -> bool:
        """Install the app into PACKAGES if it is a package, and return whether it is one.

        In an environment that versions share, it would be the same one for all.
        """
        project = place.nearest(PROJECT)
        if recipe.uses_uv or not project or not _is_package(project):
            return False
        self._on_status(f"installing the app of {place.label}")
        command = (*PIP_INSTALL, "--no-deps", "--target", str(place.cwd / PACKAGES), ".")
        self._run(command, place, project.parent, self._activated(python.parent.parent))
        return True

    def _activated(self, folder: Path) -> dict[str, str]:
        """Return the variables of an activated environment, for venv, pip and uv."""
        temporary = self._scratch / "temporary"
        temporary.mkdir(exist_ok=True)
        return {
            "VIRTUAL_ENV": str(folder),
            "PATH": os.pathsep.join((str(folder / "bin"), os.environ.get("PATH", os.defpath))),
            "PYTHONPATH": "",
            "TMPDIR": str(temporary),  # what they leave there goes with it
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_PROJECT_ENVIRONMENT": str(folder),
            "UV_PYTHON": str(self._base),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def _run(self, command: Sequence[str], place: Place, cwd: Path, env: Mapping[str, str]) -> None:
        """Run a command to its end. Raises InstallError, after which its output is kept."""
        log = self._scratch / "install.log"
        log.unlink(missing_ok=True)
        child = Child(command, log=log, cwd=cwd, env=env)
        if (why := child.wait()) == "exited with code 0":
            return
        shown = " ".join([Path(command[0]).name, *command[1:]])
        last = child.last_output(EXPLANATIONS)
        instead = "" if self._install else f", or {OWN_INSTALL}"
        raise InstallError(f"{place.label}: '{shown}' {why}: {last}{self._kept(log)}{instead}")

    def _kept(self, log: Path) -> str:
        """Keep a log in the cache, and return where; nothing if the cache cannot be written."""
        kept = self._cache / log.name
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, kept)
        except OSError:  # the reason of the failure matters more
            return ""
        return f"; see {kept}"


def recipe_of(place: Place, install: Sequence[str] | None) -> Recipe | None:
    """Return how the environment of a version is installed; None if nothing says so."""
    if install:
        # It may install the app itself, or build something in its folder.
        return Recipe("[compare] install", tuple(install), place.cwd, of_one_version=True)
    if lock := place.nearest(UV_LOCK):
        return _uv_recipe(lock, place)
    if lock := place.nearest(*REQUIREMENTS):
        files = tuple(_with_included(lock))
        # pip takes hashes for all packages or for none, those that others require among them.
        is_locked = any("--hash=" in file.read_text("utf-8", "replace") for file in files)
        # pip resolves what is relative in it against its own folder.
        return Recipe(lock.name, (*PIP_INSTALL, "-r", lock.name), lock.parent, files, is_locked)
    return None


def _uv_recipe(lock: Path, place: Place) -> Recipe:
    projects = {lock.with_name(PROJECT), place.nearest(PROJECT)}
    files = (lock, *sorted(file for file in projects if file and file.is_file()))
    if _has_folders(lock):
        command: tuple[str, ...] = ("uv", "sync", "--frozen", "--no-editable")
        return Recipe(UV_LOCK, command, place.cwd, files, of_one_version=True)
    command = ("uv", "sync", "--frozen", "--no-install-project")
    return Recipe(UV_LOCK, command, place.cwd, files, is_locked=True)


def _has_folders(lock: Path) -> bool:
    """Return whether a lock of uv has packages that are folders of the version, the app's own."""
    packages = _read_toml(lock).get("package", [])
    return any(key in package.get("source", {}) for package in packages for key in OF_FOLDERS)


def _is_package(project: Path) -> bool:
    return "build-system" in _read_toml(project)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InstallError(f"{file.name} of the version cannot be read: {error}") from None


def _with_included(file: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield a file of requirements, and those that it includes."""
    if not file.is_file() or file in seen:
        return
    yield file
    for name in INCLUDED.findall(file.read_text(encoding="utf-8", errors="replace")):
        yield from _with_included(file.parent / name, seen | {file})


def _python_in(environment: Path) -> Path:
    return environment / "bin" / "python"


def _cache_folder() -> Path:
    """Return twinbench's folder in the user's cache (XDG Base Directory)."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "twinbench"


def _make_folder(folder: Path) -> None:
    """Make a folder for environments. Raises InstallError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InstallError(
            f"{folder}: cannot be written ({error.strerror}), and is for environments of versions:"
            " set XDG_CACHE_HOME to a folder that can be"
        ) from None


def remove_unused(environments: Path) -> None:
    """Remove cached environments that were not used for a month, and old ones without a marker."""
    oldest_s = time.time() - MAX_UNUSED_S
    for folder in environments.glob("*"):
        marker = folder / MARKER
        used = marker if marker.exists() else folder
        if used.stat().st_mtime < oldest_s:
            shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _interpreter(python: Path) -> str:
    """Return what an interpreter is: path, version, platform. Raises InstallError."""
    try:
        done = subprocess.run(
            [str(python), "-c", PRINT_INTERPRETER],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            timeout=MAX_START_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InstallError(f"{python} cannot be run ({error}): set python to another") from None
    return done.stdout
