"""The report that is kept with the code, and what the README says of it."""

from pathlib import Path

from tests import supposed
from tests.supposed import Made, Outcome
from twinbench.plan import Request
from twinbench.report import sample
from twinbench.report.markdown import markdown


def test_the_readme_says_what_the_sample_shows() -> None:
    """If this fails: make sample RUN=reports/runs/..."""
    readme = sample.README.read_text(encoding="utf-8")
    block = sample.block(sample.read(sample.SAMPLE))
    assert readme.count(sample.BEGIN) == readme.count(sample.END) == 1
    assert block in readme


def test_the_sample_is_what_is_said_today() -> None:
    """If this fails: make sample RUN=reports/runs/..."""
    kept = (sample.SAMPLE / "report.md").read_text(encoding="utf-8")
    assert kept == markdown(sample.read(sample.SAMPLE))


def test_a_run_is_kept_without_the_paths_of_its_machine(tmp_path: Path) -> None:
    results = supposed.results(Made("wait", {1: Outcome(2.0)}, kind="cpu"))
    upload = Request(method="POST", path="/", upload={"file": tmp_path / "me.jpg"})
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
        assert str(tmp_path) not in path.read_text()
    block = sample.block(sample.read(kept))
    assert readme.read_text() == f"before\n{block}\nafter\n"
    assert (
        "- CPU (computing, and the framework alone): async answers more a second in wait at 1 user"
        " (2.00×, 95 %: " in block
    )
    assert "](reports/sample/overview.png)" in block
