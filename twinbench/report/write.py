"""The report on disk: page, markdown, charts."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path

from twinbench.analyse.results import Results
from twinbench.findings import Calibration
from twinbench.interruption import check_interrupted
from twinbench.report.draw import Drawn, draw
from twinbench.report.gallery import charts, charts_of_calibration
from twinbench.report.markdown import markdown
from twinbench.report.page import calibration_page, page
from twinbench.store import write_whole

# So many charts that could not be drawn are named in a remark.
NAMED = 5


def write_report(
    results: Results,
    folder: Path,
    tell: Callable[[str], None],
    pool: Executor | None = None,
    remark: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Write report.html, report.md and charts/ into `folder`; the path of the page. `pool`: see
    `draw`; `remark` is called with what is missing."""
    drawn = draw(charts(results), results, folder / "charts", tell, pool)
    missing = list(_missing(drawn))
    for sentence in missing:
        remark(sentence)
    complete = results.model_copy(update={"remarks": [*results.remarks, *missing]})
    check_interrupted()
    write_whole(folder / "report.md", markdown(complete))
    check_interrupted()
    write_whole(folder / "report.html", page(complete, drawn.elements))
    return folder / "report.html"


def write_calibration(
    found: Calibration,
    folder: Path,
    tell: Callable[[str], None],
    remark: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Write calibration.html and charts/ into `folder`; the path of the page. `remark` is
    called with what is missing."""
    drawn = draw(charts_of_calibration(found), None, folder / "charts", tell)
    for sentence in _missing(drawn):
        remark(sentence)
    write_whole(folder / "calibration.html", calibration_page(found, drawn.elements))
    return folder / "calibration.html"


def _missing(drawn: Drawn) -> Iterable[str]:
    """Charts that are missing for the same reason, together."""
    by_reason: dict[str, list[str]] = {}
    for name, why in drawn.failed.items():
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"chart{'s' * (len(names) > 1)} {', '.join(names[:NAMED])}{more} {why}"
