"""report.md: whole where it fits, cut where it does not, and never markup from outside."""

import re

import pytest

from tests import supposed
from tests.supposed import Made, Outcome, level, stops
from twinbench.analyse.results import ClaimResult, Results
from twinbench.report import markdown as module
from twinbench.report.answer import answer
from twinbench.report.markdown import LONGEST, bullets, markdown, plain

WAIT = Made("wait", {1: level(), 64: Outcome(2.0), 128: stops("sync")})
NASTY = "<script>alert(1)</script>\n# *bold* [x](y) `code` ~~gone~~ a|b $x$ https://a.b"


def many(count: int) -> Results:
    found = {load: Outcome(1.1 + load / 100) for load in (1, 8, 32, 64, 128, 256)}
    made = (Made(f"scenario_number_{n}", found) for n in range(count))
    return supposed.results(*made, blocks=2)


def test_it_opens_with_the_answer_and_holds_all_of_the_report() -> None:
    text = markdown(supposed.results(WAIT))
    assert text.startswith(
        "# `def` or `async def`? Run made-up\n\n- IO (waiting, databases): async answers"
    )
    for said in answer(supposed.results(WAIT)):
        assert f"- {plain(said.text)}\n" in text
    for part in (
        "25 cells valid · 5 collapsed",
        "30 cells in 5 blocks",
        "| wait |",
        "Throughput, async / sync, by number of users. ▲: async is shown to be ahead, ▼: sync is",
        "## How far it holds",
        "**wait**",
    ):
        assert part in text
    assert "Left out here" not in text


def test_beyond_the_budget_the_end_is_left_out_and_that_is_said() -> None:
    text = markdown(many(25))
    assert len(text) < LONGEST + 200
    assert "Left out here for length: the figures of each scenario." in text
    assert "| scenario\\_number\\_24 |" in text
    assert "report.html" in text


@pytest.mark.slow
def test_a_comment_on_a_pull_request_holds_it_however_long_the_plan() -> None:
    text = markdown(many(200))
    assert len(text) < 65_536
    assert "Left out here for length: Throughput, async / sync, by number of users" in text


def test_folded_parts_are_closed_again() -> None:
    text = markdown(supposed.results(WAIT))
    assert text.count("<details>") == text.count("</details>") == 2
    assert re.search(r"<details><summary>All figures</summary>\n\n\*\*wait\*\*\n\n\| users", text)


def test_what_others_wrote_is_no_markup() -> None:
    claim = ClaimResult(
        id="a", text=NASTY, source=NASTY, verdict="refuted", because=NASTY, cells=[]
    )
    targets = [
        {"name": "sync", "app": "a:app"},
        {"name": "async", "app": "b:app", "differs": NASTY},
    ]
    results = supposed.results(WAIT, targets=targets)
    scenario = results.plan.scenarios[0].model_copy(update={"about": NASTY})
    plan = results.plan.model_copy(update={"scenarios": [scenario]})
    for comparison in results.comparisons:
        comparison.reasons.append(NASTY)
    text = markdown(results.model_copy(update={"claims": [claim], "plan": plan}))
    marks = ("<script>", "*bold*", "[x](y)", "`code`", "~~gone~~", "a|b", "$x$", "\n# \\*")
    assert not [mark for mark in marks if mark in text]
    assert text.count(plain(NASTY)) >= 5


def test_plain_text_is_one_line_without_marks() -> None:
    assert plain("a\n\n# b") == "a \\# b"
    assert bullets(["a*", "b"]) == "- a\\*\n- b"
    assert module.MARKS[ord("|")] == "\\|"


def test_nobody_is_called_and_nothing_linked_by_text_from_elsewhere() -> None:
    said = plain("@octocat see https://evil.example or www.evil.example &lt;b&gt; \x1b[31mred")
    assert said == (
        "&#64;octocat see https&#58;//evil.example or www&#46;evil.example"
        " &amp;lt;b&amp;gt; \\[31mred"
    )
