"""Docs: links, the tour of the code, keys of plans, and the plans and commands that they show."""

import ast
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.main import get_command

from tests.support.docs import (
    CI,
    EXAMPLES,
    OWN_APP,
    README,
    blocks,
    commands,
    commands_in_sentences,
    commands_in_workflows,
)
from twinbench.cli import app
from twinbench.paths import PACKAGE, ROOT
from twinbench.plan import (
    ASPECTS,
    Plan,
    Request,
    Scenario,
    Service,
    SetupRequest,
    Target,
    read_plan,
)
from twinbench.plan.feed import Feed
from twinbench.plan.sweep import Sweep
from twinbench.plan.targets import Compare

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
KEYS = ROOT / "docs" / "plan.md"
# By the heading of their section.
MODELS: dict[str, type[BaseModel]] = {
    "Plan": Plan,
    "Service": Service,
    "Target": Target,
    "Scenario": Scenario,
    "Request": Request,
    "Setup request": SetupRequest,
    "Feed": Feed,
    "Compare": Compare,
    "Sweep": Sweep,
}
# Fields that are described elsewhere, or no keys: what the file of a feed holds.
ELSEWHERE: dict[type[BaseModel], set[str]] = {
    SetupRequest: {*Request.model_fields},
    Feed: {"sha256", "columns", "rows"},
}
TABLES = ("services", "targets", "scenarios")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """The id that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def text_of(page: Path) -> str:
    return CODE.sub("", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for path, fragment in LINK.findall(text_of(page)):
        linked = page.parent / path if path else page
        assert linked.exists(), path
        if fragment:
            headings = map(anchor, HEADING.findall(text_of(linked)))
            assert fragment in headings, f"{path}#{fragment}"


def test_names_in_the_tour_are_defined_in_linked_files() -> None:
    tour = ROOT / "docs" / "tour.md"
    links = re.findall(r"\[`(\w+)`\]\(([^)]+\.py)\)", tour.read_text(encoding="utf-8"))
    assert len(links) >= 10
    for name, path in links:
        module = ast.parse((tour.parent / path).read_text(encoding="utf-8"))
        defined = {getattr(statement, "name", "") for statement in module.body}
        assert name in defined, f"{path} defines no {name}"


def sections(page: Path) -> dict[str, str]:
    """Text of each second-level section of a page, by its heading."""
    found = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def own_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a model of plans that its section describes."""
    elsewhere = ELSEWHERE.get(model, set())
    return {name: field for name, field in model.model_fields.items() if name not in elsewhere}


def test_the_page_of_keys_describes_every_model_of_a_plan() -> None:
    names = {model.__name__ for model in MODELS.values()}
    assert names == {"Plan", *Plan.model_json_schema()["$defs"]} - {"JsonValue"}
    assert MODELS.keys() == sections(KEYS).keys()


@pytest.mark.parametrize("heading", MODELS)
def test_the_page_of_keys_has_every_key_with_its_default(heading: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:`(.+?)`|–) \| ", sections(KEYS)[heading], re.MULTILINE)
    documented = {key: tomllib.loads(f"x = {text}")["x"] if text else None for key, text in rows}
    assert documented == {
        name: None if field.is_required() else field.default
        for name, field in own_fields(MODELS[heading]).items()
    }


def by_table(toml: str) -> dict[str, str]:
    """Parts of a plan: its own keys, and the tables of each kind."""
    found: dict[str, str] = {}
    for part in re.split(r"^(?=\[\[)", toml, flags=re.MULTILINE):
        name = re.match(r"(?:\[\[(\w+))?", part)
        assert name
        found[name[1] or ""] = found.get(name[1] or "", "") + part
    assert found.keys() <= {"", *TABLES}
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Folder with all that the plans of the docs name."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    for name in ("before", "after"):
        python = tmp_path / name / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
    return tmp_path


@pytest.mark.parametrize("toml", [*blocks(OWN_APP, "toml"), *blocks(CI, "toml")])
def test_plans_in_the_docs_are_valid(shop: Path, toml: str) -> None:
    whole = by_table(blocks(OWN_APP, "toml")[0])
    shown = by_table(toml)
    # What a fragment leaves out is of the whole plan; a plan of its own needs a name.
    own = shown.pop("", "")
    head = own if re.search("^name =", own, re.MULTILINE) else 'name = "x"\n' + own
    path = shop / "twinbench.toml"
    path.write_text(head + "".join((whole | {"services": ""} | shown)[name] for name in TABLES))
    plan = read_plan(path)
    assert len(plan.targets) >= 1


OF_PAGES = [
    command
    for page in (README, OWN_APP, CI)
    for command in [*commands(page), *commands_in_sentences(page)]
]
COMMANDS = [
    command[1:]
    for command in [*OF_PAGES, *commands_in_workflows()]
    if command[0].endswith("twinbench")
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_commands_in_the_docs_are_understood(arguments: list[str]) -> None:
    root: Any = get_command(app)
    for command in root.commands.values():
        command.callback = lambda **_: None
    root.main(arguments, standalone_mode=False)


def test_what_check_says_in_the_docs_is_what_it_says() -> None:
    table = sections(OWN_APP)["When check refuses"].partition("| `check` says |")[2]
    cells = re.findall(r"^\| (`.+?) \| ", table.partition("\n\n")[0], re.MULTILINE)
    phrases = {phrase for cell in cells for phrase in re.findall("`(.+?)`", cell)}
    assert len(phrases) > len(ASPECTS)
    source = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert not {phrase for phrase in phrases - {*ASPECTS} if phrase not in source}
    assert phrases >= {*ASPECTS}
