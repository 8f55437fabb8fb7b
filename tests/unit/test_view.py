"""The view of a run: verdicts, headline, heat map, badges and key facts of known results."""

import pytest

from tests.support import runs
from tests.support.outcomes import INVALID, Outcome, Outcomes, collapse, no_difference, results_of
from twinbench.analyse.results import Results
from twinbench.preflight.result import PreflightPair
from twinbench.report.elements import VerdictRow
from twinbench.report.view import ReportView, build_view

WAIT = Outcomes("wait", {1: no_difference(), 64: Outcome(2.0), 128: Outcome(4.0)})
READ = Outcomes("read", {1: Outcome(0.8), 64: Outcome(0.5), 128: collapse("sync")})
RATES = Outcomes("rates", open={100: Outcome(0.25), 200: no_difference()})
LOST = Outcomes("lost", {8: INVALID})


def view_of(*made: Outcomes, **changes: object) -> ReportView:
    return build_view(results_of(*made).model_copy(update=changes))


def row_of(*made: Outcomes) -> VerdictRow:
    [table] = view_of(*made).verdicts
    return table.rows[-1]


def grouped(**groups: str) -> Results:
    """WAIT, READ and LOST, in groups."""
    results = results_of(WAIT, READ, LOST)
    scenarios = [
        s.model_copy(update={"group": groups.get(s.name, "")}) for s in results.plan.scenarios
    ]
    plan = results.plan.model_copy(update={"scenarios": scenarios})
    return results.model_copy(update={"plan": plan})


# Verdicts.


@pytest.mark.parametrize(
    ("outcomes", "leads"),
    [
        ([no_difference(), Outcome(2.0), Outcome(4.0)], [("async", 4.0, "from 64 users")]),
        ([Outcome(0.5), Outcome(0.8), no_difference()], [("sync", 2.0, "up to 64 users")]),
        ([Outcome(2.0)] * 3, [("async", 2.0, "at every load")]),
        ([no_difference(), Outcome(2.0), no_difference()], [("async", 2.0, "at 64 users")]),
        ([Outcome(1.5), no_difference(), Outcome(2.0)], [("async", 2.0, "at 1, 128 users")]),
        (
            [Outcome(0.8), no_difference(), Outcome(3.0)],
            [("async", 3.0, "at 128 users"), ("sync", 1.25, "at 1 user")],
        ),
        ([Outcome(0.8), collapse("sync"), collapse("sync")], [("sync", 1.25, "at 1 user")]),
        ([no_difference(), collapse("sync"), collapse("sync")], [("async", None, "from 64 users")]),
        ([no_difference()] * 3, []),
        ([INVALID] * 3, []),
    ],
)
def test_a_lead_is_where_a_difference_is_shown(
    outcomes: list[Outcome], leads: list[tuple[str, float | None, str]]
) -> None:
    row = row_of(Outcomes("wait", dict(zip((1, 64, 128), outcomes, strict=True))))
    assert [(lead.name, lead.ratio, lead.where) for lead in row.leads] == [
        (name, pytest.approx(ratio) if ratio else None, where) for name, ratio, where in leads
    ]


def test_without_a_lead_a_row_says_what_would_have_been_seen() -> None:
    assert row_of(Outcomes("wait", {8: no_difference(0.12), 64: no_difference(0.3)})).otherwise == (
        "would have seen only 30 %"
    )
    assert row_of(LOST).otherwise == "no valid cells of sync and async"


def test_response_times_lead_where_they_are_shorter() -> None:
    row = row_of(RATES)
    assert [(lead.name, lead.ratio) for lead in row.leads] == [("async", 4.0)]
    assert row.mark
    [table] = view_of(RATES).verdicts
    assert row.mark.at > table.one


def test_a_mark_lies_inside_its_interval_on_the_side_of_the_leader() -> None:
    [table] = view_of(WAIT, READ).verdicts
    wait, read = (row.mark for row in table.rows)
    assert wait
    assert read
    assert read.low <= read.at <= read.high < table.one < wait.low <= wait.at <= wait.high
    assert (wait.side, read.side) == (1, 0)
    assert row_of(LOST).mark is None


def test_a_collapse_is_a_column() -> None:
    assert row_of(READ).failures == "sync collapses from 128 users"
    once = Outcomes("wait", {8: Outcome(2.0), 64: collapse("sync", blocks=1)})
    assert row_of(once).failures == "sync collapses in 1 of 5 blocks at 64 users"
    assert row_of(WAIT).failures == ""


def test_errors_are_a_failure_a_fact_and_counted() -> None:
    results = results_of(Outcomes("wait", {8: Outcome(2.0), 64: INVALID}))
    cells = [
        cell.model_copy(update={"errors": 10 * cell.block} if cell.target == "async" else {})
        for cell in results.cells
    ]
    view = build_view(results.model_copy(update={"cells": cells}))
    [row] = view.verdicts[0].rows
    assert row.failures == "async errors from 64 users"
    facts = {name: values for name, *values in view.scenarios[0].sections[0].facts.rows}
    assert facts["Errors"] == ["–", "up to 5 % at 64 users"]
    assert "10 invalid (5 with errors)" in [badge.text for badge in view.badges]


def test_a_deadlock_is_named() -> None:
    results = results_of(READ)
    stuck = {
        "threads_used_max": 40,
        "threads_waiting_max": 80,
        "connections_used_max": 15,
        "connections_waiting_max": 40,
    }
    cells = [
        cell.model_copy(update=stuck if cell.status == "collapsed" else {})
        for cell in results.cells
    ]
    view = build_view(results.model_copy(update={"cells": cells}))
    assert view.verdicts[0].rows[0].failures == "sync deadlocks from 128 users"
    facts = {name: values for name, *values in view.scenarios[0].sections[0].facts.rows}
    assert facts["Limited by"][0] == "deadlock: 40 threads wait for 15 connections"


def test_rows_with_the_same_title_have_their_notes_as_labels() -> None:
    results = results_of(WAIT, READ)
    scenarios = [
        scenario.model_copy(update={"title": "Read", "note": scenario.name})
        for scenario in results.plan.scenarios
    ]
    plan = results.plan.model_copy(update={"scenarios": scenarios})
    view = build_view(results.model_copy(update={"plan": plan}))
    assert [row.label for row in view.verdicts[0].rows] == ["Read, wait", "Read, read"]


def test_rows_stand_in_the_groups_of_the_plan() -> None:
    view = build_view(grouped(wait="Waiting", read="Database", lost="Waiting"))
    [table] = view.verdicts
    assert [(group, [row.scenario for row in rows]) for group, rows in table.groups] == [
        ("Waiting", ["wait", "lost"]),
        ("Database", ["read"]),
    ]
    assert [scenario.id for scenario in view.scenarios] == [
        *("scenario-wait", "scenario-lost", "scenario-read"),
    ]


def test_titles_stand_for_names_and_several_candidates_are_named() -> None:
    targets = [
        {"name": "sync", "app": "a:app", "title": "threads"},
        {"name": "async", "app": "b:app", "title": "event loop"},
        {"name": "third", "app": "c:app"},
    ]
    both = {"async": Outcome(2.0), "third": Outcome(0.5)}
    made = Outcomes("wait", {8: both}, targets=("sync", "async", "third"))
    [table] = build_view(results_of(made, targets=targets)).verdicts
    assert [(row.title, row.leads[0].name, row.leads[0].side) for row in table.rows] == [
        ("wait: event loop", "event loop", 1),
        ("wait: third", "threads", 0),
    ]


# Headline and summary.


def test_the_headline_names_both_leads_and_the_first_collapse() -> None:
    view = view_of(WAIT, READ)
    said = [(span.text, span.side) for span in view.headline if span.side is not None]
    assert said == [("async", 1), ("sync", 0), ("sync", 0), ("async", 1), ("sync", 0)]
    assert "4.00×" in view.headline_text
    assert "2.00×" in view.headline_text
    assert "128 users" in view.headline_text


def test_a_headline_has_25_words_whatever_the_groups() -> None:
    long = "a group of many words that goes on and on"
    view = build_view(grouped(wait=long, read=long, lost=long))
    assert len(view.headline_text.split()) <= 25
    assert "4.00×" in view.headline_text


@pytest.mark.parametrize(
    ("made", "part"),
    [
        (Outcomes("wait", {8: no_difference()}), "No difference is shown"),
        (LOST, "none of them valid"),
        (Outcomes("wait", {8: Outcome()}, targets=("async",)), "Nothing is compared"),
        (RATES, "sooner"),
    ],
)
def test_a_run_without_leads_has_a_headline(made: Outcomes, part: str) -> None:
    assert part in view_of(made).headline_text


def test_the_summary_is_the_largest_difference_with_its_interval() -> None:
    summary = view_of(WAIT, READ).summary
    assert "async served 4.00 times (3.92 to 4.08) the requests of sync" in summary
    assert "at 128 users" in summary
    assert view_of(Outcomes("wait", {8: no_difference()})).summary == ""


# Heat map.


def test_a_heat_map_has_a_tile_for_each_load_that_most_rows_have() -> None:
    odd = Outcomes("hash", {1: no_difference(), 3: Outcome(0.6)})
    [chart] = view_of(WAIT, READ, odd).heat_maps
    assert chart.columns == ("1", "64", "128")
    [(_, rows)] = chart.groups
    tiles = {label: [(t.column, t.text, t.side, t.strength) for t in own] for label, own in rows}
    assert tiles == {
        "wait": [(0, "~", None, 0), (1, "2.00×", 1, 3), (2, "4.00×", 1, 3)],
        "read": [(0, "1.25×", 0, 2), (1, "2.00×", 0, 3), (2, "only", 1, 3)],
        "hash": [(0, "~", None, 0)],
    }


def test_what_is_not_comparable_is_not_a_difference() -> None:
    [chart] = view_of(LOST).heat_maps
    [(_, [(_, [tile])])] = chart.groups
    assert (tile.text, tile.side, tile.known) == ("?", None, False)


# Badges.


def tones(*made: Outcomes, **changes: object) -> dict[str, str]:
    return {badge.text: badge.tone for badge in view_of(*made, **changes).badges}


def test_measurements_are_counted_by_their_status() -> None:
    assert tones(WAIT, Outcomes("read", {8: collapse("sync")}), LOST, missing_cells=3) == {
        "35 of 50 measurements valid": "good",
        "5 collapsed": "plain",
        "10 invalid": "plain",
        "3 not measured yet": "bad",
        "no self-check": "bad",
    }
    assert tones(LOST)["0 of 10 measurements valid"] == "bad"


def test_a_self_check_is_a_badge_whether_it_passed_or_not() -> None:
    passed, failed = runs.check("one"), runs.check("two", ok=False)
    found = tones(WAIT, self_check=runs.self_check(passed))
    assert found["self-check 1 of 1"] == "good"
    found = tones(WAIT, self_check=runs.self_check(passed, failed))
    assert found["self-check failed: two"] == "bad"


@pytest.mark.parametrize(
    ("outcome", "text", "tone"),
    [
        (Outcome(1.0, same=True), "A/A: no difference shown", "good"),
        (Outcome(1.2, same=True), "A/A: a difference is shown", "bad"),
        (Outcome(invalid=True, same=True), "A/A: not comparable", "plain"),
    ],
)
def test_an_aa_check_is_a_badge_and_no_verdict(outcome: Outcome, text: str, tone: str) -> None:
    twice = Outcomes("twice", {8: outcome}, targets=("sync", "again"))
    view = view_of(WAIT, twice)
    assert [(b.tone, b.section) for b in view.badges if b.text == text] == [
        (tone, "scenario-twice")
    ]
    assert [row.scenario for row in view.verdicts[0].rows] == ["wait"]


def test_what_reduces_trust_is_a_badge() -> None:
    blind = PreflightPair(
        baseline="sync",
        candidate="async",
        scenarios=["noop"],
        requests=3,
        missing={"commits": "a command", "SQL": "a command"},
    )
    found = tones(WAIT, preflight=[blind], remarks=["busy"])
    assert found["preflight: SQL, commits not compared"] == "plain"
    assert found["1 remark"] == "bad"
    machine = runs.manifest(runs.plan()).machine.model_copy(update={"sharing": "unpinned"})
    assert tones(WAIT, machine=machine)["nothing pinned to cores"] == "bad"


def test_the_preflight_table_says_what_was_equal_and_what_was_not_compared() -> None:
    pair = PreflightPair(
        baseline="sync",
        candidate="async",
        scenarios=["noop"],
        requests=3,
        missing={"commits": "a command", "SQL": "a command"},
        declared={"settings": "tuned"},
        volatile=2,
    )
    [row] = view_of(WAIT, preflight=[pair]).preflight.rows
    assert row[:3] == ("async / sync", "noop", "3")
    assert row[3].split(", ") == list(pair.equal)
    assert row[4:] == (
        "commits, SQL (a command); settings (expected to differ: tuned)",
        "2 values",
    )


def test_more_remarks_are_counted_in_the_same_badge() -> None:
    view = view_of(WAIT, remarks=["one"]).with_remarks(["two"])
    assert view.remarks == ("one", "two")
    assert [badge.text for badge in view.badges if badge.section == "remarks"] == ["2 remarks"]
