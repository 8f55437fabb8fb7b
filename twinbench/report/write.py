"""The report on disk: page, markdown, charts."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from twinbench.analyse.results import Results
from twinbench.findings import Calibration
from twinbench.report.draw import draw
from twinbench.report.gallery import charts, charts_of_calibration
from twinbench.report.markdown import markdown
from twinbench.report.page import calibration_page, page
from twinbench.store import write_whole


def write_report(
    results: Results, folder: Path, tell: Callable[[str], None], pool: Executor | None = None
) -> Path:
    """Write report.html, report.md and charts/ into `folder`; the path of the page. `pool`: see
    `draw`."""
    drawn = draw(charts(results), results, folder / "charts", tell, pool)
    write_whole(folder / "report.md", markdown(results))
    write_whole(folder / "report.html", page(results, drawn))
    return folder / "report.html"


def write_calibration(found: Calibration, folder: Path, tell: Callable[[str], None]) -> Path:
    """Write calibration.html and charts/ into `folder`; the path of the page."""
    drawn = draw(charts_of_calibration(found), None, folder / "charts", tell)
    write_whole(folder / "calibration.html", calibration_page(found, drawn))
    return folder / "calibration.html"
