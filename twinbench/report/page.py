"""report.html: one file, which loads nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from twinbench.analyse.margins import MARGIN
from twinbench.analyse.results import Results
from twinbench.findings import Calibration
from twinbench.printable import printable
from twinbench.report import gallery, instrument, kinds, overview, raw, style, words
from twinbench.report.answer import answer
from twinbench.report.badges import badges
from twinbench.report.causes import causes
from twinbench.report.facts import facts
from twinbench.report.tables import preflight_rows, scenario_header, scenario_rows
from twinbench.report.verdicts import summary

ENVIRONMENT = Environment(
    loader=PackageLoader("twinbench.report", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # Only text from anywhere; what is markup was made here.
    finalize=lambda value: printable(value) if type(value) is str else value,
)
ENVIRONMENT.globals.update(
    instrument=instrument,
    kinds=kinds,
    overview=overview,
    palette=style.PALETTE,
    raw=raw,
    words=words,
)
SCRIPT = Path(__file__).with_name("page.js").read_text()
# So many scenarios are named in a clause of the first screen: the picture beside it has them all.
NAMED_AT_FIRST = 5


def page(results: Results, charts: Mapping[str, str]) -> str:
    """The whole report; `charts` are elements by the names that `gallery` gives them."""
    cells = raw.cell_rows(results)
    shown = {int(row[0]) for row in cells}
    return _render(
        "page.html.j2",
        charts,
        results=results,
        scenarios=results.plan.scenarios,
        answer=answer(results, NAMED_AT_FIRST),
        in_full=answer(results),
        badges=badges(results),
        sections=gallery.sections(results),
        overviews=[kind for kind in kinds.KINDS if kinds.overview_name(kind) in charts],
        charts_of=lambda scenario, kind: gallery.charts_of(results, scenario, kind),
        over_time=lambda scenario, kind: list(gallery.charts_over_time(results, scenario, kind)),
        header=lambda scenario, kind: scenario_header(results, scenario, kind),
        rows=lambda scenario, kind: scenario_rows(results, scenario, kind),
        summary=lambda scenario: summary(results, scenario),
        causes=lambda scenario: causes(results, scenario),
        preflight=preflight_rows(results),
        facts=lambda scenario: facts(results, scenario),
        plan_json=results.plan.model_dump_json(indent=2, exclude_defaults=True),
        margin=MARGIN,
        cells=cells,
        # A long run does not show all of its cells.
        anchor=lambda ids: f"cell-{ids[0]}" if ids[0] in shown else "raw",
    )


def calibration_page(found: Calibration, charts: Mapping[str, str]) -> str:
    """A page for one calibration; `charts` are elements by the names that `gallery` gives them."""
    return _render("calibration.html.j2", charts, found=found)


def _render(template: str, charts: Mapping[str, str], **context: object) -> str:
    return ENVIRONMENT.get_template(template).render(
        # Made by a serializer: what is text in them is escaped.
        charts={name: Markup(svg) for name, svg in charts.items()},  # noqa: S704
        script=Markup(SCRIPT),  # noqa: S704 - ours
        script_hash=base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode(),
        **context,
    )
