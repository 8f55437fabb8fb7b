"""The pitfalls that depend on the version of SQLAlchemy, tested with 2.0."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OLDER = Path(sys.prefix) / "sqlalchemy-2.0"
FILES = ("test_lazy_load.py", "test_identity_map.py", "test_refresh.py")


@pytest.mark.slow
def test_pitfalls_exist_in_2_0_too() -> None:
    assert (OLDER / ".ready").exists(), f"not in {OLDER}: `make test-rest` installs it"
    lock = (HERE / "sqlalchemy-2.0.lock").read_text()
    [pinned] = re.findall(r"^sqlalchemy==(\S+)", lock, re.MULTILINE)
    assert pinned.startswith("2.0.")
    assert _python("-c", "import sqlalchemy; print(sqlalchemy.__version__)").stdout == f"{pinned}\n"

    # Without a cache and the plugins of other tests, which take longer than these tests.
    quiet = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:hypothesispytest")
    done = _python("-m", "pytest", *quiet, *(str(HERE / name) for name in FILES))
    assert done.returncode == 0, done.stdout + done.stderr


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with SQLAlchemy 2.0 first on its path."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(OLDER)},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
