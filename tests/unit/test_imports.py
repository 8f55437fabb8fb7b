"""Imports of the command line and of a process that measures."""

import subprocess
import sys

import pytest

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
