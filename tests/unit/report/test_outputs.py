"""Page, markdown and terminal: complete, safe, and the same verdicts in each."""

import base64
import hashlib
import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from tests.support import factories, runs
from tests.support.outcomes import (
    Outcome,
    Outcomes,
    collapse,
    no_difference,
    results_of,
    with_scenarios,
)
from tests.support.pages import Parsed
from twinbench.analyse.results import ClaimResult, Results
from twinbench.analyse.run import analyse
from twinbench.plan import Cell
from twinbench.report import method, verdicts
from twinbench.report.markdown import MOST_LINES, markdown, plain
from twinbench.report.terminal import show
from twinbench.report.view import build_view
from twinbench.report.write import write_report
from twinbench.store import Store

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'& *b* [x](y) `c` a|b"
WAIT = Outcomes("wait", {1: no_difference(), 64: Outcome(2.0), 128: collapse("sync")})
VERDICT = ["async 2.00×", "at 64 users", "20 / 20 at 64 users", "sync collapses from 128 users"]
CLAIM = ClaimResult(
    id="io", text=HOSTILE, source=HOSTILE, verdict="supported", evidence=HOSTILE, cells=[3, 4]
)


def hostile(folder: Path) -> Results:
    """Return a run in which all text from outside is HOSTILE, with invalid and collapsed blocks."""

    def make(cell: Cell) -> runs.Made:
        record, requests = runs.steady(cell, 1000)
        if cell.load.value == 8 and cell.block == 1:
            record = record.model_copy(update={"outcome": "lost", "reason": HOSTILE})
        if cell.load.value == 8 and cell.block == 2 and cell.target == "sync":
            record = runs.record(cell, outcome="collapsed", unanswered=8)
        return record, requests

    own = {"about": HOSTILE, "title": HOSTILE[:60], "group": HOSTILE[:60], "note": HOSTILE}
    scenario = factories.plan().scenarios[0].model_dump() | own | {"open": [100]}
    targets = [
        {"name": "sync", "command": ["serve", HOSTILE, "{port}"], "env": {"A": HOSTILE}},
        {"name": "async", "title": HOSTILE[:60], "app": "b:app", "expected_differences": HOSTILE},
    ]
    plan = factories.plan(targets=targets, scenarios=[scenario])
    checks = [factories.check(HOSTILE), factories.check(HOSTILE, ok=False, advice=HOSTILE)]
    store = runs.write_run(folder, plan, make, self_check=factories.self_check(*checks))
    return analyse(store).model_copy(update={"claims": [CLAIM], "remarks": [HOSTILE]})


def page_of(results: Results, folder: Path) -> str:
    return write_report(build_view(results), folder, lambda _: None).read_text()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return hostile(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def html(results: Results, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(results, tmp_path_factory.mktemp("page"))


# Page.


def test_text_from_outside_is_no_markup_on_the_page(html: str) -> None:
    page = Parsed(html)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert not any(name.startswith("on") for e in page.elements for name in e.attributes)
    assert html.count("alert(1)") >= 15


def test_the_page_runs_its_own_script_and_loads_nothing(html: str) -> None:
    page = Parsed(html)
    [policy] = [e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes]
    digest = hashlib.sha256("".join(page.text_of("script")).encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", html)
    assert "url(" not in html.replace("url(#", "")


def test_every_reference_is_to_an_element_of_the_page(html: str) -> None:
    page = Parsed(html)
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    links = [e.attributes["href"] for e in page.all("a")]
    assert {link[0] for link in links} == {"#"}
    kinds = ("aria-labelledby", "aria-describedby")
    named = {e.attributes[kind] for e in page.elements for kind in kinds if kind in e.attributes}
    assert {link[1:] for link in links} | named <= set(ids)
    assert {f"cell-{n}" for n in range(1, 19)} <= set(ids)


def test_tables_charts_and_headings_are_accessible(html: str) -> None:
    page = Parsed(html)
    assert len(page.all("caption")) == len(page.all("table")) >= 10
    scopes = {header.attributes.get("scope") for header in page.all("th")}
    assert scopes == {"col", "row", "rowgroup"}
    assert all(chart.attributes["aria-label"] for chart in page.all("svg"))
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch(r"h\d", e.tag)]
    assert levels[0] == 1
    assert all(deeper - before <= 1 for before, deeper in pairwise(levels))


def test_a_long_run_shows_the_measurements_that_are_not_valid(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(method, "MOST_CELLS", 11)
    assert {row[5] for row in build_view(results).cells.rows} == {"invalid", "collapsed"}


def test_equal_results_give_equal_pages(tmp_path: Path) -> None:
    results = results_of(WAIT)
    assert page_of(results, tmp_path) == page_of(results, tmp_path)


def test_a_run_without_measurements_has_a_report(tmp_path: Path) -> None:
    view = build_view(analyse(Store.create(factories.manifest(factories.plan()), tmp_path)))
    assert "12 not measured yet" in [badge.text for badge in view.badges]
    page = Parsed(write_report(view, tmp_path, lambda _: None).read_text())
    assert "claims" not in {e.attributes.get("id") for e in page.elements}


@pytest.mark.parametrize(
    "title", ["$\\frac{x$", "日本語 😀", "{{ 7 * 7 }}", "\u202egnp.exe", "a" * 60]
)
def test_any_title_is_drawn(tmp_path: Path, title: str, recwarn: pytest.WarningsRecorder) -> None:
    missing: list[str] = []
    view = build_view(with_scenarios(results_of(WAIT), wait={"title": title, "group": title}))
    html = write_report(view, tmp_path, lambda _: None, missing.append).read_text()
    assert missing == []
    assert not recwarn.list
    assert Parsed(html).all("svg")
    assert "\u202e" not in html


# Markdown and terminal.


def test_markdown_has_the_verdicts_and_the_tiles() -> None:
    view = build_view(results_of(WAIT))
    lines = markdown(view).splitlines()
    assert plain(view.headline_text) in lines
    row = next(line for line in lines if line.startswith("| wait "))
    assert row.split(" | ")[1:] == [*VERDICT, "\\~", "2.00×", "only |"]


@pytest.mark.parametrize("count", [1, 25, 200])
def test_markdown_has_at_most_80_lines(count: int) -> None:
    loads = {load: Outcome(1.1 + load / 100) for load in (1, 8, 32)}
    results = results_of(*(Outcomes(f"scenario_{n}", loads) for n in range(count)), blocks=2)
    text = markdown(build_view(results))
    assert len(text.splitlines()) <= MOST_LINES
    assert ("more rows are in report.html" in text) == (count > 25)
    assert len(text) < 65_536  # of a comment on GitHub


def test_text_from_outside_is_no_markup_in_markdown(results: Results) -> None:
    text = markdown(build_view(results))
    marks = ("<script>", "*b*", "[x](y)", "`c`", "a|b")
    assert not [mark for mark in marks if mark in text]
    assert plain(HOSTILE) in text
    found = plain("@octocat see https://evil.example or\nwww.evil.example &lt;b&gt; \x1b[31mred")
    assert found == (
        "@&#8203;octocat see https&#58;//evil.example or www&#46;evil.example"
        " &amp;lt;b&amp;gt; \\[31mred"
    )


def test_a_column_of_verdicts_is_in_all_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = ("blocks", "blocks of {targets}", lambda results, pair: f"{len(pair.loads)} loads")
    monkeypatch.setattr(verdicts, "COLUMNS", (*verdicts.COLUMNS, column))
    results = results_of(WAIT)
    for text in (page_of(results, tmp_path), markdown(build_view(results)), terminal(results)):
        assert "blocks of sync / async" in text
        assert "3 loads" in text


def terminal(results: Results) -> str:
    console = Console(file=io.StringIO(), width=140)
    show(build_view(results), console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_terminal_has_the_verdicts_and_the_headline_last() -> None:
    lines = terminal(results_of(WAIT)).splitlines()
    [row] = [line for line in lines if line.startswith("wait ")]
    assert re.split(r" {2,}", row.strip()) == ["wait", *VERDICT]
    assert lines[-1] == build_view(results_of(WAIT)).headline_text


def test_text_from_outside_is_no_markup_in_the_terminal(results: Results) -> None:
    failed = factories.check("a [bold]queue[/bold]", ok=False)
    found = results.model_copy(update={"self_check": factories.self_check(failed)})
    assert "! self-check failed: a [bold]queue[/bold]" in terminal(found).replace("\n", " ")
