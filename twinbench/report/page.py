"""report.html: one file, which loads nothing from elsewhere."""

import base64
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from twinbench.analyse.comparisons import MARGIN
from twinbench.analyse.results import METRICS, Results
from twinbench.report import style, words
from twinbench.report.charts import TITLES
from twinbench.report.tables import overview_rows, scenario_header, scenario_rows


def page(results: Results, charts: Mapping[str, bytes]) -> str:
    """The whole report; `charts` are SVG files by name (see `chart_names`)."""
    environment = Environment(
        loader=PackageLoader("twinbench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        results=results,
        scenarios=results.plan.scenarios,
        charts={name: _data_uri(svg) for name, svg in charts.items()},
        charts_of=lambda scenario: chart_names(results, scenario),
        header=scenario_header,
        table=lambda scenario: scenario_rows(results, scenario),
        overview_alt=_overview_alt(results),
        reasons=words.reasons(results),
        plan_json=results.plan.model_dump_json(indent=2, exclude_defaults=True),
        margin=MARGIN,
        style=style,
        words=words,
    )


def chart_names(results: Results, scenario: str) -> list[tuple[str, str]]:
    """Name and alternative text of a scenario's charts, in the order they are shown."""
    names = [
        (f"{scenario}.{metric}", words.alt(results, scenario, TITLES[metric])) for metric in METRICS
    ]
    if results.compared(scenario, "throughput"):
        names.append((f"{scenario}.ratio", words.alt(results, scenario, "Ratio of throughputs")))
    return names


def _data_uri(svg: bytes) -> str:
    # As an image of its own: its ids cannot clash with another chart's, its text cannot run.
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _overview_alt(results: Results) -> str:
    header, rows = overview_rows(results)
    lines = [
        f"{row[0]}: "
        + ", ".join(f"{text} at {load}" for load, text in zip(header[1:], row[1:], strict=True))
        for row in rows
    ]
    return "Throughput ratios by number of users. " + "; ".join(lines)
