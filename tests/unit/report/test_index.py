"""Index of runs: rows and their links, trends and where their lines end, safety of the page."""

import base64
import hashlib
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import factories
from tests.support.pages import Parsed
from twinbench.analyse.summary import KeyFigure, Summary
from twinbench.paths import INDEX
from twinbench.plan import Load
from twinbench.report import trends
from twinbench.report.index import IndexRow, add_to_index, build_index, write_index
from twinbench.report.trends import TrendChart, trend_groups
from twinbench.store import Store
from twinbench.versions.result import ComparedVersions, Version

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'& \x1b[31m"
FIRST = datetime.fromisoformat(factories.STARTED)
VERSIONS = ComparedVersions(
    base=Version(ref="main", commit="1a2b3c4d5e"), head=Version(ref="f0f0f0", commit="f0f0f0f0f0")
)


def run(*values: float | None, day: int = 0, blocks: int = 5, **changes: Any) -> Summary:
    """Return a run of the targets sync and async with these figures, None without one."""
    targets = zip(("sync", "async"), values, strict=False)
    figures = [factories.key_figure(t, v, blocks=blocks) for t, v in targets if v]
    scenario = factories.scenario_summary(*figures)
    return factories.summary(scenario, started=FIRST + timedelta(days=day), **changes)


def add_run(runs: Path, summary: Summary | None = None, *pages: str) -> Path:
    """Write a run folder with its manifest, this summary, and empty pages."""
    store = Store.create(factories.manifest(factories.plan()), runs)
    folder = store.folder.rename(runs / f"run {len(list(runs.iterdir()))}")
    if summary:
        (folder / "summary.json").write_text(summary.model_dump_json())
    for name in pages:
        (folder / name).touch()
    return folder


def rows(folder: Path) -> list[IndexRow]:
    return list(build_index(folder / "runs", folder).rows)


def charts(*newest_first: Summary) -> list[TrendChart]:
    named = [(f"runs/{n}/report.html", run) for n, run in enumerate(newest_first)]
    return [chart for group in trend_groups(named) for chart in group.charts]


# Rows.


def test_runs_are_listed_newest_first_with_their_reports(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    add_run(runs, run(1000, day=1, valid=18, collapsed=2, missing=4), "report.html")
    compared = run(1000, day=2, compared_versions=VERSIONS, verdict="slower")
    add_run(runs, compared, "report.html", "compare.html")
    (runs / "link").symlink_to(runs / "run 1")
    (runs / "notes").mkdir()
    newest, oldest = rows(tmp_path)
    assert (newest.report, newest.comparison) == (
        "runs/run%202/report.html",
        "runs/run%202/compare.html",
    )
    assert newest.headline == "f0f0f0 against main (1a2b3c4): slower."
    assert oldest.headline == "async serves more."
    assert oldest.validity == "18 of 20, 2 collapsed, 4 not measured"
    assert (oldest.minutes, oldest.comparison) == ("1.0", "")


def test_runs_without_a_report_are_rows_that_say_so(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    add_run(runs)
    (add_run(runs) / "summary.json").write_text('{"format": 99}')
    (add_run(runs) / "manifest.json").write_text("{")
    add_run(runs, run(1000))
    found = {row.headline.split(":")[0]: row for row in rows(tmp_path)}
    assert found.keys() == {
        "There is no report yet",
        "The summary is damaged, or of another version of twinbench",
        "Damaged",
        "async serves more. The report is missing",
    }
    assert found["Damaged"].started == "run 3"
    assert not any(row.report for row in found.values())


# The page.


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Folder of runs beside the link that a run makes."""
    runs = tmp_path / "runs"
    runs.mkdir()
    (tmp_path / "latest").symlink_to("runs")
    return runs


def test_text_from_outside_is_no_markup_in_the_index(runs: Path) -> None:
    names = {"name": "noop", "title": HOSTILE, "targets": {"sync": HOSTILE}}
    for day in (1, 2):
        scenario = factories.scenario_summary(factories.key_figure("sync", 1000), **names)
        texts = dict.fromkeys(("plan", "headline", "cpu"), HOSTILE)
        conditions = {"fastapi": f"{day} {HOSTILE}"}
        started = FIRST + timedelta(days=day)
        made = factories.summary(scenario, started=started, conditions=conditions, **texts)
        add_run(runs, made, "report.html").rename(runs / f"{day}&\"'<b>")
    assert write_index(runs) == []
    html = (runs.parent / INDEX).read_text()
    page = Parsed(html)
    assert html.count("alert(1)") >= 20
    assert "\x1b" not in html
    assert len(page.all("script")) == 1
    assert page.all("img") == page.all("b") == []
    assert not any(name.startswith("on") for e in page.elements for name in e.attributes)


def test_the_index_loads_nothing_and_runs_its_own_script(runs: Path) -> None:
    for day in (1, 2):
        add_run(runs, run(1000, day=day), "report.html")
    write_index(runs)
    page = Parsed((runs.parent / INDEX).read_text())
    [policy] = [e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes]
    digest = hashlib.sha256("".join(page.text_of("script")).encode()).digest()
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    links = {e.attributes["href"] for e in page.all("a")}
    reports = {f"runs/run%20{n}/report.html" for n in (1, 2)}
    assert links == reports | {"#main", "#all", "#trends"}
    in_charts = [e.attributes["href"] for e in page.all("a") if "svg" in e.inside]
    assert sorted(in_charts) == sorted(reports)
    assert all((runs.parent / link.replace("%20", " ")).is_file() for link in reports)


def test_an_empty_folder_of_runs_has_an_index(runs: Path) -> None:
    assert write_index(runs) == []
    assert "There is no run." in (runs.parent / INDEX).read_text()


def test_the_index_of_a_run_shows_its_summary(runs: Path) -> None:
    folder = add_run(runs)
    results = factories.results(factories.plan(), compared_versions=VERSIONS)
    assert add_to_index(folder, results, "a headline", "faster") == []
    [row] = rows(runs.parent)
    assert row.headline.startswith("f0f0f0 against main (1a2b3c4): faster.")
    assert (runs.parent / INDEX).is_file()


def test_a_file_that_is_no_index_is_kept(runs: Path) -> None:
    page = runs.parent / INDEX
    page.write_text("<!doctype html><title>my shop</title>")
    [remark] = write_index(runs)
    assert remark.startswith(f"the index of runs is not written: {page} is")
    assert page.read_text() == "<!doctype html><title>my shop</title>"


def test_an_index_that_cannot_be_written_is_a_remark(runs: Path) -> None:
    (runs.parent / INDEX).mkdir()
    [remark] = write_index(runs)
    assert "the index of runs is not written" in remark
    assert sorted(path.name for path in runs.parent.iterdir()) == [INDEX, "latest", "runs"]


def test_no_index_is_written_where_no_run_was_made(tmp_path: Path) -> None:
    add_run(tmp_path / "runs")
    assert write_index(tmp_path / "runs") == []
    assert not (tmp_path / INDEX).exists()


# Trends.


def test_a_trend_has_a_line_for_each_target_and_links() -> None:
    [chart] = charts(run(1100, 2000, day=2), run(1000, 2000, day=1))
    sync, other = chart.lines
    assert (chart.title, chart.dates) == (
        "An empty route: highest throughput",
        ("2026-01-18", "2026-01-19"),
    )
    assert [point.address for point in sync.points] == ["runs/1/report.html", "runs/0/report.html"]
    assert sync.points[0].y > sync.points[1].y > other.points[0].y == other.points[1].y
    assert all(p.high and p.low and p.high < p.y < p.low for p in sync.points)
    assert [len(line.paths) for line in chart.lines] == [1, 1]
    assert "1,000 requests/s (909 to 1,100) at 8 users; 5 valid blocks" in sync.points[0].text


@pytest.mark.parametrize(
    "other", [{"plan": "other"}, {"cpu": "b"}, {"cores": 4}, {"compared_versions": VERSIONS}]
)
def test_a_single_run_of_a_plan_and_machine_has_no_trend(other: dict[str, Any]) -> None:
    assert charts(run(1000, day=2), run(1000, day=1, **other)) == []


def test_a_line_ends_where_a_version_or_the_plan_changed() -> None:
    newest, middle, oldest = (run(1000, day=day) for day in (3, 2, 1))
    newest = newest.model_copy(update={"conditions": {"fastapi": "0.2"}})
    [chart] = charts(newest, middle, oldest)
    assert [path.count(",") for path in chart.lines[0].paths] == [2, 1]
    [(x, text)] = chart.breaks
    before, after = (point.x for point in chart.lines[0].points[1:])
    assert before < x < after
    assert text == "fastapi 0.1 → 0.2"
    scenario = middle.scenarios[0].model_copy(update={"conditions": {"closed": "[8]"}})
    middle = middle.model_copy(update={"scenarios": [scenario]})
    [group] = trend_groups([("", newest), ("", middle), ("", oldest)])
    assert group.changes == (
        ("2026-01-20 12:00", "fastapi 0.1 → 0.2; An empty route: closed [8] → [1, 8]"),
        ("2026-01-19 12:00", "An empty route: closed [1, 8] → [8]"),
    )


def test_a_line_has_a_gap_where_a_figure_is_missing() -> None:
    [chart] = charts(run(1000, 9, day=3), run(None, 9, day=2), run(1000, 9, day=1))
    assert [len(line.paths) for line in chart.lines] == [2, 1]
    assert chart.breaks == ()


def test_points_of_few_valid_blocks_are_marked() -> None:
    [chart] = charts(run(1000, day=2, blocks=trends.FEW_BLOCKS), run(1000, day=1, blocks=2))
    assert [point.few_blocks for point in chart.lines[0].points] == [True, False]


def test_open_loads_are_followed_at_the_highest_common_one() -> None:
    def at(*rates: int) -> list[KeyFigure]:
        loads = (Load("open", rate) for rate in rates)
        return [factories.key_figure("sync", 20, load=load) for load in loads]

    scenarios = [factories.scenario_summary(*at(*rates)) for rates in ((50, 100), (50, 100, 200))]
    days = (FIRST + timedelta(days=day) for day in (2, 1))
    runs = [factories.summary(s, started=d) for s, d in zip(scenarios, days, strict=True)]
    [chart] = charts(*runs)
    assert (chart.title, chart.unit) == ("An empty route: p99 at 100 requests/s", "ms")
    assert len(chart.lines[0].points) == 2


def test_a_long_trend_shows_its_newest_runs() -> None:
    most = trends.MOST_RUNS
    [group] = trend_groups([("", run(1000, day=day)) for day in range(most + 10, 0, -1)])
    [chart] = group.charts
    assert len(chart.lines[0].points) == most
    assert chart.dates[0] == f"{FIRST + timedelta(days=11):%Y-%m-%d}"
    assert re.search(rf"{most + 10} runs, the newest {most} shown", group.detail)


def test_extreme_figures_stay_inside_the_chart() -> None:
    [chart] = charts(run(1e14, 1e-14, day=2), run(1e-14, 1e14, day=1))
    ys = [y for line in chart.lines for p in line.points for y in (p.y, p.low, p.high)]
    assert all(y is not None and trends.TOP <= y <= trends.HEIGHT for y in ys)
