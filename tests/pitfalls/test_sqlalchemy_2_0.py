"""The traps that depend on SQLAlchemy, run once more with 2.0 in place of the version in use."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OLDER = Path(sys.prefix) / "sqlalchemy-2.0"
DEPENDING = ("test_lazy_load.py", "test_identity_map.py", "test_refresh.py")


@pytest.mark.slow
def test_the_traps_are_the_same_on_2_0() -> None:
    assert (OLDER / ".ready").exists(), f"not in {OLDER}: `make test-rest` installs it"
    lock = (HERE / "sqlalchemy-2.0.lock").read_text()
    [pinned] = re.findall(r"^sqlalchemy==(\S+)", lock, re.MULTILINE)
    assert pinned.startswith("2.0.")
    assert _python("-c", "import sqlalchemy; print(sqlalchemy.__version__)").stdout == f"{pinned}\n"

    # No cache, and none of the plugins that other tests need: they take longer than these tests.
    quiet = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:hypothesispytest")
    done = _python("-m", "pytest", *quiet, *(str(HERE / name) for name in DEPENDING))
    assert done.returncode == 0, done.stdout + done.stderr


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """This interpreter, with SQLAlchemy 2.0 before everything that is installed."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(OLDER)},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
