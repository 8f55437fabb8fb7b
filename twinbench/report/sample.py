"""reports/sample: the report of one real run, and its headline in the README.

`python -m twinbench.report.sample RUN` makes both from the results in the folder RUN.
"""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from twinbench.analyse.results import Results
from twinbench.paths import ROOT
from twinbench.report.markdown import plain
from twinbench.report.view import ReportView, build_view
from twinbench.report.write import write_report
from twinbench.store import atomic_write

SAMPLE = ROOT / "reports" / "sample"
README = ROOT / "README.md"
BEGIN, END = "<!-- sample -->", "<!-- /sample -->"
ALT = "Which target is faster, and by how much, for each kind of work and number of users"

CAPTION = (
    "*Built-in blog, SQLite. Blue: `async def` is faster, orange: `def`, grey: no difference.*"
)


def keep(run: Path, sample: Path = SAMPLE, readme: Path = README) -> None:
    """Write the report of the run folder `run` to `sample`, and its headline into `readme`."""
    text = (run / "results.json").read_text(encoding="utf-8")
    # Paths of uploaded files are relative to the repository.
    text = text.replace(f"{ROOT}{os.sep}", "")
    view = build_view(Results.model_validate_json(text))
    sample.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        made = Path(folder)
        write_report(view, made, lambda _: None)
        for path in (made / "report.html", made / "report.md", made / "charts" / "overview.png"):
            shutil.copy(path, sample / path.name)
    atomic_write(sample / "results.json", json.dumps(json.loads(text), ensure_ascii=False))
    old = readme.read_text(encoding="utf-8")
    atomic_write(readme, re.sub(f"{BEGIN}.*{END}", lambda _: block(view), old, flags=re.DOTALL))


def block(view: ReportView) -> str:
    """Return the part of the README: the heat map, its caption, and the headline."""
    return "\n\n".join(
        [
            BEGIN,
            f"![{ALT}](reports/sample/overview.png)",
            CAPTION,
            f"{plain(view.headline_text)} ([report](reports/sample/report.md))",
            END,
        ]
    )


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
