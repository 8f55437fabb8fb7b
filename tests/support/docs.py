"""Plans and commands that the docs show."""

import re
import shlex
from pathlib import Path

from ruamel.yaml import YAML

from twinbench.paths import ROOT

README, OWN_APP, CI = ROOT / "README.md", ROOT / "docs" / "your-app.md", ROOT / "docs" / "ci.md"
WORKFLOWS = ROOT / ".github" / "workflows"
EXAMPLES = ROOT / "tests" / "examples"  # the two apps that they measure
WORKFLOW_NAME = re.compile(r"^# \.github/workflows/(\w+\.yml)\n")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a page in one language."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for of, text in found if of == language]


def commands(page: Path) -> list[list[str]]:
    """Commands in the code blocks of a page that are written for a terminal."""
    lines = "".join(blocks(page, "console")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines]


def commands_in_sentences(page: Path) -> list[list[str]]:
    """Commands `twinbench ...` outside of the code blocks of a page."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [shlex.split(found) for found in re.findall(r"`((?:\S*/)?twinbench .+?)`", text)]


def shown_workflows() -> dict[str, str]:
    """Workflows that docs/ci.md shows, by the file name in their first line."""
    shown = {}
    for text in blocks(CI, "yaml"):
        name = WORKFLOW_NAME.match(text)
        assert name, f"a YAML block of {CI.name} begins with no file name"
        shown[name[1]] = text.removeprefix(name[0])
    return shown


def commands_in_workflows() -> list[list[str]]:
    """Commands in the steps of all workflows, of this project and shown."""
    own = [path.read_text(encoding="utf-8") for path in WORKFLOWS.glob("*.yml")]
    jobs = [
        job
        for text in [*own, *shown_workflows().values()]
        for job in YAML(typ="safe").load(text)["jobs"].values()
    ]
    runs = [step.get("run", "") for job in jobs for step in job["steps"] if "shell" not in step]
    return [shlex.split(line, comments=True) for run in runs for line in run.splitlines()]
