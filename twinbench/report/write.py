"""The report on disk: page, markdown, charts."""

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from twinbench.analyse.results import Results
from twinbench.findings import Calibration
from twinbench.plan import LoadKind
from twinbench.report.charts import curve_figure, overview_figure, picture_figure, ratio_figure
from twinbench.report.instrument import calibrations
from twinbench.report.kinds import (
    DRAWN,
    KINDS,
    chart_name,
    kinds_of,
    overview_name,
    picture_name,
)
from twinbench.report.markdown import markdown
from twinbench.report.page import calibration_page, page
from twinbench.store import write_whole

PNG_DPI = 110


def write_report(results: Results, folder: Path, tell: Callable[[str], None]) -> Path:
    """Write report.html, report.md and charts/ into `folder`; the path of the page."""
    svgs = _draw(_figures(results), folder / "charts", tell)
    write_whole(folder / "report.md", markdown(results))
    write_whole(folder / "report.html", page(results, svgs))
    return folder / "report.html"


def write_calibration(found: Calibration, folder: Path, tell: Callable[[str], None]) -> Path:
    """Write calibration.html and charts/ into `folder`; the path of the page."""
    svgs = _draw(_of_calibration(found), folder / "charts", tell)
    write_whole(folder / "calibration.html", calibration_page(found, svgs))
    return folder / "calibration.html"


def _draw(
    figures: Iterable[tuple[str, Figure]], charts: Path, tell: Callable[[str], None]
) -> dict[str, bytes]:
    """Write the pictures as SVG and PNG into the folder `charts`; the SVG files by name."""
    charts.mkdir(exist_ok=True)
    svgs = {}
    # Text stays text (smaller files, the reader's own font); equal data gives equal bytes.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "twinbench"}):
        for name, figure in figures:
            tell(f"drawing {name}")
            buffer = io.BytesIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            svgs[name] = buffer.getvalue()
            (charts / f"{name}.svg").write_bytes(svgs[name])
            figure.savefig(charts / f"{name}.png", dpi=PNG_DPI)
    return svgs


def _figures(results: Results) -> Iterator[tuple[str, Figure]]:
    for kind in KINDS:
        if results.pairs(kind):
            yield overview_name(kind), overview_figure(results, kind)
    for scenario in results.plan.scenarios:
        for kind in kinds_of(results, scenario.name):
            yield from _of_kind(results, scenario.name, kind)
    for found in calibrations(results):
        yield from _of_calibration(found)


def _of_calibration(found: Calibration) -> Iterator[tuple[str, Figure]]:
    for item in found.items:
        if item.picture:
            yield picture_name(found, item), picture_figure(item.picture)


def _of_kind(results: Results, scenario: str, kind: LoadKind) -> Iterator[tuple[str, Figure]]:
    for metric in DRAWN[kind]:
        figure = curve_figure(results, scenario, kind, metric)
        yield chart_name(scenario, kind, metric), figure
    if results.compared(scenario, kind, results.decisive(scenario, kind)):
        yield chart_name(scenario, kind, "ratio"), ratio_figure(results, scenario, kind)
