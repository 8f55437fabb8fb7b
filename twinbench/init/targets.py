"""Targets of a first plan, from the arguments of `init`."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from twinbench.models import error_text
from twinbench.plan import Target
from twinbench.text import UserError

NAMES = ("before", "after")
ONE = "app"  # of one app, whose versions are compared
# Where virtual environments stand, in the folder of an app.
ENVIRONMENTS = (".venv", "venv")
A_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
SEVERAL_WAYS = (
    "give two apps (BEFORE AFTER), one app and two parts of its paths (--prefix sync --prefix"
    " async), or one app, to compare its versions from git"
)


class InitError(UserError):
    """Arguments from which no plan can be made."""


@dataclass(frozen=True, slots=True)
class Given:
    """Arguments of `init`; pairs are for BEFORE and AFTER."""

    apps: tuple[str, ...]
    command: bool = False
    folders: tuple[Path | None, Path | None] = (None, None)
    pythons: tuple[Path | None, Path | None] = (None, None)
    envs: tuple[Mapping[str, str], Mapping[str, str]] = field(default=({}, {}))
    servers: tuple[str, str] = ("", "")
    prefixes: tuple[str, ...] = ()
    ready: str = ""

    def kind_of(self, app: str) -> str:
        """Return the key of a target under which `app` stands."""
        if app.startswith(("http://", "https://")):
            return "url"
        return "command" if self.command else "app"


@dataclass(frozen=True, slots=True)
class TargetDraft:
    """Target as a table of a plan, with absolute paths; `prefix`: the word in its request paths."""

    name: str
    table: Mapping[str, Any]
    prefix: str = ""

    def validated(self) -> Target:
        """Return the target to start. Raises InitError."""
        try:
            return Target.model_validate({"name": self.name, **self.table})
        except ValidationError as error:
            first = error.errors()[0]
            key = str(first["loc"][0]) if first["loc"] else ""
            raise InitError(
                f"{self.name}: {key} '{self.table.get(key, '')}': {error_text(first)}"
            ) from None


def targets_of(given: Given) -> list[TargetDraft]:
    """Return two targets, or one, which may have two variants. Raises InitError."""
    _check(given)
    tables = [_table(given, number) for number in range(len(given.apps))]
    if given.prefixes:
        return variants(TargetDraft(NAMES[0], tables[0]), given.prefixes)
    if len(tables) > 1 and tables[0] == tables[1]:
        raise InitError(
            "BEFORE and AFTER are the same app: give their folders (--before-dir, --after-dir),"
            " or one app and --prefix sync --prefix async"
        )
    names = NAMES if len(tables) > 1 else (ONE,)
    return [TargetDraft(name, table) for name, table in zip(names, tables, strict=True)]


def environment(given: Sequence[str], option: str) -> dict[str, str]:
    """Return variables from NAME=VALUE texts. Raises InitError."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise InitError(f"{option} {each}: write it as NAME=VALUE")
        found[name] = value
    return found


def variants(target: TargetDraft, prefixes: Sequence[str]) -> list[TargetDraft]:
    """Return two targets of one app, which differ in a part of their paths."""
    words = [prefix.strip("/") for prefix in prefixes]
    named = len(set(words)) == len(words) and all(map(A_NAME.fullmatch, words))
    names = words if named else NAMES
    return [TargetDraft(name, target.table, word) for name, word in zip(names, words, strict=True)]


def _check(given: Given) -> None:
    """Raise InitError for arguments that do not go together."""
    if not given.apps:
        raise InitError(SEVERAL_WAYS)
    words = {prefix.strip("/") for prefix in given.prefixes}
    if given.prefixes and (len(given.prefixes) != 2 or len(words) != 2 or "" in words):
        raise InitError(
            "--prefix is given twice, one for each variant: --prefix sync --prefix async"
        )
    if given.prefixes and len(given.apps) > 1:
        raise InitError("--prefix is for one app with two variants: leave AFTER or --prefix out")


def _table(given: Given, number: int) -> dict[str, Any]:
    app, kind = given.apps[number], given.kind_of(given.apps[number])
    folder, python, env = given.folders[number], given.pythons[number], given.envs[number]
    name, server = NAMES[number], given.servers[number]
    if server and kind != "app":
        raise InitError(f"--{name}-server is for an import string; {app} has its own server")
    if kind == "url":
        if folder or python or env or given.command:
            raise InitError(
                f"{app} runs already: leave folder, interpreter, variables and --command out"
            )
        table: dict[str, Any] = {"url": app.rstrip("/")}
    else:
        cwd = (folder or Path()).absolute()
        if not cwd.is_dir():
            raise InitError(f"--{name}-dir {folder}: there is no such folder")
        table = {kind: _command(app, name) if kind == "command" else app, "cwd": cwd}
        if kind == "command" and python:
            raise InitError(f"--{name}-python is for an import string: name it in the command")
        if kind == "app" and (found := _python(python, cwd, name)):
            table["python"] = found
    if server:
        table["server"] = server
    if env:
        table["env"] = dict(env)
    if given.ready:
        table["ready"] = given.ready
    return table


def _command(line: str, name: str) -> list[str]:
    try:
        parts = shlex.split(line)
    except ValueError as error:
        raise InitError(f"{name}: '{line}' is not a command line ({error})") from None
    if not any("{port}" in part for part in parts):
        raise InitError(
            f"{name}: '{line}' has no {{port}}: twinbench chooses the port, such as"
            " 'uvicorn main:app --port {port}'"
        )
    return parts


def _python(given: Path | None, folder: Path, name: str) -> Path | None:
    """Return the interpreter of an app: the one given, else that of an environment beside it."""
    if given:
        if not given.is_file():
            raise InitError(f"--{name}-python {given}: there is no such file")
        return given.absolute()
    for place in (folder, Path.cwd()):
        for venv in ENVIRONMENTS:
            # Not resolved: the python of a virtual environment must stay a link.
            if (python := place / venv / "bin" / "python").is_file():
                return python
    return None
