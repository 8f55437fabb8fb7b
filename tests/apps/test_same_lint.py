"""Guard 6: the tools that find what equality cannot: ruff's ASYNC rules, mypy, warnings as errors.

`make check` runs them on the apps; here it is shown that they would speak up.
"""

import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
from mypy import api

from twinbench.paths import ROOT

APPS = [ROOT / "apps" / name for name in ("shared", "sync_app", "async_app")]


def ruff(source: str) -> str:
    """What ruff says of `source` as a file of the async app, with the project's own settings."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise"]
    name = str(ROOT / "apps" / "async_app" / "planted.py")
    command += ["--stdin-filename", name, "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        ("time.sleep(1)", "ASYNC251"),
        ('open("file")', "ASYNC230"),
        ('subprocess.run(["true"], check=True)', "ASYNC221"),
        ('Path("file").unlink()', "ASYNC240"),
    ],
)
def test_a_blocking_call_on_the_loop_is_caught(call: str, rule: str) -> None:
    imports = "import subprocess\nimport time\nfrom pathlib import Path\n"
    source = f"{imports}\n\nasync def route():\n    {call}\n"
    assert rule in ruff(source)


def test_a_forgotten_await_is_caught_before_it_runs(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    source = """
        async def commit() -> None: ...

        async def route() -> None:
            commit()
    """
    planted.write_text(textwrap.dedent(source))
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path)]
    said, _, code = api.run([*settings, str(planted)])
    assert code == 1
    assert "[unused-coroutine]" in said


def test_a_forgotten_await_is_caught_when_it_runs() -> None:
    async def commit() -> None: ...

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        commit()  # type: ignore[unused-coroutine]
    assert "was never awaited" in str(seen[0].message)


def test_warnings_are_errors(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("filterwarnings") == ["error"]


def test_nothing_in_the_apps_is_exempt_from_those_rules() -> None:
    for path in (path for folder in APPS for path in folder.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for exemption in ("noqa", "type: ignore", "mypy:", "ruff:", "isort:", "fmt:"):
            assert exemption not in source, path
