"""Command line: which plan is taken, with which options, and what is printed without a checkout."""

import io
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from twinbench import campaign
from twinbench.cli import app
from twinbench.cli.console import chosen_plan
from twinbench.measure.machine import Cores
from twinbench.paths import PLANS
from twinbench.plan import PlanError, read_plan
from twinbench.run import run_plan
from twinbench.text import UserError

PLAN = """
name = "mine"
blocks = 2
targets = [{ name = "one", command = ["serve", "{port}"] }]
scenarios = [
    { name = "get", closed = [1], requests = [{ path = "/" }] },
    { name = "more", closed = [1], requests = [{ path = "/more" }] },
]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which commands are called."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def installed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment without a checkout."""
    for module in ("console", "list", "ui"):
        monkeypatch.setattr(import_module(f"twinbench.cli.{module}"), "PLANS", here / "none")


def complete(*words: str) -> list[str]:
    """Return what a shell is offered after `twinbench WORDS`; the last word is incomplete."""
    environment = {
        "_TWINBENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("twinbench", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = CliRunner().invoke(app, prog_name="twinbench", env=environment)
    return done.output.split()


def test_plan_of_this_folder_is_taken_before_the_built_in_one(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="init"):
        chosen_plan(None)
    with monkeypatch.context() as patched:
        patched.setattr("twinbench.cli.console.ROOT", here)
        assert chosen_plan(None) == PLANS / "bench.toml"
    (here / "twinbench.toml").touch()
    assert chosen_plan(None) == Path("twinbench.toml")
    assert chosen_plan(Path("other.toml")) == Path("other.toml")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("command", ["run", "check"])
def test_no_plan_without_a_checkout_is_an_error(command: str) -> None:
    assert isinstance(CliRunner().invoke(app, [command]).exception, UserError)
    with pytest.raises(UserError, match=r"no twinbench\.toml here.*'twinbench init'"):
        chosen_plan(None)


@pytest.mark.usefixtures("installed")
def test_commands_without_a_checkout_say_so() -> None:
    listed = CliRunner().invoke(app, ["list"])
    assert listed.exit_code == 0
    assert "comes with a checkout" in listed.output
    refused = CliRunner().invoke(app, ["ui"])
    assert isinstance(refused.exception, UserError)
    assert "comes with a checkout" in str(refused.exception)


@pytest.mark.usefixtures("here")
def test_list_shows_plans_of_the_folder_and_why_one_is_refused(here: Path) -> None:
    (here / "mine.toml").write_text(PLAN)
    (here / "wrong.toml").write_text(PLAN.replace("blocks", "blokcs"))
    (here / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (here / "broken.toml").write_text("[")
    listed = CliRunner().invoke(app, ["list"]).output
    assert "mine.toml   2 scenarios  2 blocks" in listed
    assert "wrong.toml  refused" in listed
    assert "did you mean 'blocks'?" in listed
    assert "bench.toml" in listed
    assert "pyproject.toml" not in listed
    assert "broken.toml" not in listed


def test_version_is_printed() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.output.startswith("twinbench ")


def test_shell_completes_scenarios_of_the_plan(here: Path) -> None:
    (here / "twinbench.toml").write_text(PLAN)
    (here / "other.toml").write_text(PLAN.replace('"more"', '"other"'))
    assert complete("run", "--only", "") == ["get", "more"]
    assert complete("check", "other.toml", "--only", "o") == ["other"]
    assert complete("run", "gone.toml", "--only", "") == []


@pytest.mark.parametrize(
    ("only", "blocks", "message"),
    [
        ([], None, "scenarios changed since"),
        (["more"], 3, "blocks, scenarios changed since"),
        (["get"], 4, "blocks changed since"),
    ],
)
def test_resume_needs_the_options_of_the_start(
    here: Path, only: Sequence[str], blocks: int | None, message: str
) -> None:
    (here / "mine.toml").write_text(PLAN)
    plan = read_plan(here / "mine.toml", only=["get"])
    campaign.new_run(plan, "mine.toml", Cores((), ()), here / "runs")
    with pytest.raises(PlanError, match=message):
        run_plan(
            here / "mine.toml",
            here / "runs",
            {"blocks": blocks},
            only=only,
            resume=True,
            console=Console(file=io.StringIO()),
        )


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "name two runs or more, or two versions"),
        ("reports/latest", "name two runs or more"),
        ("a b --fail-on 5%", "--fail-on is for a comparison of two versions"),
        ("--base main --anyway", "--anyway is for a comparison of stored runs"),
        ("--base main --git a..b", "leave out --base"),
        ("--git a", "'a' is no range of versions"),
        ("--base main --fail-on 5", "--fail-on: '5' is no percentage: write it as 5%"),
        ("a.toml b.toml --base main", "give one plan, or none; 2 paths"),
        ("--base main", "there is no twinbench.toml here"),
        ("--base main --comment no/such.md", "--comment no/such.md: name a file, in a folder that"),
        ("--base main --comment .", "--comment .: name a file, in a folder that exists"),
    ],
)
def test_compare_refuses_what_does_not_fit(arguments: str, message: str) -> None:
    refused = CliRunner().invoke(app, ["compare", *arguments.split()]).exception
    assert isinstance(refused, UserError)
    assert message in str(refused)


@pytest.mark.parametrize("arguments", ["--git a", "--base main --fail-on 5", "--base main"])
def test_comment_says_what_is_wrong_with_arguments(here: Path, arguments: str) -> None:
    refused = CliRunner().invoke(app, ["compare", *arguments.split(), "--comment", "comment.md"])
    assert str(refused.exception) in (here / "comment.md").read_text()
