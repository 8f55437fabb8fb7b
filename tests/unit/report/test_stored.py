"""Stored runs on one axis: page, JSON and terminal, and runs that are refused."""

import hashlib
import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from tests.support import factories, runs
from tests.support.outcomes import Outcome, Outcomes, collapse, results_of, with_scenarios
from tests.support.pages import Parsed
from twinbench.analyse.results import Results
from twinbench.analyse.stored import RunsComparison, compare_stored, labelled
from twinbench.plan import Cell
from twinbench.report.stored import compare_runs, show_stored
from twinbench.report.stored_view import StoredView, stored_view
from twinbench.store import Store, StoreError
from twinbench.text import UserError
from twinbench.versions.result import ComparedVersions, Version

HOSTILE = "</script><script>alert(1)</script>[bold]x"
SYNC = {"name": "sync", "app": "sync:app"}
ONE = ("sync",)


def measured(folder: Path, rps: int, **changes: object) -> Path:
    """Write a run of one target with this throughput; blocks are 1 % apart."""

    def make(cell: Cell) -> runs.Made:
        return runs.steady(cell, rps + rps * (cell.block - 2) // 100)

    scenario = factories.scenario(name="read_post", closed=[1, 8])
    values: dict[str, object] = {"targets": [SYNC], "scenarios": [scenario]}
    return runs.write_run(folder, factories.plan(**(values | changes)), make).folder


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return [measured(tmp_path / name, rps) for name, rps in (("one", 1000), ("other", 800))]


def compared(folders: list[Path], output: Path, *, anyway: bool = False) -> str:
    """Compare and return what the terminal shows."""
    console = Console(file=io.StringIO(), width=140, soft_wrap=True)
    found = compare_runs(
        folders, anyway=anyway, output=output, console=console, on_status=lambda _: None
    )
    assert found == output / "compare.html"
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def view_of(*results: Results) -> StoredView:
    labels = labelled([(Path(f"run-{n}"), each) for n, each in enumerate(results)])
    return stored_view(compare_stored(labels, anyway=True), labels, Path())


def digest(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# Outputs.


def test_page_json_and_terminal_have_the_same_ratio(tmp_path: Path, pair: list[Path]) -> None:
    before = digest(tmp_path)
    lines = compared(pair, output := tmp_path / "a" / "compare").splitlines()
    assert {path.name for path in output.iterdir()} == {"compare.html", "compare.json"}
    shutil.move(output, moved := tmp_path.with_name("moved"))
    assert digest(tmp_path) == before
    found = RunsComparison.model_validate_json((moved / "compare.json").read_text())
    [row] = [row for row in found.rows if row.figure == "capacity"]
    assert row.ratio
    assert f"{row.ratio.estimate:.2f}" == "0.80"
    page = Parsed((moved / "compare.html").read_text())
    assert "0.80×" in page.text_of("td")
    assert lines[-1] in page.text_of("p")
    assert "read_post, sync is 0.80×" in lines[-1]
    assert lines[-2] == str(output / "compare.html")


def test_every_curve_has_charts_and_a_table(tmp_path: Path, pair: list[Path]) -> None:
    compared(pair, tmp_path)
    page = Parsed((tmp_path / "compare.html").read_text())
    charts = [e for e in page.all("svg") if "chart" in e.attributes.get("class", "")]
    assert len(charts) == 2
    ids = {e.attributes["id"] for e in page.elements if "id" in e.attributes}
    named = {chart.attributes["aria-describedby"] for chart in charts}
    links = {e.attributes["href"][1:] for e in page.all("a") if e.attributes["href"][0] == "#"}
    assert named | links <= ids


def test_runs_link_to_their_reports(tmp_path: Path, pair: list[Path]) -> None:
    (pair[0] / "report.html").touch()
    compared(pair, output := tmp_path / "compare")
    links = [e.attributes["href"] for e in Parsed((output / "compare.html").read_text()).all("a")]
    [report] = [link for link in links if link[0] != "#"]
    assert (output / report.replace("%2B", "+")).resolve() == pair[0] / "report.html"


def test_a_comparison_replaces_the_earlier_one(tmp_path: Path, pair: list[Path]) -> None:
    compared(pair, tmp_path)
    compared(pair[::-1], tmp_path)
    found = RunsComparison.model_validate_json((tmp_path / "compare.json").read_text())
    assert [run.run for run in found.runs] == [folder.name for folder in pair[::-1]]


def test_every_difference_is_shown_at_the_top(tmp_path: Path, pair: list[Path]) -> None:
    unlike = measured(tmp_path / "unlike", 900, slo_ms=50, warmup_s=1, collapse_s=3, timeout_s=9)
    with pytest.raises(UserError, match="--anyway"):
        compared([pair[0], unlike], tmp_path / "compare")
    assert not (tmp_path / "compare").exists()
    text = compared([pair[0], unlike], tmp_path / "compare", anyway=True)
    page = (tmp_path / "compare" / "compare.html").read_text()
    for key in ("plan.slo_ms", "plan.warmup_s", "plan.collapse_s", "plan.timeout_s"):
        assert text.index(key) < text.index("capacity")
        assert page.index(key) < page.index("Capacity (requests/s)")


def test_an_unfinished_run_is_compared_and_says_so(tmp_path: Path, pair: list[Path]) -> None:
    shutil.rmtree(pair[1] / "cells" / "0001")
    assert "5 of 5 valid, 1 not made: unfinished" in compared(pair, tmp_path)


def test_text_from_outside_is_no_markup(tmp_path: Path) -> None:
    scenario = factories.scenario(closed=[1, 8], title=HOSTILE[:60])
    target = {**SYNC, "title": HOSTILE[:60]}
    pair = [
        measured(tmp_path / name, rps, scenarios=[scenario], targets=[target])
        for name, rps in (("one", 1000), ("other", 800))
    ]
    text = compared(pair, tmp_path)
    page = (tmp_path / "compare.html").read_text()
    assert len(Parsed(page).all("script")) == 1
    assert "[bold]x" in text
    assert "&lt;script&gt;" in page


def test_a_run_of_two_versions_names_its_commits() -> None:
    versions = ComparedVersions(
        base=Version(ref="main", commit="3f" * 20),
        head=Version(ref="working tree", commit="9a" * 20, changed=2),
    )
    first = results_of(Outcomes("read_post", {8: Outcome()}, targets=ONE))
    later = first.model_copy(update={"compared_versions": versions})
    texts = view_of(first, later).runs[1].texts
    assert texts[-1] == "base main (3f3f3f3), head working tree (9a9a9a9 and 2 changed files)"


# The answer.


def headline(noop: float, posts: float, step: float = 0.01) -> str:
    first, later = (
        results_of(
            Outcomes("noop", {8: Outcome(1 + (noop - 1) * n, step)}, targets=ONE),
            Outcomes("read_post", {8: Outcome(1 + (posts - 1) * n, step)}, targets=ONE),
        )
        for n in (0, 1)
    )
    return view_of(first, later).headline


def test_the_largest_change_beyond_noise_is_the_headline() -> None:
    assert headline(1.02, 0.8).startswith("Largest change of capacity: B / A of read_post, sync")


@pytest.mark.parametrize(("noop", "posts", "step"), [(0.8, 0.9, 0.01), (1.0, 0.97, 0.1)])
def test_a_change_within_noise_is_no_difference(noop: float, posts: float, step: float) -> None:
    """Noise: how far noop moved, and the interval of the ratio itself."""
    found = headline(noop, posts, step)
    assert found.startswith("No difference of capacity")
    assert f"read_post, sync is {posts:.2f}×" in found


def test_open_loads_alone_are_compared_by_p99() -> None:
    first, later = (
        results_of(Outcomes("read_post", open={50: Outcome(ratio)}, targets=ONE))
        for ratio in (1, 2)
    )
    found = view_of(first, later)
    assert found.headline.startswith("Largest change of p99: B / A of read_post, sync is 2.00×")
    [section] = found.sections
    assert [chart.title for chart in section.charts] == ["Response time (ms): p99"]


def test_four_runs_have_a_series_and_rows_each() -> None:
    results = [
        results_of(Outcomes("read_post", {8: Outcome(ratio)}, targets=ONE))
        for ratio in (1, 0.9, 0.8, 0.7)
    ]
    [section] = view_of(*results).sections
    assert [series.target for series in section.charts[0].series] == [0, 1, 2, 3]
    assert [row[1] for row in section.table.rows if row[0].startswith("capacity")] == [
        "B",
        "C",
        "D",
    ]


def test_a_collapse_is_on_the_curve_and_in_the_table() -> None:
    first, later = (
        results_of(Outcomes("read_post", {8: Outcome(), 64: at_64}, targets=ONE))
        for at_64 in (Outcome(), collapse("sync", blocks=2))
    )
    [section] = view_of(first, later).sections
    [annotation] = section.charts[0].annotations
    assert (annotation.x, annotation.text, annotation.target) == (64, "2 of 5", 1)
    assert any("8 users, then collapsed" in row for row in section.table.rows)


def test_more_rows_than_fit_are_counted_in_the_terminal() -> None:
    first = results_of(*(Outcomes(f"s{n}", {8: Outcome()}, targets=ONE) for n in range(30)))
    console = Console(file=io.StringIO(), width=140)
    view = view_of(first, with_scenarios(first))
    show_stored(view, Path("compare.html"), console)
    more = len(view.figures.rows) - 40
    assert f"{more} more on the page" in console.file.getvalue()  # type: ignore[attr-defined]


# What is refused.


def test_the_same_run_twice_is_refused(tmp_path: Path, pair: list[Path]) -> None:
    (link := tmp_path / "latest").symlink_to(pair[0])
    with pytest.raises(UserError, match="latest: is the same run as"):
        compared([pair[0], link], tmp_path / "compare")


@pytest.mark.parametrize(("count", "message"), [(1, "needs two runs"), (5, "at most 4")])
def test_too_few_and_too_many_runs_are_refused(tmp_path: Path, count: int, message: str) -> None:
    folders = [tmp_path / str(n) for n in range(count)]
    with pytest.raises(UserError, match=message):
        compared(folders, tmp_path / "compare")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, pair: list[Path]) -> None:
    with pytest.raises(StoreError, match="there is no run here"):
        compared([pair[0], tmp_path], tmp_path / "compare")


def test_a_run_of_another_format_is_refused(tmp_path: Path, pair: list[Path]) -> None:
    manifest = Store.open(pair[1]).folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": ', '"format": 9'))
    with pytest.raises(StoreError, match=r"manifest\.json: not of this version of twinbench"):
        compared(pair, tmp_path / "compare")


def test_a_run_as_output_is_refused(pair: list[Path]) -> None:
    with pytest.raises(UserError, match="is a run; give a folder of its own"):
        compared(pair, pair[0])


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, pair: list[Path]) -> None:
    def on_status(text: str) -> None:
        if text.startswith("drawing"):
            raise KeyboardInterrupt

    output = tmp_path / "compare"
    with pytest.raises(KeyboardInterrupt):
        compare_runs(pair, anyway=False, output=output, console=Console(), on_status=on_status)
    assert not output.exists()
