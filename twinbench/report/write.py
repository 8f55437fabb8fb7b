"""The report on disk: page, markdown, charts."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from twinbench.interruption import check_interrupted
from twinbench.remarks import remarked
from twinbench.report.charts import figure_of
from twinbench.report.charts.svg import drawing, inline, svg_of
from twinbench.report.elements import Chart, HeatMap
from twinbench.report.markdown import markdown
from twinbench.report.page import page
from twinbench.report.view import ReportView
from twinbench.store import atomic_write

PNG_DPI = 150  # of the overview, for use elsewhere: sharp on most screens
NAMED = 5  # charts that could not be drawn and are named in a remark
MISSING = Markup('<p class="missing">Chart {} {}</p>')


def write_report(
    view: ReportView,
    folder: Path,
    on_status: Callable[[str], None],
    remark: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Write report.html, report.md and charts/ into `folder`; the path of the page. `tell` is
    called with what is being done, `remark` with what is missing."""
    elements, failed = _draw(view.charts, folder / "charts", on_status)
    missing = list(_missing(failed))
    for sentence in missing:
        remark(sentence)
    complete = view.with_remarks(missing)
    check_interrupted()
    atomic_write(folder / "report.md", markdown(complete))
    check_interrupted()
    atomic_write(folder / "report.html", page(complete, elements))
    return folder / "report.html"


def _draw(
    charts: Iterable[Chart], folder: Path, on_status: Callable[[str], None]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return elements for a page, and why charts are missing, by the names of the charts."""
    # Nothing is written through a link: its target is not of this run.
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(exist_ok=True)
    elements: dict[str, str] = {}
    failed: dict[str, str] = {}
    for chart in charts:
        on_status(f"drawing {chart.name}")
        check_interrupted()
        why: list[str] = []
        with remarked(why, "could not be drawn"):
            elements[chart.name] = _draw_one(chart, folder)
        if why:
            failed[chart.name] = why[0]
            elements[chart.name] = MISSING.format(chart.name, why[0])
    return elements, failed


def _draw_one(chart: Chart, folder: Path) -> str:
    with drawing(chart.name):
        figure = figure_of(chart)
        svg = svg_of(figure)
        if isinstance(chart, HeatMap):
            figure.savefig(_unlinked(folder / f"{chart.name}.png"), dpi=PNG_DPI)
    _unlinked(folder / f"{chart.name}.svg").write_bytes(svg)
    return inline(svg, chart.title, chart.described_by)


def _unlinked(path: Path) -> Path:
    """`path`, at which nothing is now."""
    path.unlink(missing_ok=True)
    return path


def _missing(failed: Mapping[str, str]) -> Iterable[str]:
    """Charts that are missing for the same reason, together."""
    by_reason: dict[str, list[str]] = {}
    for name, why in failed.items():
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"chart{'s' * (len(names) > 1)} {', '.join(names[:NAMED])}{more} {why}"
