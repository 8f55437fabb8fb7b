"""The report on disk: page, markdown, charts."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from twinbench.analyse.results import METRICS, Results
from twinbench.report.charts import curve_figure, overview_figure, ratio_figure
from twinbench.report.markdown import markdown
from twinbench.report.page import page
from twinbench.store import write_whole

PNG_DPI = 110


def write_report(results: Results, folder: Path, tell: Callable[[str], None]) -> Path:
    """Write report.html, report.md and charts/ into `folder`; the path of the page."""
    charts = folder / "charts"
    charts.mkdir(exist_ok=True)
    svgs = {}
    # Text stays text (smaller files, the reader's own font); equal data gives equal bytes.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "twinbench"}):
        for name, figure in _figures(results):
            tell(f"drawing {name}")
            buffer = io.BytesIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            svgs[name] = buffer.getvalue()
            (charts / f"{name}.svg").write_bytes(svgs[name])
            figure.savefig(charts / f"{name}.png", dpi=PNG_DPI)
    write_whole(folder / "report.md", markdown(results))
    write_whole(folder / "report.html", page(results, svgs))
    return folder / "report.html"


def _figures(results: Results) -> Iterator[tuple[str, Figure]]:
    if results.comparisons:
        yield "overview", overview_figure(results)
    for scenario in results.plan.scenarios:
        for metric in METRICS:
            yield f"{scenario.name}.{metric}", curve_figure(results, scenario.name, metric)
        if results.compared(scenario.name, "throughput"):
            yield f"{scenario.name}.ratio", ratio_figure(results, scenario.name)
