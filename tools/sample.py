"""reports/sample: the report of one real run, and its headline in the README (`make sample`).

`python -m tools.sample RUN` makes both from the results in the folder RUN.
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
IMAGE = (
    "![Which target is faster, and by how much, for each kind of work and number of users]"
    "(reports/sample/overview.png)"
)
CAPTION = (
    "*Built-in blog, SQLite. Blue: `async def` is faster, orange: `def`,"
    " grey: no difference shown.*"
)


def update(run: Path, sample: Path = SAMPLE, readme: Path = README) -> None:
    """Write the report of the run folder `run` to `sample`, and its headline into `readme`."""
    text = (run / "results.json").read_text(encoding="utf-8")
    # Paths of uploaded files are relative to the repository.
    text = text.replace(f"{ROOT}{os.sep}", "")
    view = build_view(Results.model_validate_json(text))
    sample.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_report(view, folder, lambda _: None)
        for path in ("report.html", "report.md", "charts/overview.png"):
            shutil.copy(folder / path, sample)
    atomic_write(sample / "results.json", json.dumps(json.loads(text), ensure_ascii=False))
    old = readme.read_text(encoding="utf-8")
    new = re.sub(f"{BEGIN}.*{END}", lambda _: readme_block(view), old, flags=re.DOTALL)
    atomic_write(readme, new)


def readme_block(view: ReportView) -> str:
    """Return the part of the README: the heat map, its caption, and the headline."""
    headline = f"{plain(view.headline_text)} ([report](reports/sample/report.md))"
    return "\n\n".join([BEGIN, IMAGE, CAPTION, headline, END])


if __name__ == "__main__":
    update(Path(sys.argv[1]))
