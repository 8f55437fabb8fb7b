"""reports/sample: the report of one real run, kept with the code, and its answer in the README.

All of it is made anew from the run's results, so that it cannot disagree with them.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from twinbench.analyse.results import Results
from twinbench.paths import ROOT
from twinbench.plan import BaseRequest, Scenario
from twinbench.report import words
from twinbench.report.answer import answer
from twinbench.report.kinds import KINDS, overview_name
from twinbench.report.markdown import bullets, plain
from twinbench.report.write import write_report
from twinbench.store import write_whole

SAMPLE = ROOT / "reports" / "sample"
README = ROOT / "README.md"
BEGIN, END = "<!-- sample -->", "<!-- /sample -->"
# Scenarios a clause: beside a picture that shows all of them.
NAMED = 5
ALT = "Who is ahead in each scenario at each load, and by how much; in words below"


def keep(run: Path, sample: Path = SAMPLE, readme: Path = README) -> None:
    """Put the report of the run folder `run` into `sample`, and its answer into `readme`."""
    results = _anywhere(read(run))
    picture = f"{_overview(results)}.png"
    sample.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        made = Path(folder)
        write_report(results, made, lambda _: None)
        for path in (made / "report.html", made / "report.md", made / "charts" / picture):
            shutil.copy(path, sample / path.name)
    write_whole(sample / "results.json", results.model_dump_json())
    text = readme.read_text(encoding="utf-8")
    write_whole(readme, re.sub(f"{BEGIN}.*{END}", lambda _: block(results), text, flags=re.DOTALL))


def read(run: Path) -> Results:
    return Results.model_validate_json((run / "results.json").read_text(encoding="utf-8"))


def block(results: Results) -> str:
    """What the README shows: the picture, the answer, and what it comes from."""
    name, machine, versions = _overview(results), results.machine, results.versions
    where = f"{machine.cpu}, {machine.cores} cores; Python {versions['python']}"
    source = f"{where}, FastAPI {versions['fastapi']}. {words.validity(results)}"
    return "\n\n".join(
        [
            BEGIN,
            f"![{ALT}](reports/sample/{name}.png)",
            bullets(said.text for said in answer(results, NAMED)),
            "From [one run](reports/sample/report.md) of the plan"
            f" `{results.plan.name}` ([page](reports/sample/report.html)): {plain(source)}",
            END,
        ]
    )


def _overview(results: Results) -> str:
    return next((overview_name(kind) for kind in KINDS if results.pairs(kind)), "overview")


def _anywhere(results: Results) -> Results:
    """Without the paths of the machine: files to upload as they stand in the repository."""
    scenarios = [_relative(scenario) for scenario in results.plan.scenarios]
    return results.model_copy(
        update={"plan": results.plan.model_copy(update={"scenarios": scenarios})}
    )


def _relative(scenario: Scenario) -> Scenario:
    sent: dict[str, Sequence[BaseRequest]] = {
        "before": scenario.before,
        "requests": scenario.requests,
    }
    return scenario.model_copy(
        update={name: [_by_name(request) for request in sent[name]] for name in sent}
    )


def _by_name(request: BaseRequest) -> BaseRequest:
    files = {field: Path(path.name) for field, path in (request.upload or {}).items()}
    return request.model_copy(update={"upload": files or None})
