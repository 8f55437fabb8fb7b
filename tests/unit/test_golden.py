"""A real recorded run, and the structure of the page that it gives.

Where a change of the page is meant: UPDATE_GOLDEN=1 .venv/bin/pytest tests/unit/test_golden.py,
then read the difference. Where the format of runs changes: twinbench run tests/golden/plan.toml,
and put what it wrote (manifest.json, cells/) in tests/golden/run.
"""

import os
import shutil
from pathlib import Path

from tests.support.pages import Parsed
from twinbench.analyse.run import analyse
from twinbench.report.view import build_view
from twinbench.report.write import write_report
from twinbench.store import Store

GOLDEN = Path(__file__).parents[1] / "golden"
SHOWN = {"h1", "h2", "section", "table", "caption", "th", "svg", "details", "summary", "a", "ul"}
KEPT = ("id", "class", "href", "role", "aria-label", "aria-describedby", "scope")


def structure(html: str) -> str:
    """Elements of a page that a reader meets, indented by their depth, with what names them."""
    lines = []
    for element in Parsed(html).elements:
        if element.tag in SHOWN and "svg" not in element.inside:
            given = {name: element.attributes[name] for name in KEPT if name in element.attributes}
            depth = sum(tag in SHOWN for tag in element.inside)
            named = "".join(f' {name}="{value}"' for name, value in given.items())
            lines.append(f"{'  ' * depth}{element.tag}{named}")
    return "\n".join(lines) + "\n"


def test_the_recorded_run_gives_the_expected_page(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "run", tmp_path / "run")
    view = build_view(analyse(Store.open(tmp_path / "run")))
    found = structure(write_report(view, tmp_path, lambda _: None).read_text())
    expected = GOLDEN / "page.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(found)
    assert found == expected.read_text()


def test_the_recorded_run_holds_a_collapse() -> None:
    """So that the golden page shows one."""
    assert "collapsed" in {record.outcome for record in Store.open(GOLDEN / "run").records()}
