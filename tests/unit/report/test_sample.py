"""The report that is kept with the code, and what the README says of it."""

from pathlib import Path

from tests.support.outcomes import Outcome, Outcomes, results_of
from twinbench.analyse.results import Results
from twinbench.paths import ROOT
from twinbench.plan import Request
from twinbench.report import sample
from twinbench.report.markdown import markdown
from twinbench.report.view import ReportView, build_view


def view_of(folder: Path) -> ReportView:
    text = (folder / "results.json").read_text(encoding="utf-8")
    return build_view(Results.model_validate_json(text))


def test_the_readme_shows_the_sample() -> None:
    """If this fails: make sample RUN=reports/runs/..."""
    readme = sample.README.read_text(encoding="utf-8")
    assert readme.count(sample.BEGIN) == readme.count(sample.END) == 1
    assert sample.block(view_of(sample.SAMPLE)) in readme


def test_the_sample_is_what_a_report_says_today() -> None:
    """If this fails: make sample RUN=reports/runs/..."""
    kept = (sample.SAMPLE / "report.md").read_text(encoding="utf-8")
    assert kept == markdown(view_of(sample.SAMPLE))


def test_the_page_of_the_sample_is_below_2_mb() -> None:
    assert (sample.SAMPLE / "report.html").stat().st_size < 2_000_000


def test_a_run_is_kept_without_the_paths_of_its_machine(tmp_path: Path) -> None:
    results = results_of(Outcomes("wait", {1: Outcome(2.0)}))
    upload = Request(method="POST", path="/", upload={"file": ROOT / "loadtests" / "me.jpg"})
    scenario = results.plan.scenarios[0].model_copy(update={"requests": [upload]})
    plan = results.plan.model_copy(update={"scenarios": [scenario]})
    run, kept, readme = tmp_path / "run", tmp_path / "kept", tmp_path / "README.md"
    run.mkdir()
    text = results.model_copy(update={"plan": plan}).model_dump_json()
    (run / "results.json").write_text(text)
    readme.write_text(f"before\n{sample.BEGIN}old{sample.END}\nafter\n")
    sample.keep(run, kept, readme)
    assert {path.name for path in kept.iterdir()} == {
        *("results.json", "report.html", "report.md", "overview.png"),
    }
    for path in kept.glob("re*"):
        assert str(ROOT) not in path.read_text()
    assert "loadtests/me.jpg" in (kept / "results.json").read_text()
    assert readme.read_text() == f"before\n{sample.block(view_of(kept))}\nafter\n"
