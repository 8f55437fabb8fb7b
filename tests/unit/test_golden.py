"""A real recorded run, and the report that it must give.

Where a change of the report is meant: UPDATE_GOLDEN=1 .venv/bin/pytest tests/unit/test_golden.py,
then read the difference. Where the format of runs changes: twinbench run tests/golden/plan.toml,
and put what it wrote (manifest.json, cells/) in tests/golden/run.
"""

import os
import shutil
from pathlib import Path

from twinbench.analyse.run import analyse
from twinbench.report.markdown import markdown
from twinbench.store import Store

GOLDEN = Path(__file__).parents[1] / "golden"


def test_the_recorded_run_gives_the_expected_report(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "run", tmp_path / "run")
    report = markdown(analyse(Store.open(tmp_path / "run")))
    expected = GOLDEN / "report.md"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(report)
    assert report == expected.read_text()


def test_the_recorded_run_holds_a_collapse() -> None:
    """So that the golden report shows one."""
    assert "collapsed" in {record.outcome for record in Store.open(GOLDEN / "run").records()}
