"""The page: whole, safe, to be found one's way in, and honest about its run."""

import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests import runs
from tests.pages import Parsed
from twinbench.analyse.results import ClaimResult, Results
from twinbench.analyse.run import analyse
from twinbench.findings import Item
from twinbench.plan import Cell
from twinbench.report import raw
from twinbench.report.write import write_report
from twinbench.store import CellRecord

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
PASSED = Item(number=2, name="delays", verdict="PASS", said="As asked.")
FAILED = Item(number=3, name="a queue", verdict="FAIL", said=HOSTILE)
CLAIM = ClaimResult(
    id="io",
    text=f"async helps {HOSTILE}",
    source="https://example.com/a?b=c",
    verdict="supported",
    because="At 8 users.",
    cells=[3, 4],
)


def made(tmp_path: Path, *items: Item, **plan: object) -> Results:
    """One block of each target is void at 8 users, for a reason that somebody else worded."""

    def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
        record, requests = runs.steady(cell, 1000)
        if cell.load.value == 8 and cell.block == 1:
            record = record.model_copy(update={"outcome": "lost", "reason": HOSTILE})
        return record, requests

    calibrated = runs.calibration(*items) if items else None
    store = runs.write_run(tmp_path, runs.plan(**plan), make, calibrated=calibrated)
    return analyse(store).model_copy(update={"claims": [CLAIM]})


def page_of(results: Results, tmp_path: Path) -> str:
    return write_report(results, tmp_path, lambda _: None).read_text()


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    scenario = runs.plan().scenarios[0].model_dump() | {"about": HOSTILE, "open": [100]}
    targets = [
        {"name": "sync", "command": ["serve", HOSTILE, "{port}"], "env": {"A": HOSTILE}},
        {"name": "async", "app": "b:app", "differs": HOSTILE},
    ]
    results = made(folder, PASSED, FAILED, targets=targets, scenarios=[scenario])
    return page_of(results, folder)


def test_what_others_say_is_text(html: str) -> None:
    page = Parsed(html)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert not any(name.startswith("on") for e in page.elements for name in e.attributes)
    assert html.count("alert(1)") >= 6  # about, command, environment, reason, claim, calibration


def test_the_policy_allows_the_script_of_the_page_and_no_other(html: str) -> None:
    page = Parsed(html)
    [policy] = [e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes]
    digest = hashlib.sha256("".join(page.text_of("script")).encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'")


def test_every_link_leads_somewhere_on_the_page(html: str) -> None:
    page = Parsed(html)
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    links = [e.attributes["href"] for e in page.all("a")]
    assert {link[0] for link in links} == {"#"}
    assert {link[1:] for link in links} <= set(ids)
    named = [e.attributes.get("aria-labelledby") for e in page.elements]
    assert {name for name in named if name} <= set(ids)


def test_tables_have_captions_and_headers_their_scope(html: str) -> None:
    page = Parsed(html)
    assert len(page.all("caption")) == len(page.all("table")) >= 6
    assert {header.attributes.get("scope") for header in page.all("th")} == {"col", "row"}


def test_charts_have_names_and_headings_no_gap(html: str) -> None:
    page = Parsed(html)
    charts = page.all("svg")
    assert len(charts) == len({chart.attributes["aria-label"] for chart in charts}) == 15
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch(r"h\d", e.tag)]
    assert levels[0] == 1
    assert all(level - before <= 1 for before, level in pairwise(levels))


def test_a_claim_is_shown_with_its_verdict_and_cells(html: str) -> None:
    page = Parsed(html)
    assert "supported" in page.text_of("b")
    assert "https://example.com/a?b=c" in page.text_of("td")
    [cite] = [a for a in page.all("a") if a.attributes.get("title") == "cells 3 to 4"]
    assert cite.attributes["href"] == "#cell-3"


def test_without_claims_there_is_no_section_of_them(tmp_path: Path) -> None:
    results = made(tmp_path).model_copy(update={"claims": []})
    page = Parsed(page_of(results, tmp_path))
    assert "claims" not in {e.attributes.get("id") for e in page.elements}


def test_the_cells_of_a_very_long_run_are_those_that_need_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = made(tmp_path)
    assert [row[0] for row in raw.cell_rows(results)] == [str(n) for n in range(1, 13)]
    monkeypatch.setattr(raw, "MOST_ROWS", 11)
    rows = raw.cell_rows(results)
    assert [row[5] for row in rows] == ["void", "void"]
    assert HOSTILE in rows[0][-1]
    page = Parsed(page_of(results, tmp_path))
    ids = {e.attributes.get("id") for e in page.elements}
    assert all(a.attributes["href"][1:] in ids for a in page.all("a"))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([7], "cell 7"),
        ([3, 1, 2], "cells 1 to 3"),
        ([9, 1, 2, 4], "cells 1 to 2, 4, 9"),
    ],
)
def test_cells_are_cited_in_stretches(cells: list[int], said: str) -> None:
    assert raw.cited(cells) == said


def test_the_first_screen_says_what_its_words_mean(html: str) -> None:
    page = Parsed(html)
    [definitions] = [e for e in page.all("details") if e.attributes.get("id") == "definitions"]
    assert "open" in definitions.attributes
    assert {"load", "cell", "block", "void", "collapsed", "p99"} <= set(page.text_of("dt"))
    assert "A/A" not in page.text_of("dt")  # nothing is measured twice


def test_the_plan_is_not_for_paper(html: str) -> None:
    before, _, after = html.partition("The plan as it was run")
    assert before.endswith('<details class="raw"><summary>')
    assert after


def test_what_is_known_of_the_machine_is_shown(tmp_path: Path) -> None:
    results = made(tmp_path)
    assert "<dt>conditions</dt>" not in page_of(results, tmp_path)
    known = results.machine.model_copy(update={"turbo": False, "cpu_quota": 1.5})
    html = page_of(results.model_copy(update={"machine": known}), tmp_path)
    assert "<dt>conditions</dt><dd>turbo off; CPU quota of 1.5 CPUs</dd>" in html
