"""`twinbench compare --git`: two commits of one app in one run, as its user sees them."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import wait_until_kept
from tests.support.processes import command, marked_environment, none_left, twinbench
from tests.support.repositories import commit, digest, git, make_repository

pytestmark = [pytest.mark.slow, pytest.mark.system]

# `STEPS` of a loop are the cost of a request.
APP = """
from fastapi import FastAPI

app = FastAPI()
STEPS = {steps}


@app.get("/items")
async def items() -> dict[str, int]:
    total = 0
    for number in range(STEPS):
        total += number % 7
    return {{"{key}": 1}}


@app.get("/other")
async def other() -> dict[str, bool]:
    return {{"{key}": True}}
"""
PLAN = f"""
name = "shop"
blocks = 5
warmup_s = 0.1
measure_s = 0.4
compare = {{ install = [] }}
targets = [{{ name = "shop", app = "shop:app", cwd = ".", python = "{sys.executable}" }}]
scenarios = [
    {{ name = "items", closed = [2], requests = [{{ path = "/items" }}] }},
    {{ name = "other", closed = [2], requests = [{{ path = "/other" }}] }},
]
"""


def app(steps: int = 2000, key: str = "ok") -> str:
    return APP.format(steps=steps, key=key)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout with a first commit, whose temporary folder and cache are its own."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = make_repository(tmp_path / "shop")
    (root / ".gitignore").write_text("/reports/\n")
    commit(root, "Sell items", shop__py=app(), twinbench__toml=PLAN)
    return root


def compare(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return twinbench("compare", *arguments, cwd=repository, self_check=False)


def measured(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Compare, again where the machine was too noisy for a verdict, as the answer advises."""
    for _ in range(3):
        done = compare(repository, *arguments)
        if done.returncode not in (0, 4) or not written(repository)["noisy"]:
            break
    return done


def written(repository: Path) -> dict[str, Any]:
    """Return what is in compare.json."""
    found: dict[str, Any] = json.loads((repository / "reports/latest/compare.json").read_text())
    return found


def checkout(repository: Path) -> dict[str, str]:
    """Return a digest of every file but the reports."""
    found = digest(repository)
    return {name: of for name, of in found.items() if not name.startswith("reports")}


def is_clean(repository: Path) -> bool:
    """Return whether nothing is left in the temporary folder."""
    return not list((repository.parent / "temporary").iterdir())


@pytest.mark.serial
def test_slower_commit_fails_where_asked(repository: Path) -> None:
    commit(repository, "Count more", shop__py=app(steps=8000))
    before = checkout(repository)
    done = measured(repository, "--git", "HEAD~1..HEAD", "--fail-on", "20%")
    assert done.returncode == 4, done.stderr
    found = written(repository)
    verdicts = {row["scenario"]: row["verdict"] for row in found["rows"]}
    assert verdicts["items"] == "slower"
    assert verdicts["other"] != "slower"
    assert found["versions"]["base"]["subject"] == "Sell items"
    folder = repository / "reports/latest"
    assert "Slower" in (folder / "comment.md").read_text().splitlines()[1]
    assert "slower" in done.stdout.splitlines()[-1].lower()
    assert {"compare.html", "report.html"} <= {path.name for path in folder.iterdir()}
    assert checkout(repository) == before
    assert is_clean(repository)


@pytest.mark.serial
def test_slower_working_tree_warns_with_exit_0(repository: Path) -> None:
    (repository / "shop.py").write_text(app(steps=8000))
    before = checkout(repository)
    done = measured(repository, "--base", "main", "--only", "items")
    assert done.returncode == 0, done.stderr
    found = written(repository)
    assert found["verdict"] == "slower"
    assert not found["fails"]
    assert found["versions"]["head"]["changed"] == 1
    assert checkout(repository) == before


def test_other_response_is_different_not_slower(repository: Path) -> None:
    commit(repository, "Rename a key", shop__py=app(key="okay"))
    comment = repository.parent / "comment.md"
    options = ("--fail-on", "5%", "--comment", str(comment))
    done = compare(repository, "--git", "HEAD~1..HEAD", *options)
    assert done.returncode == 3
    assert "between 'head' and 'base'" in done.stderr
    assert '# under [[targets]] name = "shop"' in done.stderr
    assert "Different" in comment.read_text().splitlines()[1]
    assert is_clean(repository)


def test_base_that_differs_from_itself_is_no_verdict(repository: Path) -> None:
    many = app().replace('{"ok": 1}', "{str(n): 1 for n in range(random.randrange(9999))}")
    commit(repository, "Answer at random", shop__py=f"import random\n{many}")
    comment = repository.parent / "comment.md"
    options = ("--only", "items", "--comment", str(comment))
    done = compare(repository, "--git", "HEAD..HEAD", *options)
    assert done.returncode == 3
    assert '# under [[targets]] name = "shop"' in done.stderr
    assert comment.read_text().splitlines()[1].startswith("**No verdict**")


def test_version_that_does_not_start_is_named(repository: Path) -> None:
    commit(repository, "Break it", shop__py="raise RuntimeError('no settings')\n")
    done = compare(repository, "--git", "HEAD~1..HEAD")
    assert done.returncode == 3
    assert done.stderr.startswith("head (")
    assert "no settings" in done.stderr
    assert "targets[" not in done.stderr


def test_base_that_does_not_start_is_named_once(repository: Path) -> None:
    commit(repository, "Break it", shop__py="raise RuntimeError('no settings')\n")
    done = compare(repository, "--git", "HEAD..HEAD", "--only", "items")
    assert done.returncode == 3
    assert done.stderr.count("base (") == 1
    assert "base_again" not in done.stderr


@pytest.mark.parametrize(
    ("install", "message"),
    [
        ("[]", "has no environment: there is no "),
        ('["true"]', "[compare] install does not install uvicorn"),
    ],
)
def test_python_of_the_plan_may_be_missing(repository: Path, install: str, message: str) -> None:
    """As on a runner, which has no environment but those of the versions."""
    plan = PLAN.replace(sys.executable, ".venv/bin/python").replace("[] }", f"{install} }}")
    (repository / "twinbench.toml").write_text(plan)
    done = compare(repository, "--base", "main")
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_comparison_leaves_the_checkout(repository: Path, number: int) -> None:
    before, mark = checkout(repository), f"compare-{number}"
    process = subprocess.Popen(
        command("compare", "--base", "main", self_check=False),
        cwd=repository,
        env=marked_environment(mark),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until_kept(repository, 3, process)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert none_left(mark)
    assert checkout(repository) == before
    assert git(repository, "worktree", "list").count("\n") == 0
    if number == signal.SIGKILL:  # the next start removes what it left
        assert twinbench("check", cwd=repository).returncode == 0
    assert is_clean(repository)
    report = twinbench("report", cwd=repository)
    assert report.returncode == 0, report.stderr
    assert written(repository)["rows"]
