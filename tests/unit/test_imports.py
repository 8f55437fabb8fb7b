"""Imports of the command line and of a process that measures; packages that must be installed."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from twinbench.paths import PACKAGE, ROOT

HEAVY = ("scipy", "matplotlib", "polars", "locust")
HELP = """
from twinbench.cli import main
sys.argv = ["twinbench", "--help"]
assert main() == 0
"""
# All that is imported before the last cell is measured, the self-check included.
MEASURING = "\nimport twinbench.run\n"


def imported(code: str, names: tuple[str, ...]) -> str:
    """Those of `names` that are imported after `code` ran in a new process."""
    check = f"sys.stderr.write(' '.join(name for name in {names} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys{code}{check}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.mark.parametrize(
    ("code", "names"), [(HELP, HEAVY), (MEASURING, ("scipy.stats", "scipy.optimize", "matplotlib"))]
)
def test_heavy_packages_are_not_imported(code: str, names: tuple[str, ...]) -> None:
    assert imported(code, names) == ""


def test_import_of_heavy_package_is_detected() -> None:
    assert imported("\nimport twinbench.store\n", ("polars", "scipy")) == "polars"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_requirements(dependencies: Iterable[str]) -> set[str]:
    """Names of `dependencies`, and of all that they require on this system."""
    todo, found = [Requirement(text) for text in dependencies], set[str]()
    while todo:
        requirement = todo.pop()
        found.add(normal(requirement.name))
        for text in requires(requirement.name) or ():
            needed = Requirement(text)
            extras = requirement.extras or {""}
            wanted = not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in extras)
            if wanted and normal(needed.name) not in found:
                todo.append(needed)
    return found


# Imported where they are needed, with a sentence if they are missing.
OF_EXTRAS = {"psycopg"}


def imported_names(module: Path) -> set[str]:
    """Names of the packages that are imported anywhere in a module."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def test_an_installation_without_extras_has_all_that_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = with_requirements(project["dependencies"])
    assert "starlette" in installed
    providers = packages_distributions()
    known = {"twinbench", *OF_EXTRAS, *sys.stdlib_module_names}
    missing = {
        f"{module.relative_to(ROOT)}: {name}"
        for module in PACKAGE.rglob("*.py")
        for name in imported_names(module) - known
        if not installed & set(map(normal, providers.get(name, ())))
    }
    assert not missing
