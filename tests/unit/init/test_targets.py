"""Arguments of `init` that do not go together, or name what does not exist."""

from pathlib import Path

import pytest

from twinbench.init.targets import Given, InitError, environment, targets_of

TWO = ("old:app", "new:app")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Given(()), "give two apps"),
        (Given(("a:app", "a:app")), "are the same app: give their folders"),
        (Given(("a:app",), prefixes=("x",)), "--prefix is given twice"),
        (Given(("a:app",), prefixes=("x", "/x/")), "--prefix is given twice"),
        (Given(TWO, prefixes=("x", "y")), "leave AFTER or --prefix out"),
        (Given(TWO, folders=(None, Path("gone"))), "--after-dir gone: there is no such folder"),
        (Given(TWO, pythons=(Path("gone"), None)), "--before-python gone: there is no such file"),
        (Given(TWO, command=True), "'old:app' has no {port}"),
        (Given(("a '", "b"), command=True), "is not a command line"),
        (
            Given(("a {port}", "b {port}"), command=True, pythons=(None, Path(__file__))),
            "--after-python is for an import string",
        ),
        (Given(("http://127.0.0.1:1", "a:app"), envs=({"A": ""}, {})), "runs already: leave"),
    ],
)
def test_arguments_without_a_plan_are_refused(given: Given, message: str) -> None:
    with pytest.raises(InitError, match=message.replace("{", "[{]")):
        targets_of(given)


@pytest.mark.parametrize("app", ["shop", "shop/main:app", ":app", "x\0:app"])
def test_wrong_import_strings_are_refused(app: str) -> None:
    target, _ = targets_of(Given((app, "b:app")))
    with pytest.raises(InitError, match="before: app"):
        target.validated()


def test_variables_are_read_and_wrong_ones_refused() -> None:
    assert environment(["A=b=c", "B="], "--env") == {"A": "b=c", "B": ""}
    for wrong in ("A", "=b"):
        with pytest.raises(InitError, match=r"--env .*: write it as NAME=VALUE"):
            environment([wrong], "--env")


def test_one_app_has_its_variants_named_after_their_prefixes() -> None:
    targets = targets_of(Given(("a:app",), prefixes=("v1", "v2")))
    assert [(target.name, target.prefix) for target in targets] == [("v1", "v1"), ("v2", "v2")]
    targets = targets_of(Given(("a:app",), prefixes=("API/One", "API/Two")))
    assert [target.name for target in targets] == ["before", "after"]
