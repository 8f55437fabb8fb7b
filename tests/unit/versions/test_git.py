"""Versions from git: which commits, which files, and a user's repository that stays as it is."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.support.repositories import commit, digest, files, git, make_repository, write
from twinbench.text import MAX_CHARACTERS, UserError
from twinbench.versions import git as versions_git
from twinbench.versions.git import Refs, Repository
from twinbench.versions.result import Version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with two commits on main, a tag, and a branch; a space in its path."""
    root = make_repository(tmp_path / "my shop")
    write(root / ".gitignore", "ignored.txt\n")
    write(root / "run.sh", "#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("app.py")
    commit(root, "First", app__py="1\n", gone__py="gone\n", plan__toml="")
    git(root, "tag", "v1")
    git(root, "branch", "feature")
    commit(root, "Second: a change", app__py="2\n")
    return root


def at(root: Path) -> Repository:
    return Repository.of(root / "plan.toml")


def checked_out(root: Path, refs: Refs, folder: Path) -> tuple[Version, Version]:
    """Check out base and head into folders of these names."""
    repository = at(root)
    base, head = repository.versions(refs)
    repository.check_out(base, folder / "base")
    repository.check_out(head, folder / "head")
    return base, head


def refusal(root: Path, refs: Refs) -> str:
    with pytest.raises(UserError) as refused:
        at(root).versions(refs)
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) <= MAX_CHARACTERS
    return message


def test_a_range_names_two_commits(root: Path, tmp_path: Path) -> None:
    base, head = checked_out(root, Refs.of_range("v1..HEAD"), tmp_path)
    assert (base.ref, base.subject) == ("v1", "First")
    assert base.commit == git(root, "rev-parse", "v1")
    assert (head.ref, head.subject, head.changed) == ("HEAD", "Second: a change", 0)
    assert files(tmp_path / "base")["app.py"] == "1\n"
    assert files(tmp_path / "head") == files(root)
    assert (tmp_path / "base" / "link").readlink() == Path("app.py")
    assert (tmp_path / "base" / "run.sh").stat().st_mode & stat.S_IXUSR


def test_three_dots_start_at_the_merge_base(root: Path) -> None:
    git(root, "checkout", "--quiet", "feature")
    commit(root, "On the branch")
    base, head = at(root).versions(Refs.of_range("main...feature"))
    assert base.commit == git(root, "rev-parse", "v1")
    assert head.commit == git(root, "rev-parse", "feature")
    assert base.ref == "main...feature"


def test_the_same_commit_twice_is_allowed(root: Path) -> None:
    base, head = at(root).versions(Refs.of_range("main..HEAD"))
    assert base.commit == head.commit


def test_the_working_tree_has_what_is_not_committed(root: Path, tmp_path: Path) -> None:
    write(root / "app.py", "not committed\n")
    write(root / "new" / "staged.py", "staged\n")
    git(root, "add", "new")
    write(root / "new" / "ümlaut.py", "untracked\n")
    for ignored in ("ignored.txt", "reports/runs/1/manifest.json", ".venv/bin/python"):
        write(root / ignored, "in no version\n")
    (root / "gone.py").unlink()
    base, head = checked_out(root, Refs("main"), tmp_path)
    expected = {name: text for name, text in files(root).items() if text != "in no version\n"}
    assert files(tmp_path / "head") == expected
    assert files(tmp_path / "base")["app.py"] == "2\n"
    assert (head.ref, head.changed, head.commit) == ("working tree", 4, base.commit)


def test_files_that_became_folders_or_links_are_copied(root: Path, tmp_path: Path) -> None:
    commit(root, "Folders", **{"a/file__py": "a\n", "b": "b\n", "c/file__py": "c\n"})
    shutil.rmtree(root / "a")
    write(root / "a", "a file now\n")
    (root / "b").unlink()
    write(root / "b" / "file.py", "a folder now\n")
    shutil.move(root / "c", tmp_path / "c")
    (root / "c").symlink_to(tmp_path / "c")
    git(root, "rm", "--quiet", "--cached", "gone.py")
    checked_out(root, Refs("main"), tmp_path / "versions")
    assert files(tmp_path / "versions" / "head") == files(root)


def test_a_merge_that_is_not_finished_is_copied(root: Path, tmp_path: Path) -> None:
    git(root, "checkout", "--quiet", "feature")
    commit(root, "Other", app__py="3\n")
    with pytest.raises(Exception, match="exit status 1"):
        git(root, "merge", "main")
    checked_out(root, Refs("main"), tmp_path)
    assert "<<<<<<<" in files(tmp_path / "head")["app.py"]


def test_the_repository_of_the_user_stays_as_it_is(root: Path, tmp_path: Path) -> None:
    hook = root / ".git" / "hooks" / "post-checkout"
    write(hook, f"#!/bin/sh\ntouch '{tmp_path}/hook-was-run'\n")
    hook.chmod(0o755)
    for key, value in {
        "core.untrackedCache": "true",
        "core.splitIndex": "true",
        "core.hooksPath": str(hook.parent),
        "core.fsmonitor": f"touch '{tmp_path}/monitor-was-run'; false",
    }.items():
        git(root, "config", key, value)
    write(root / "app.py", "3\n")
    os.utime(root / "run.sh")  # as if changed: the index has another time
    before = digest(root)
    checked_out(root, Refs("v1"), tmp_path)
    assert digest(root) == before
    assert not list(tmp_path.glob("*-was-run"))


def test_line_ends_are_those_of_the_checkout(root: Path, tmp_path: Path) -> None:
    git(root, "config", "core.autocrlf", "true")
    checked_out(root, Refs.of_range("v1..main"), tmp_path)
    assert (tmp_path / "head" / "app.py").read_bytes() == b"2\r\n"


def test_variables_of_a_hook_lead_nowhere_else(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other")
    commit(other, "Other", other__py="")
    for name, value in {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"),
    }.items():
        monkeypatch.setenv(name, value)
    before = digest(other)
    base, _ = checked_out(root, Refs("v1"), tmp_path)
    assert base.subject == "First"
    assert "app.py" in files(tmp_path / "base")
    assert digest(other) == before


def test_a_shallow_clone_has_its_commits(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{root}", "shallow")
    shallow = tmp_path / "shallow"
    git(shallow, "fetch", "--quiet", "--depth=1", "origin", "v1")
    checked_out(shallow, Refs("FETCH_HEAD"), tmp_path)
    assert files(tmp_path / "base")["app.py"] == "1\n"
    message = refusal(shallow, Refs("feature"))
    assert "git fetch --depth=1 origin feature" in message
    assert "fetch-depth: 0" in message
    assert "git fetch --unshallow" in refusal(shallow, Refs("HEAD~1"))
    assert "fetch-depth: 0" in refusal(shallow, Refs.of_range("FETCH_HEAD...HEAD"))


def test_a_linked_worktree_and_packed_refs_work(root: Path, tmp_path: Path) -> None:
    git(root, "gc", "--quiet")
    git(root, "worktree", "add", "--quiet", str(tmp_path / "linked"), "feature")
    write(tmp_path / "linked" / "app.py", "linked\n")
    checked_out(tmp_path / "linked", Refs("main"), tmp_path / "versions")
    assert files(tmp_path / "versions" / "base")["app.py"] == "2\n"
    assert files(tmp_path / "versions" / "head")["app.py"] == "linked\n"


def test_a_partial_clone_works_and_stays_as_it_is(root: Path, tmp_path: Path) -> None:
    git(root, "config", "uploadpack.allowFilter", "true")
    url = f"file://{root}"
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--no-checkout", url, "partial")
    partial = tmp_path / "partial"
    git(partial, "checkout", "--quiet")
    before = digest(partial)
    checked_out(partial, Refs.of_range("v1..HEAD"), tmp_path)
    assert files(tmp_path / "base")["app.py"] == "1\n"
    assert digest(partial) == before


def test_submodules_are_named_and_left_empty(root: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other")
    commit(other, "Other", other__py="")
    git(root, "submodule", "--quiet", "add", str(other), "libs/other")
    commit(root, "With a submodule")
    write(root / "libs" / "other" / "other.py", "changed\n")
    base, head = checked_out(root, Refs("HEAD"), tmp_path)
    assert at(root).submodules(base) == ["libs/other"]
    assert head.changed == 0
    for name in ("base", "head"):
        assert not list((tmp_path / name / "libs" / "other").iterdir())
    # A plan inside a submodule is of that repository.
    write(root / "libs" / "other" / "plan.toml", "")
    checked_out(root / "libs" / "other", Refs("HEAD"), tmp_path / "inner")
    assert files(tmp_path / "inner" / "head")["other.py"] == "changed\n"


def test_a_build_finds_the_commit_of_its_version(root: Path, tmp_path: Path) -> None:
    checked_out(root, Refs.of_range("v1..HEAD"), tmp_path)
    assert git(tmp_path / "base", "rev-parse", "HEAD") == git(root, "rev-parse", "v1")
    assert git(tmp_path / "base", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("mian", "did you mean 'main'?"),
        ("no such thing at all", "known: feature, main, v1"),
        ("-rf", "begins with a dash"),
        ("v1:app.py", "there is no commit"),
        ("a\nb", "there is no commit"),
        ("", "there is no commit"),
    ],
)
def test_an_unknown_ref_is_refused(root: Path, ref: str, expected: str) -> None:
    assert expected in refusal(root, Refs(ref))
    assert expected in refusal(root, Refs("main", ref or "no/such"))


def test_a_branch_of_a_remote_is_suggested(root: Path, tmp_path: Path) -> None:
    git(root, "branch", "release")
    git(tmp_path, "clone", "--quiet", str(root), "clone")
    assert "did you mean 'origin/release'?" in refusal(tmp_path / "clone", Refs("release"))


@pytest.mark.parametrize("text", ["main", "main..", "..main", "a..b..c", "", "..", "..."])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"BASE\.\.HEAD"):
        Refs.of_range(text)


def test_a_repository_without_commit_is_refused(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "empty")
    assert "there is no commit yet" in refusal(root, Refs("main"))


def test_a_plan_outside_of_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="in no git repository"):
        at(tmp_path)


def test_the_advice_of_git_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What git does where the repository belongs to somebody else.
    different = versions_git.SETTINGS | {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    monkeypatch.setattr(versions_git, "SETTINGS", different)
    with pytest.raises(UserError, match=r"dubious ownership .*: git config --global --add safe"):
        at(root)


def test_a_missing_git_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no git on the PATH"):
        at(root)
