"""report.html: one file, which loads nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from twinbench.report.charts.frame import PALETTE
from twinbench.report.view import ReportView
from twinbench.text import printable

ENVIRONMENT = Environment(
    loader=PackageLoader("twinbench.report", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # Only text from anywhere; what is markup was made here.
    finalize=lambda value: printable(value) if type(value) is str else value,
)
SCRIPT = (Path(__file__).parent / "templates" / "page.js").read_text(encoding="utf-8")
SIDES = tuple(PALETTE)[:4]  # the CSS class and variable of each side


def page(view: ReportView, charts: Mapping[str, str]) -> str:
    """Return the whole report; `charts` are SVG elements by their names."""
    return ENVIRONMENT.get_template("page.html.j2").render(
        view=view,
        # Made by a serializer: what is text in them is escaped.
        charts={name: Markup(svg) for name, svg in charts.items()},  # noqa: S704
        side=lambda n: "quiet" if n is None else SIDES[n % len(SIDES)],
        palette=PALETTE,
        script=Markup(SCRIPT),  # noqa: S704 - ours
        script_hash=base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode(),
    )
