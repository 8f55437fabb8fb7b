"""Five commands from two apps to a report: twinbench from its wheel, the apps of tests/examples.

Each of the three has an environment of its own, and knows nothing of the other two.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.docs import EXAMPLES, OWN_APP, README, blocks, commands
from tests.support.installed import add_packages, install_twinbench, make_environment
from tests.support.processes import LONG_S, marked_environment, none_left
from twinbench.paths import PACKAGE, ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Environment with twinbench as `pip install .` leaves it."""
    folder = tmp_path_factory.mktemp("installed")
    packages = install_twinbench(folder / "env", folder / "wheels")
    files = {path.relative_to(packages) for path in packages.rglob("*") if path.is_file()}
    assert {path.parts[0] for path in files} == {"twinbench", "twinbench-0.1.0.dist-info"}
    ours = {path.relative_to(ROOT) for path in PACKAGE.rglob("*") if path.is_file()}
    assert {path for path in ours if "__pycache__" not in path.parts} <= files
    add_packages(packages)
    return folder / "env"


def run(
    installed: Path, *command: str, cwd: Path, mark: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user whose PATH begins with the environment `installed`."""
    env = marked_environment(mark)
    env["PATH"] = f"{installed / 'bin'}{os.pathsep}{env['PATH']}"
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=LONG_S
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Folder with both apps, each beside its environment."""
    for name in ("before", "after"):
        shutil.copytree(EXAMPLES / name, tmp_path / name)
        add_packages(make_environment(tmp_path / name / ".venv"))
    return tmp_path


def test_an_installed_twinbench_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(
        installed, "python", "-c", "import twinbench; print(*twinbench.__path__)", cwd=tmp_path
    )
    assert Path(where.stdout.strip()).is_relative_to(installed)
    for arguments, code, printed in (
        (("--help",), 0, "check"),
        (("schema",), 0, '"cells"'),
        (("run",), 2, "there is no twinbench.toml here"),
    ):
        done = run(installed, "twinbench", *arguments, cwd=tmp_path)
        assert done.returncode == code
        assert printed in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def shortened(plan: str) -> str:
    """Return a plan with few, short measurements."""
    for before, after in (
        ("^blocks = [0-9]+", "blocks = 1"),
        ("^measure_s = [0-9.]+", "measure_s = 0.3"),
        (r"^closed = \[.*\]", "closed = [1, 128]"),
    ):
        assert re.search(before, plan, re.MULTILINE)
        plan = re.sub(before, after, plan, flags=re.MULTILINE)
    return plan


def declared(plan: str, refusal: str) -> str:
    """Return a plan with the line pasted that a refusal proposes for the second target."""
    [line] = re.findall(r"expected_differences = \{.*\}", refusal)
    before, after = plan.split('cwd = "after"')
    return f'{before}{line}\ncwd = "after"{after}'


def test_five_commands_lead_to_a_report(installed: Path, shop: Path) -> None:
    """The commands of the README, and one round of pasting what `check` proposes."""
    install, init, check, measure, report = commands(README)[:5]
    assert install == ["pip", "install", "."]  # as the fixture did
    plan, mark = shop / "twinbench.toml", f"own-{os.getpid()}"

    def succeeds(command: list[str]) -> str:
        done = run(installed, *command, cwd=shop, mark=mark)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    succeeds(init)
    refused = run(installed, *check, cwd=shop, mark=mark)
    assert refused.returncode == 3
    plan.write_text(shortened(declared(plan.read_text(), refused.stderr)))
    succeeds(check)
    succeeds(measure)
    page = shop / succeeds(report).splitlines()[-1]
    assert page.name == "report.html"
    page_text = page.read_text(encoding="utf-8")
    results = json.loads((page.parent / "results.json").read_text(encoding="utf-8"))
    cells = results["cells"]
    assert {cell["scenario"] for cell in cells} >= {"users", "items", "items_item_id"}
    collapsed = [cell for cell in cells if cell["status"] == "collapsed"]
    assert not any(cell["errors"] for cell in cells if cell not in collapsed)
    # All 40 threads wait for a connection, and those who have one wait for a thread.
    assert {(cell["target"], cell["load"]["value"]) for cell in collapsed} == {("before", 128)}
    assert {cell["scenario"] for cell in collapsed} >= {"items", "items_item_id"}
    assert "40 threads wait for 40 connections" in page_text
    assert none_left(mark)


def test_the_plan_in_the_docs_is_that_of_two_equal_apps(installed: Path, shop: Path) -> None:
    (shop / "twinbench.toml").write_text(blocks(OWN_APP, "toml")[0])
    done = run(installed, "twinbench", "check", cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")
