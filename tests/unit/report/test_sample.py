"""The sample report, and its headline in the README."""

from pathlib import Path

from tests.support.outcomes import Outcome, Outcomes, results_of, with_scenarios
from tools import sample
from twinbench.analyse.results import Results
from twinbench.paths import ROOT
from twinbench.plan import Request
from twinbench.report.markdown import markdown
from twinbench.report.view import ReportView, build_view


def view_of(folder: Path) -> ReportView:
    text = (folder / "results.json").read_text(encoding="utf-8")
    return build_view(Results.model_validate_json(text))


def test_the_readme_and_the_sample_are_current() -> None:
    """If this fails: make sample RUN=reports/runs/..."""
    view = view_of(sample.SAMPLE)
    readme = sample.README.read_text(encoding="utf-8")
    assert readme.count(sample.BEGIN) == readme.count(sample.END) == 1
    assert sample.readme_block(view) in readme
    assert (sample.SAMPLE / "report.md").read_text(encoding="utf-8") == markdown(view)
    assert (sample.SAMPLE / "report.html").stat().st_size < 2_000_000


def test_a_sample_has_no_paths_of_its_machine(tmp_path: Path) -> None:
    upload = Request(method="POST", path="/", upload={"file": ROOT / "loadtests" / "me.jpg"})
    results = results_of(Outcomes("wait", {1: Outcome(2.0)}))
    results = with_scenarios(results, wait={"requests": [upload]})
    run, folder, readme = tmp_path / "run", tmp_path / "sample", tmp_path / "README.md"
    run.mkdir()
    (run / "results.json").write_text(results.model_dump_json())
    readme.write_text(f"before\n{sample.BEGIN}old{sample.END}\nafter\n")
    sample.update(run, folder, readme)
    assert {path.name for path in folder.iterdir()} == {
        *("results.json", "report.html", "report.md", "overview.png")
    }
    for path in folder.glob("re*"):
        assert str(ROOT) not in path.read_text()
    assert "loadtests/me.jpg" in (folder / "results.json").read_text()
    assert readme.read_text() == f"before\n{sample.readme_block(view_of(folder))}\nafter\n"
