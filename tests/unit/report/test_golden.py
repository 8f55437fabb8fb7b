"""A recorded run, and the structure of its page.

To accept a change of the page: UPDATE_GOLDEN=1 .venv/bin/pytest tests/unit/report/test_golden.py,
then read the difference. After a change of the format of runs:
twinbench run tests/golden/plan.toml, and copy manifest.json and cells/ to tests/golden/run.
"""

import os
import shutil
from pathlib import Path

from tests.support.pages import Parsed
from tests.support.runs import GOLDEN
from twinbench.analyse.run import analyse
from twinbench.report.view import build_view
from twinbench.report.write import write_report
from twinbench.store import Store

SHOWN = {"h1", "h2", "section", "table", "caption", "th", "svg", "details", "summary", "a", "ul"}
KEPT = ("id", "class", "href", "role", "aria-label", "aria-describedby", "scope")


def structure(html: str) -> str:
    """Return the visible elements of a page by their depth, with what names them."""
    lines = []
    for element in Parsed(html).elements:
        if element.tag in SHOWN and "svg" not in element.inside:
            given = {name: element.attributes[name] for name in KEPT if name in element.attributes}
            depth = sum(tag in SHOWN for tag in element.inside)
            named = "".join(f' {name}="{value}"' for name, value in given.items())
            lines.append(f"{'  ' * depth}{element.tag}{named}")
    return "\n".join(lines) + "\n"


def test_the_page_of_the_recorded_run_is_as_expected(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "run", tmp_path / "run")
    results = analyse(Store.open(tmp_path / "run"))
    assert "collapsed" in {cell.status for cell in results.cells}
    found = structure(write_report(build_view(results), tmp_path, lambda _: None).read_text())
    expected = GOLDEN / "page.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(found)
    assert found == expected.read_text()
