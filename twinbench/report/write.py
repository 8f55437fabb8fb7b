"""The report on disk: report.html, report.md, and a file for each chart; compare.html likewise."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from twinbench.interruption import check_interrupted
from twinbench.remarks import remarked
from twinbench.report.charts import figure_of
from twinbench.report.charts.frame import COLOURS, PALETTE
from twinbench.report.charts.svg import drawing, inline, svg_of
from twinbench.report.elements import Chart, HeatMap, TargetIndex
from twinbench.report.markdown import comment, markdown
from twinbench.report.versions import VersionsView
from twinbench.report.view import ReportView
from twinbench.store import atomic_write
from twinbench.text import printable

PNG_DPI = 150  # of the heat map, for use elsewhere: sharp on most screens
MOST_NAMES = 5  # of missing charts in a remark
NO_CHART = Markup('<p class="missing">Chart {} {}</p>')
ENVIRONMENT = Environment(
    loader=PackageLoader("twinbench.report", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # Control characters are removed from text; markup was made here.
    finalize=lambda value: printable(value) if type(value) is str else value,
)
SCRIPT = (Path(__file__).parent / "templates" / "page.js").read_text(encoding="utf-8")
TARGET_CLASSES = tuple(PALETTE)[: len(COLOURS)]


def write_report(
    view: ReportView,
    folder: Path,
    on_status: Callable[[str], None],
    on_remark: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Write report.html, report.md and charts/ into `folder`, and return the path of the page.

    `on_status` is called with what is being done, `on_remark` with what is missing.
    """
    elements, missing = draw(view.charts, on_status, folder / "charts")
    for sentence in missing:
        on_remark(sentence)
    complete = view.with_remarks(missing)
    check_interrupted()
    atomic_write(folder / "report.md", markdown(complete))
    check_interrupted()
    atomic_write(folder / "report.html", page_html("page.html.j2", complete, elements))
    return folder / "report.html"


def write_versions(
    view: VersionsView,
    folder: Path,
    on_status: Callable[[str], None],
    on_remark: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Write compare.html, comment.md and charts/ into `folder`; the rest as `write_report`."""
    elements, missing = draw(view.charts, on_status, folder / "charts")
    for sentence in missing:
        on_remark(sentence)
    check_interrupted()
    atomic_write(folder / "comment.md", comment(view))
    check_interrupted()
    page = page_html("compare.html.j2", view.with_remarks(missing), elements)
    atomic_write(folder / "compare.html", page)
    return folder / "compare.html"


def page_html(
    template: str, view: object, charts: Mapping[str, str], script: str = SCRIPT, **more: object
) -> str:
    """Return one file that loads nothing from elsewhere; `charts` are SVG elements by name.

    `more` are values that only this template has.
    """
    return ENVIRONMENT.get_template(template).render(
        view=view,
        # A serializer made them, and escaped the text in them.
        charts={name: Markup(svg) for name, svg in charts.items()},  # noqa: S704
        class_of=_class_of,
        palette=PALETTE,
        target_classes=TARGET_CLASSES,
        script=Markup(script),  # noqa: S704 - ours
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **more,
    )


def _class_of(target: TargetIndex) -> str:
    return "quiet" if target is None else TARGET_CLASSES[target % len(TARGET_CLASSES)]


def draw(
    charts: Iterable[Chart], on_status: Callable[[str], None], folder: Path | None = None
) -> tuple[dict[str, str], list[str]]:
    """Return elements for a page by their names, and remarks on charts that are missing.

    Each chart is also written as a file into `folder`, if one is given.
    """
    if folder:
        # Nothing is written through a link: its target is not of this run.
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(exist_ok=True)
    elements: dict[str, str] = {}
    failed: dict[str, str] = {}
    for chart in charts:
        on_status(f"drawing {chart.name}")
        check_interrupted()
        reasons: list[str] = []
        with remarked(reasons, "could not be drawn"):
            elements[chart.name] = _draw_one(chart, folder)
        for reason in reasons:
            failed[chart.name] = reason
            elements[chart.name] = NO_CHART.format(chart.name, reason)
    return elements, list(_missing(failed))


def _draw_one(chart: Chart, folder: Path | None) -> str:
    with drawing(chart.name):
        figure = figure_of(chart)
        svg = svg_of(figure)
        if folder and isinstance(chart, HeatMap):
            figure.savefig(_unlinked(folder / f"{chart.name}.png"), dpi=PNG_DPI)
    if folder:
        _unlinked(folder / f"{chart.name}.svg").write_bytes(svg)
    return inline(svg, chart.title, chart.described_by)


def _unlinked(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


def _missing(failed: Mapping[str, str]) -> Iterable[str]:
    """Yield a remark for each reason, with the charts that are missing for it."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in failed.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        yield f"chart{'s' * (len(names) > 1)} {', '.join(names[:MOST_NAMES])}{more} {reason}"
