"""Plan that compares versions: its targets, what is refused, the remarks."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.repositories import PLAN, app, commit, digest, files, git, make_repository, write
from twinbench.plan import PlanError, read_plan
from twinbench.text import MAX_CHARACTERS, UserError
from twinbench.versions.git import Refs
from twinbench.versions.plan import PreparedPlan, prepare_versions

NO_ENVIRONMENT = "[compare]\ninstall = []\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with an app in two commits, the first tagged by its place: HEAD~1."""
    root = make_repository(tmp_path / "shop")
    commit(root, "First", shop__py=app("one"))
    commit(root, "Second", shop__py=app("two"), plan__toml=PLAN + NO_ENVIRONMENT)
    return root


def prepared(root: Path, refs: Refs | None = None, target: str | None = None) -> PreparedPlan:
    """Return what is measured of HEAD~1 and the working tree; folders are in `scratch`."""
    plan_file = root / "plan.toml"
    scratch = root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    refs = refs or Refs("HEAD~1")
    return prepare_versions(read_plan(plan_file), plan_file, refs, target, scratch, lambda _: None)


def refusal(root: Path, old: str = "", new: str = "", target: str | None = None) -> str:
    """Return the message for the plan with `old` replaced by `new`."""
    text = (root / "plan.toml").read_text()
    assert old in text
    write(root / "plan.toml", text.replace(old, new))
    with pytest.raises(UserError) as refused:
        prepared(root, target=target)
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) <= MAX_CHARACTERS
    return message


def test_a_sweep_is_refused(root: Path) -> None:
    old, sweep = "[compare]", "[sweep]\nworkers = [1, 2]\n"
    assert "remove [sweep]" in refusal(root, old, sweep + old)


def test_versions_become_three_targets(root: Path) -> None:
    write(root / "shop.py", app("not committed"))
    before = digest(root)
    found = prepared(root)
    assert digest(root) == before
    assert found.versions
    base, head, again = found.plan.targets
    assert [each.name for each in found.plan.targets] == ["base", "head", "base_again"]
    assert [each.title for each in found.plan.targets] == ["base", "head", "base again"]
    assert base.note == f"{found.versions.base.commit[:7]} First"
    assert head.note == f"1 changed file since {found.versions.head.commit[:7]} Second"
    assert (base.app, base.python, base.env) == ("shop:app", None, {})
    for target, body in ((base, "one"), (head, "not committed"), (again, "one")):
        assert target.cwd
        assert files(target.cwd)["shop.py"] == app(body)
    assert len({each.cwd for each in found.plan.targets}) == 3
    assert found.plan.count_cells() == 3
    assert found.versions.head.environment == ""
    remark = "plan.toml is not in base ({}): that of the checkout is used for both."
    assert found.remarks == [remark.format(base.note[:7])]


def test_what_is_not_committed_is_named_if_it_is_left_out(root: Path) -> None:
    write(root / "shop.py", app("not committed"))
    found = prepared(root, Refs.of_range("HEAD...HEAD"))  # whose text is no REF of --base
    assert found.versions
    assert found.versions.base.commit == found.versions.head.commit
    assert found.remarks == [
        "1 changed file of the checkout, not committed: in neither version;"
        f" --base {found.versions.base.commit[:7]} compares what is not committed."
    ]


def test_keys_of_the_target_are_kept(root: Path) -> None:
    keys = 'env = { A = "{scratch}/a" }\nexpected_differences = { bytes = "other prices" }\n'
    plan = PLAN.replace("[[scenarios]]", f"{keys}[[scenarios]]", 1)
    write(root / "plan.toml", plan + '\n[[services]]\nname = "x"\ncommand = ["true"]\ncwd = "."\n')
    found = prepared(root)
    base, head, again = found.plan.targets
    assert base.env == head.env == again.env == {"A": "{scratch}/a"}
    for target in (base, head, again):
        assert target.expected_differences == {"bytes": "other prices"}
    assert found.names
    assert found.names.target == "app"
    assert found.names.labels.keys() == {"base", "head", "base_again"}
    assert found.names.labels["base_again"] == found.names.labels["base"]
    assert found.plan.services[0].cwd == root  # of the checkout, one for both
    assert any("[compare] install gives each" in remark for remark in found.remarks)


def test_the_folder_is_the_current_one_without_cwd(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root / "plan.toml", PLAN.replace('cwd = "."', "") + NO_ENVIRONMENT)
    commit(root, "A folder", **{"api/shop__py": app("three")})
    for here, expected in ((root / "api", "api"), (root.parent, ".")):
        monkeypatch.chdir(here)
        target = prepared(root, Refs("HEAD")).plan.targets[0]
        assert target.cwd is None  # a fresh folder for each server
        assert target.import_from == root.parent / "scratch" / "base" / expected
        for folder in (root.parent / "scratch").iterdir():
            folder.rename(root.parent / f"{here.name}-{folder.name}")


def test_one_target_of_several_is_chosen(root: Path) -> None:
    second = '[[targets]]\nname = "other"\napp = "shop:app"\ncwd = "."\n\n[[scenarios]]'
    other = 'name = "of_other"\ntargets = ["other"]\nclosed = [1]\nrequests = [{ path = "/" }]\n'
    text = PLAN.replace("[[scenarios]]", second, 1) + f"[[scenarios]]\n{other}" + NO_ENVIRONMENT
    write(root / "plan.toml", text)
    found = prepared(root, target="app")
    assert [scenario.name for scenario in found.plan.scenarios] == ["home"]
    assert any("of_other" in remark for remark in found.remarks)
    assert "--target app" in refusal(root)
    assert "did you mean 'other'?" in refusal(root, target="othr")
    assert "no scenario is for target" in refusal(
        root, 'name = "home"', 'name = "home"\ntargets = ["other"]', target="app"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('app = "shop:app"\ncwd = "."', 'url = "http://127.0.0.1:9"', "no other version"),
        ('cwd = "."', 'cwd = ".."', "is not in the repository"),
        ('cwd = "."', 'cwd = "new"', "base ({base}): it has no folder new"),
        ('cwd = "."', 'cwd = "."\nenv = {{ DATA = "{root}/data.db" }}', "env of target 'app'"),
        ('app = "shop:app"', 'command = ["{root}/serve", "{{port}}"]', "command of target 'app'"),
        ("closed = [1]", "closed = [1, 2]\nmeasure_s = 1", "measurements"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    root: Path, old: str, new: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinbench.plan.models.MAX_CELLS", 4)
    write(root / "new" / "shop.py", app("new"))
    base = git(root, "rev-parse", "HEAD")[:7]
    commit(root, "A folder")
    message = refusal(root, old, new.format(root=root))
    assert expected.format(base=base) in message
    assert str(root / "plan.toml") in message or message.startswith("base")


def test_a_path_that_only_begins_alike_is_allowed(root: Path) -> None:
    env = f'env = {{ DATA = "{root}-data/data.db" }}\n'
    write(root / "plan.toml", PLAN.replace("[[scenarios]]", f"{env}[[scenarios]]", 1))
    assert prepared(root).plan.targets[0].env["DATA"] == f"{root}-data/data.db"


def test_an_app_that_both_would_import_from_one_place_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from an editable installation of the checkout, which has the app in a folder `src`."""
    (root / "src").mkdir()
    (root / "shop.py").rename(root / "src" / "shop.py")
    commit(root, "Another layout")
    commit(root, "Nothing")
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))
    message = refusal(root)
    assert f"both versions would import shop from {root / 'src' / 'shop.py'}" in message
    assert "[compare] install" in message
    write(root / "plan.toml", PLAN.replace('"shop:app"', '"shop:app"\nserver = "gunicorn"'))
    assert "both versions would import shop" in refusal(root)
    command = 'command = ["gunicorn", "--bind", "127.0.0.1:{port}", "shop:app"]'
    assert "both versions would import shop" in refusal(
        root, 'app = "shop:app"\nserver = "gunicorn"', command
    )


def test_an_environment_without_the_server_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = f"mkdir -p .venv/bin; ln -s {Path(sys.base_prefix)}/bin/python3 .venv/bin/python"
    install = f"[compare]\ninstall = {json.dumps(['sh', '-c', fake])}\n"
    write(root / "plan.toml", PLAN + install)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(PlanError, match=r"base .*\[compare\] install does not install uvicorn"):
        prepared(root)


def test_editable_packages_of_the_checkout_are_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "packages" / "core-1.dist-info"
    write(info / "METADATA", "Metadata-Version: 2.1\nName: core\nVersion: 1\n")
    url = {"url": f"file://{root}/libs/core", "dir_info": {"editable": True}}
    write(info / "direct_url.json", json.dumps(url))
    monkeypatch.setenv("PYTHONPATH", str(info.parent) + os.pathsep)
    assert any("holds core of the checkout" in remark for remark in prepared(root).remarks)
