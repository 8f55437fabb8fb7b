"""Workflows of this project and of docs/ci.md: valid, safe, and what the comment is made from."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support.docs import WORKFLOWS, shown_workflows

OWN = {path.name: path.read_text(encoding="utf-8") for path in sorted(WORKFLOWS.glob("*.yml"))}
SHOWN = shown_workflows()
MARKER = "<!-- twinbench compare -->"
SHA = "0123456789abcdef0123456789abcdef01234567"
# Of a workflow run, as GitHub tells it: a pull request of a fork.
RUN = {
    "repository": {"full_name": "shop/app"},
    "head_repository": {"owner": {"login": "contributor"}},
    "head_branch": "faster & better",
    "head_sha": SHA,
    "conclusion": "failure",
    "html_url": "https://example.org/runs/1",
}
# In place of the command `gh`: answers GET from a file, by the last part of the path.
FAKE_GH = f"""#!{sys.executable}
import json, pathlib, sys
arguments = sys.argv[1:]
path = next(each for each in arguments if each.startswith("repos/"))
if "--method=GET" in arguments:
    known = json.loads(pathlib.Path("github.json").read_text())
    print(json.dumps(known[path.rpartition("/")[2]]))
else:
    print("{{}}")
with open("calls.jsonl", "a") as file:
    print(json.dumps(arguments), file=file)
"""


def parsed(text: str) -> Any:
    return YAML(typ="safe").load(text)


def uses(workflows: dict[str, str]) -> set[str]:
    """Actions with the commit and version that they are pinned to."""
    return set(re.findall(r"uses: (.+)$", "".join(workflows.values()), re.MULTILINE))


def test_shown_workflows_pass_what_check_demands_of_own(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for name, text in SHOWN.items():
        (folder / name).write_text(text, encoding="utf-8")
    files = " ".join(f".github/workflows/{name}" for name in SHOWN)
    for command in (
        f"check-jsonschema --builtin-schema vendor.github-workflows {files}",
        f"check-jsonschema --builtin-schema custom.github-workflows-require-timeout {files}",
        "zizmor --offline --quiet --strict-collection .github",
    ):
        tool, *arguments = command.split()
        whole = [str(Path(sys.executable).with_name(tool)), *arguments]
        done = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_shown_comment_workflow_is_our_own() -> None:
    assert SHOWN["comment.yml"] == OWN["comment.yml"]


def test_shown_actions_are_pinned_as_our_own() -> None:
    assert uses(SHOWN) <= uses(OWN)


@pytest.mark.parametrize("workflows", [OWN, SHOWN], ids=["own", "shown"])
def test_comment_follows_the_workflow_that_uploads(workflows: dict[str, str]) -> None:
    compare, comment = parsed(workflows["compare.yml"]), parsed(workflows["comment.yml"])
    assert comment["on"]["workflow_run"]["workflows"] == [compare["name"]]
    steps = compare["jobs"]["compare"]["steps"]
    names = [step["with"]["name"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert [name.partition("-")[0] for name in names] == ["comment", "run"]


class Posting:
    """The script of comment.yml, run in a folder with made-up answers of GitHub."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.downloaded = folder / "downloaded"
        self.downloaded.mkdir()
        self.pulls: list[Any] = [{"number": 7, "head": {"sha": SHA}}]
        self.comments: list[Any] = []
        (folder / "event.json").write_text(json.dumps({"workflow_run": RUN}))
        gh = folder / "bin" / "gh"
        gh.parent.mkdir()
        gh.write_text(FAKE_GH)
        gh.chmod(0o755)

    def run(self) -> list[list[str]]:
        """Return the arguments of each call of `gh`."""
        known = {"pulls": [self.pulls], "comments": [self.comments[:1], self.comments[1:]]}
        (self.folder / "github.json").write_text(json.dumps(known))
        step = parsed(OWN["comment.yml"])["jobs"]["comment"]["steps"][-1]
        assert step["shell"] == "python"
        environment = os.environ | {
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }
        command = [sys.executable, "-c", step["run"]]
        subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True)
        return [*map(json.loads, (self.folder / "calls.jsonl").read_text().splitlines())]

    def posted(self) -> str:
        """Return the text of the new comment."""
        method, path, field = self.run()[-1][1:]
        assert (method, path) == ("--method=POST", "repos/shop/app/issues/7/comments")
        text = field.removeprefix("--raw-field=body=")
        assert text.startswith(f"{MARKER}\n")
        return text


@pytest.fixture
def posting(tmp_path: Path) -> Posting:
    return Posting(tmp_path)


def test_comment_is_posted_with_its_marker_first(posting: Posting) -> None:
    (posting.downloaded / "comment.md").write_text(f"{MARKER}\n**Slower**: browse\n")
    text = posting.posted()
    assert text.count(MARKER) == 1
    assert "**Slower**: browse" in text
    assert f"[failure, log, reports](<{RUN['html_url']}>)" in text


def test_pull_request_of_a_fork_is_found_by_its_branch(posting: Posting) -> None:
    assert "--raw-field=head=contributor:faster & better" in posting.run()[0]


def test_own_earlier_comment_is_updated(posting: Posting) -> None:
    (posting.downloaded / "comment.md").write_text(MARKER)
    posting.comments = [
        {"id": 1, "user": {"login": "contributor"}, "body": f"{MARKER}\nFaster!"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "Thank you!"},
        {"id": 3, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\nold"},
    ]
    assert posting.run()[-1][1:3] == ["--method=PATCH", "repos/shop/app/issues/comments/3"]


def test_comments_of_several_apps_become_one(posting: Posting) -> None:
    for app in ("sync", "async"):
        (posting.downloaded / f"comment-{app}").mkdir()
        (posting.downloaded / f"comment-{app}" / "comment.md").write_text(f"{MARKER}\nof {app}\n")
    text = posting.posted()
    assert text.index("### async") < text.index("of async") < text.index("of sync")
    assert text.count(MARKER) == 1


@pytest.mark.parametrize(
    "pulls",
    [
        [],
        [{"number": 7, "head": {"sha": "f" * 40}}],
        [{"number": number, "head": {"sha": SHA}} for number in (7, 8)],
    ],
    ids=["closed", "another commit", "ambiguous"],
)
def test_no_comment_without_one_pull_request(posting: Posting, pulls: list[Any]) -> None:
    (posting.downloaded / "comment.md").write_text(MARKER)
    posting.pulls = pulls
    assert len(posting.run()) == 1  # it asked, and wrote nothing


def test_missing_comment_replaces_an_earlier_verdict(posting: Posting) -> None:
    assert "No verdict" in posting.posted()


def test_links_and_long_files_are_not_posted(posting: Posting, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (posting.downloaded / name).mkdir()
    (posting.downloaded / "a" / "comment.md").symlink_to("/proc/self/environ")
    (posting.downloaded / "b" / "comment.md").write_text("long" * 10_000)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "comment.md").write_text("secret")
    (posting.downloaded / "c" / "linked").symlink_to(outside, target_is_directory=True)
    text = posting.posted()
    assert text.count("No verdict") >= 2
    assert not re.search("PATH=|longlong|secret", text)


def test_hostile_comment_is_posted_and_notifies_nobody(posting: Posting) -> None:
    (posting.downloaded / "comment.md").write_bytes(b"@team \xff \0")
    assert "@team" not in posting.posted()
