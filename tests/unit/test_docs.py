"""Docs: links, the tour of the code, and the keys of plans in the README."""

import ast
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from twinbench.paths import ROOT
from twinbench.plan import Plan, Request, Scenario, Service, Target

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
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


@pytest.mark.parametrize("model", [Plan, Service, Target, Scenario, Request])
def test_the_readme_names_every_key_of_a_plan(model: type[BaseModel]) -> None:
    own_app = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own app")[2]
    own_app = own_app.partition("\n## ")[0]
    for key in model.model_fields:
        assert re.search(rf"`{key}\b|\[\[\w*\.?{key}\]\]|\b{key} = ", own_app), key
