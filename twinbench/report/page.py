"""report.html: one file, which loads nothing from elsewhere."""

import base64
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from twinbench.analyse.comparisons import MARGIN
from twinbench.analyse.results import Results
from twinbench.findings import Calibration
from twinbench.plan import LoadKind
from twinbench.report import instrument, kinds, style, words
from twinbench.report.causes import causes
from twinbench.report.tables import overview_rows, scenario_header, scenario_rows
from twinbench.report.verdicts import summary

ENVIRONMENT = Environment(
    loader=PackageLoader("twinbench.report", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


def page(results: Results, charts: Mapping[str, bytes]) -> str:
    """The whole report; `charts` are SVG files by name (see `chart_names`)."""
    return ENVIRONMENT.get_template("page.html.j2").render(
        results=results,
        scenarios=results.plan.scenarios,
        charts={name: _data_uri(svg) for name, svg in charts.items()},
        overviews=[kind for kind in kinds.KINDS if kinds.overview_name(kind) in charts],
        charts_of=lambda scenario, kind: chart_names(results, scenario, kind),
        header=lambda scenario, kind: scenario_header(results, scenario, kind),
        table=lambda scenario, kind: scenario_rows(results, scenario, kind),
        overview_alt=lambda kind: _overview_alt(results, kind),
        summary=lambda scenario: summary(results, scenario),
        causes=lambda scenario: causes(results, scenario),
        reasons=words.reasons(results),
        plan_json=results.plan.model_dump_json(indent=2, exclude_defaults=True),
        margin=MARGIN,
        instrument=instrument,
        kinds=kinds,
        style=style,
        words=words,
    )


def calibration_page(found: Calibration, charts: Mapping[str, bytes]) -> str:
    """A page for one calibration; `charts` are SVG files by name (see `kinds.picture_name`)."""
    return ENVIRONMENT.get_template("calibration.html.j2").render(
        found=found,
        charts={name: _data_uri(svg) for name, svg in charts.items()},
        instrument=instrument,
        kinds=kinds,
        style=style,
    )


def chart_names(results: Results, scenario: str, kind: LoadKind) -> list[tuple[str, str]]:
    """Name and alternative text of a scenario's charts, in the order they are shown."""
    shown = {metric: kinds.TITLES[kind][metric] for metric in kinds.DRAWN[kind]}
    names = [
        (kinds.chart_name(scenario, kind, metric), words.alt(results, scenario, title))
        for metric, title in shown.items()
    ]
    decisive = results.decisive(scenario, kind)
    if results.compared(scenario, kind, decisive):
        what = f"Ratio: {kinds.RATIOS[decisive].lower()}"
        name = kinds.chart_name(scenario, kind, "ratio")
        names.append((name, words.alt(results, scenario, what)))
    return names


def _data_uri(svg: bytes) -> str:
    # As an image of its own: its ids cannot clash with another chart's, its text cannot run.
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _overview_alt(results: Results, kind: LoadKind) -> str:
    header, rows = overview_rows(results, kind)
    lines = [
        f"{row[0]}: "
        + ", ".join(f"{text} at {load}" for load, text in zip(header[1:], row[1:], strict=True))
        for row in rows
    ]
    return f"{words.overview(results, kind, 'candidate / baseline')}. " + "; ".join(lines)
