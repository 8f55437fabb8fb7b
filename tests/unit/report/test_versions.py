"""A comparison of versions as page, comment and terminal: one answer, and what it is based on."""

import io
import math
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.support import factories
from tests.support.pages import Parsed
from twinbench.analyse.results import Estimate, Results, VersionComparison, VersionRow
from twinbench.analyse.verdict import compare_versions
from twinbench.plan import Load
from twinbench.report.elements import LineChart
from twinbench.report.format import change, change_interval, difference
from twinbench.report.markdown import (
    MARKER,
    MOST_COMMENT_LINES,
    comment,
    plain,
    refusal_comment,
)
from twinbench.report.terminal import LOG_WIDTH, show_versions
from twinbench.report.versions import VersionsView, build_versions
from twinbench.report.view import build_view
from twinbench.report.write import write_report, write_versions

Changes = dict[str, object]
HOSTILE = "</script><img src=x> @octocat #1 https://e.example a|b *c* [bold]d[/bold] \x1b[31m"
SCENARIOS = [
    factories.scenario(name="noop", closed=[1, 8]),
    factories.scenario(name="feed", open=[100]),
    factories.scenario(name="login", closed=[8]),
]
PLAN = factories.versions_plan(scenarios=SCENARIOS)
SAME: Changes = {"verdict": "no difference shown", "smallest_difference": 0.074}
INVALID = "no valid measurements of head"
UNTOLD: Changes = {"verdict": "could not tell", "ratio": None, "reasons": [INVALID]}
COLLAPSED: Changes = {"ratio": None, "reasons": ["head collapsed in 5 of 6 blocks"]}
LONGER: Changes = {"metric": "p99", "load": Load("open", 100), "ratio": Estimate(estimate=2.5)}
FASTER: Changes = {"verdict": "faster", "ratio": Estimate(estimate=1.2, low=1.1, high=1.3)}


def row(**changes: object) -> VersionRow:
    return factories.version_row(**changes)


def view_of(*rows: VersionRow, **changes: object) -> VersionsView:
    return view_in(factories.results(PLAN), *rows, **changes)


def view_in(results: Results, *rows: VersionRow, **changes: object) -> VersionsView:
    return build_versions(results, factories.version_comparison(*rows, **changes))


def measured(
    head: dict[str, float], base_again: dict[str, float] | None = None
) -> tuple[Results, VersionComparison]:
    results = factories.versions_results(PLAN, head=head, base_again=base_again or {})
    return results, compare_versions(results)


def terminal(view: VersionsView, *, width: int = 80, log: bool = True) -> list[str]:
    file = io.StringIO()
    console = Console(
        file=file, width=width, soft_wrap=True, force_terminal=not log, color_system=None
    )
    show_versions(view, console)
    return file.getvalue().splitlines()


# Text of ratios.


@pytest.mark.parametrize(
    ("ratio", "text", "bounds"),
    [
        (Estimate(estimate=0.902, low=0.876, high=0.929), "-9.8 %", "-12.4 to -7.1"),
        (Estimate(estimate=0.9999, low=0.98, high=1.019), "+0.0 %", "-2.0 to +1.9"),
        (Estimate(estimate=1.9, low=1.8, high=2.1), "+90.0 %", "+80.0 % to 2.10×"),
        (Estimate(estimate=2.5), "2.50×", ""),
    ],
)
def test_a_ratio_is_a_difference_with_its_sign(ratio: Estimate, text: str, bounds: str) -> None:
    assert (change(ratio.estimate), change_interval(ratio)) == (text, bounds)


def test_a_difference_says_its_direction_in_words() -> None:
    less = Estimate(estimate=0.902, low=0.876, high=0.929)
    assert difference("throughput", less) == "serves 9.8 % fewer requests/s (7.1 to 12.4 %)"
    assert difference("p99", less) == "has a p99 9.8 % shorter (7.1 to 12.4 %)"
    more = Estimate(estimate=1.12, low=1.08, high=1.161)
    assert difference("p50", more) == "has a p50 12.0 % longer (8.0 to 16.1 %)"
    twice = Estimate(estimate=2.5, low=2.2, high=2.8)
    assert difference("p99", twice) == "has a p99 2.50× as long (2.20 to 2.80)"


# The answer.


@pytest.mark.parametrize(
    ("rows", "changes", "parts"),
    [
        ([row()], {}, ("slower", "noop at 8 users serves 10.0 % fewer requests/s (8.0 to 12.0 %)")),
        ([row(), row(**LONGER)], {}, ("slower", "noop at 100 requests/s has a p99 2.50× as long")),
        ([row(), row(**COLLAPSED)], {}, ("slower", "(head collapsed in 5 of 6 blocks)")),
        ([row(), row(**SAME)], {}, ("slower", "Rows: 1 slower, 1 ~.")),
        ([row(**FASTER), row(**SAME)], {}, ("faster", "20.0 % more requests/s (10.0 to 30.0 %)")),
        ([row(**SAME)], {}, ("no difference shown", "would have seen 8 % or more.")),
        ([row(**UNTOLD)], {"reasons": [INVALID]}, ("could not tell", INVALID)),
        ([], {}, ("could not tell", "nothing has been measured")),
    ],
)
def test_the_answer_has_the_verdict_and_the_worst_figure(
    rows: list[VersionRow], changes: Changes, parts: tuple[str, str]
) -> None:
    view = view_of(*rows, **changes)
    assert (view.verdict, parts[1] in view.because) == (parts[0], True), view.because
    assert view.answer.startswith(parts[0].capitalize() + ": ")
    answer = plain(view.because)
    assert comment(view).splitlines()[:2] == [MARKER, f"**{plain(view.word)}**: {answer}"]
    assert terminal(view)[-1] == view.answer


def test_the_answer_says_whether_the_limit_fails() -> None:
    versions = factories.compared_versions(fail_on=0.05)
    failed = view_of(row(**LONGER), row(fails=True), fails=True, versions=versions)
    assert failed.rows[0].label == "noop at 8 users"  # before a larger difference that does not
    assert failed.rows[0].word == "slower, fails"
    assert "Fails: 1 row slower by more than 5 %." in failed.because
    assert "Does not fail" in view_of(row(), versions=versions).because
    assert "ail" not in view_of(row(**SAME), versions=versions).because


def same(load: int, smallest_difference: float) -> VersionRow:
    changes = SAME | {"load": Load("closed", load), "smallest_difference": smallest_difference}
    return row(**changes)


def test_one_noisy_row_does_not_stand_for_all() -> None:
    rows = [same(1, 0.06), same(8, 0.67), same(32, 0.28), same(64, 0.14)]
    known = "would have seen 14 % or more in 2 of 4 rows, at worst 67 % or more (noop at 8 users)"
    view = view_of(*rows)
    assert view.because == f"{known}. Rows: 4 ~."
    assert "seen" not in view.basis  # it is in the answer
    assert view_of(row(), *rows).basis.startswith(known.replace("rows", "rows with ~"))
    # No row hides another where all round to the same.
    assert "in 1 of 2" not in view_of(same(1, 0.072), same(8, 0.074)).because


def test_noise_withholds_the_verdicts_of_all_rows() -> None:
    results, comparison = measured(head={"feed": 0.8}, base_again={"noop": 0.9})
    assert "slower" in {each.verdict for each in comparison.rows}
    view = build_versions(results, comparison)
    assert {each.verdict for each in view.rows} == {"could not tell"}
    assert view.rows[0].scenario == "noop"
    assert comparison.noisy
    assert "too noisy" in view.because
    assert comparison.reasons[0] in view.because
    assert view.remarks == tuple(comparison.reasons[1:])
    assert ("A/A: a difference is shown", "bad") in [(b.text, b.tone) for b in view.badges]
    assert not any(scenario.changed for scenario in view.scenarios)
    ratios = [chart for chart in view.charts if chart.scale == "ratio"]
    assert {p.target for chart in ratios for one in chart.series for p in one.points} == {None}


# Versions.


def test_versions_are_named_with_what_differs() -> None:
    of = {"base": {"fastapi": "1", "uvicorn": "3"}, "head": {"fastapi": "2", "uvicorn": "3"}}
    view = view_in(factories.results(PLAN, target_versions=of), row())
    assert view.base == "3f3f3f3 Add tags (main)"
    assert view.head == "9a9a9a9 Count comments (working tree, 2 files not committed)"
    rows = {name: values for name, *values in view.versions.rows}
    assert rows["fastapi"] == ["1", "2"]
    assert "uvicorn" not in rows
    assert rows["commit"] == ["3f" * 20, "9a" * 20]


# The comment.


@pytest.mark.parametrize("count", [0, 1, 15, 16, 300])
def test_a_comment_has_at_most_25_lines(count: int) -> None:
    kinds: list[Changes] = [SAME, UNTOLD, FASTER, {}]
    rows = [row(**kinds[n % 4]) for n in range(count)]
    lines = comment(view_of(*rows, verdict="slower")).splitlines()
    assert len(lines) <= MOST_COMMENT_LINES
    shown = [line.split(" | ")[-1] for line in lines if line.startswith("| noop")]
    left_out = [int(n) for line in lines for n in re.findall(r"^(\d+) more rows", line)]
    assert len(shown) + sum(left_out) == count
    order = ["slower", "faster", "could not tell", "\\~"]
    places = [next(n for n, word in enumerate(order) if text.startswith(word)) for text in shown]
    assert places == sorted(places)
    assert "6 blocks · 10 min · a CPU, 2 cores" in lines[-1]


@pytest.mark.parametrize("count", [1, 21, 22, 400])
def test_a_comment_on_a_refusal_holds_its_first_lines_as_code(count: int) -> None:
    message = "\n".join(f"line {n} {HOSTILE}" for n in range(count))
    lines = refusal_comment(message, different=True).splitlines()
    assert lines[0] == MARKER
    assert lines[1].startswith("**Different**")
    assert len(lines) <= MOST_COMMENT_LINES
    assert all(line.startswith("    ") for line in lines[3:])
    shown = sum(line.startswith("    line") for line in lines)
    assert shown == count or lines[-1] == f"    ... and {count - shown} more lines"


def test_a_row_of_the_comment_shows_the_noise_beside_the_ratio() -> None:
    [line] = [each for each in comment(view_of(row())).splitlines() if each.startswith("| noop")]
    assert line.strip("| ").split(" | ") == [
        *("noop at 8 users", "1,000/s", "900/s", "-10.0 % (-12.0 to -8.0)"),
        *("+0.2 % (-1.0 to +1.0)", "+10.0 %", "slower"),
    ]


# Page, charts, and hostile text.


def test_only_changed_scenarios_are_open(tmp_path: Path) -> None:
    results, comparison = measured(head={"noop": 0.8})
    html = write_versions(build_versions(results, comparison), tmp_path, lambda _: None).read_text()
    page = Parsed(html)
    scenarios = {e.attributes["id"]: e.attributes for e in page.all("details")}
    is_open = {name: "open" in given for name, given in scenarios.items()}
    assert is_open == {
        "definitions": False,
        "scenario-noop": True,
        "scenario-feed": False,
        "scenario-login": False,
    }
    assert [e.attributes["class"] for e in page.all("strong")] == ["slower"]
    assert (tmp_path / "comment.md").is_file()


def test_every_link_leads_to_an_element(tmp_path: Path) -> None:
    results, comparison = measured(head={"noop": 0.8})
    pair = factories.preflight_pair(baseline="base", candidate="head")
    results = results.model_copy(update={"preflight": [pair]})
    report = write_report(build_view(results), tmp_path, lambda _: None)
    page = write_versions(build_versions(results, comparison), tmp_path, lambda _: None)
    found = {path.name: Parsed(path.read_text()) for path in (report, page)}
    ids = {name: [e.attributes.get("id") for e in each.elements] for name, each in found.items()}
    named = [one for one in ids["compare.html"] if one]
    assert len(named) == len(set(named))
    links = {e.attributes["href"] for e in found["compare.html"].all("a")}
    assert {"report.html#preflight", "report.html#scenario-feed", "#scenario-noop"} <= links
    for link in links:
        path, _, fragment = link.partition("#")
        assert not fragment or fragment in ids[path or "compare.html"], link
    described = {e.attributes["aria-describedby"] for e in found["compare.html"].all("svg")}
    assert described <= set(named)
    assert "compare.html" in {e.attributes["href"] for e in found["report.html"].all("a")}


def chart_of(view: VersionsView, name: str) -> LineChart:
    [found] = [chart for chart in view.charts if chart.name == f"compare.{name}"]
    return found


def test_charts_show_both_versions_and_the_ratio() -> None:
    results, comparison = measured(head={"noop": 0.8, "feed": 0.8})
    view = build_versions(results, comparison)
    assert [chart.name for chart in view.scenarios[1].charts] == [
        *("compare.feed-open.latency", "compare.feed-open.ratio.p99"),
        "compare.feed-open.ratio.p50",
    ]
    curves = chart_of(view, "noop-closed.throughput")
    assert [series.label for series in curves.series] == ["base", "head"]
    head, again = chart_of(view, "noop-closed.ratio.throughput").series
    assert [round(point.y, 1) for point in (*head.points, *again.points)] == [0.8, 0.8, 1.0, 1.0]
    assert {point.target for point in head.points} == {0}  # base is faster
    assert {point.target for point in again.points} == {None}
    assert all(b.x > h.x for h, b in zip(head.points, again.points, strict=True))
    longer = chart_of(view, "feed-open.ratio.p99").series[0].points[0]
    assert math.isclose(longer.y, 1.25, rel_tol=0.05)
    assert (longer.target, "+2" in longer.text, "slower" in longer.text) == (0, True, True)


def test_a_collapse_is_marked_where_there_is_no_ratio() -> None:
    view = view_of(row(**COLLAPSED), row(**UNTOLD, load=Load("closed", 1)))
    [chart] = view.charts
    assert [series.label for series in chart.series] == ["head", "base again (A/A)"]
    found = {(mark.x, mark.text, mark.place) for mark in chart.annotations}
    assert found == {(8, "base\nonly", "below 1"), (1, "?", "below 1")}
    # A figure of the blocks in which it went on would be taken for that of the load.
    assert [(each.base, each.head) for each in view.rows[:1]] == [("1,000/s", "collapsed")]


def test_text_from_outside_is_no_markup_anywhere(tmp_path: Path) -> None:
    version = factories.version(HOSTILE, subject=HOSTILE, environment=HOSTILE)
    versions = factories.compared_versions().model_copy(update={"base": version, "head": version})
    titled = [each | {"title": HOSTILE[:50].replace("\x1b", "")} for each in SCENARIOS]
    results = factories.versions_results(factories.versions_plan(scenarios=titled))
    results = results.model_copy(update={"remarks": [HOSTILE]})
    rows = (row(), row(**UNTOLD | {"reasons": [HOSTILE]}))
    view = view_in(results, *rows, versions=versions, reasons=[HOSTILE])
    page = Parsed(write_versions(view, tmp_path, lambda _: None).read_text())
    assert (page.all("img"), len(page.all("script"))) == ([], 1)
    text = comment(view)
    marks = ("=x>", "script>", "@o", "#1", "://", "a|b", "*c*", "[bold]", "\x1b")
    assert [mark for mark in marks if mark in text] == []
    printed = "\n".join(terminal(view))
    assert "[bold]d[/bold]" in printed
    assert "\x1b" not in printed


# Terminal, and the report beside it.


def test_the_table_fits_a_log_of_100_characters() -> None:
    view = view_of(row(), row(**SAME), row(**FASTER, load=Load("closed", 64)))
    lines = terminal(view)
    assert max(map(len, lines[:-2])) <= LOG_WIDTH
    assert [re.split(r" {2,}", line.strip())[-1] for line in lines[1:4]] == [
        *("slower", "faster", "~")
    ]


def test_no_word_of_a_load_is_broken_in_a_narrow_terminal() -> None:
    view = view_of(row(**LONGER))
    narrow, wide = (terminal(view, width=width, log=False) for width in (80, LOG_WIDTH))
    assert any("requests/s" in line for line in narrow[1:-2])
    assert ("CPU" in narrow[0], "CPU" in wide[0]) == (False, True)


def test_the_report_of_such_a_run_asks_about_both_versions() -> None:
    results, _ = measured(head={"noop": 0.8})
    view = build_view(results)
    assert view.question == ("base", "head")
    assert build_view(results, "Slower: noop.").headline_text == "Slower: noop."
    assert [r.title for table in view.verdicts for r in table.rows] == ["noop", "login", "feed"]
