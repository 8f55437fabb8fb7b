"""The view of known results: verdicts, headline, heat map, badges, key facts."""

import re

import numpy as np
import pytest

from tests.support import factories
from tests.support.outcomes import (
    INVALID,
    Outcome,
    Outcomes,
    collapse,
    no_difference,
    results_of,
    with_scenarios,
)
from twinbench.analyse.results import Database, Generator, Results
from twinbench.analyse.statistics import smallest_difference
from twinbench.report.elements import VerdictRow
from twinbench.report.format import load_range, share, would_have_seen
from twinbench.report.view import ReportView, build_view

WAIT = Outcomes("wait", {1: no_difference(), 64: Outcome(3.0), 128: Outcome(4.0)})
READ = Outcomes("read", {1: Outcome(0.7), 64: Outcome(0.4), 128: collapse("sync")})
RATES = Outcomes("rates", open={100: Outcome(0.25), 200: no_difference()})
LOST = Outcomes("lost", {8: INVALID})


def view_of(*outcomes: Outcomes, **changes: object) -> ReportView:
    return build_view(results_of(*outcomes).model_copy(update=changes))


def row_of(*outcomes: Outcomes) -> VerdictRow:
    [table] = view_of(*outcomes).verdicts
    return table.rows[-1]


def with_cells(results: Results, of: tuple[str, str], **changes: object) -> Results:
    """Return the results with changes to all cells of this target and status."""
    cells = [
        cell.model_copy(update=changes if (cell.target, cell.status) == of else {})
        for cell in results.cells
    ]
    return results.model_copy(update={"cells": cells})


def facts_of(view: ReportView) -> dict[str, list[str]]:
    return {name: texts for name, *texts in view.scenarios[0].sections[0].facts.rows}


# Verdicts.


@pytest.mark.parametrize(
    ("outcomes", "advantages"),
    [
        ([no_difference(), Outcome(2.0), Outcome(4.0)], [("async", 4.0, "from 64 users")]),
        ([Outcome(0.5), Outcome(0.8), no_difference()], [("sync", 2.0, "up to 64 users")]),
        (
            [Outcome(0.8), no_difference(), Outcome(3.0)],
            [("async", 3.0, "at 128 users"), ("sync", 1.25, "at 1 user")],
        ),
        ([Outcome(0.8), collapse("sync"), collapse("sync")], [("sync", 1.25, "at 1 user")]),
        ([no_difference(), *[collapse("sync")] * 2], [("async", None, "from 64 users")]),
        ([no_difference()] * 3, []),
        ([INVALID] * 3, []),
    ],
)
def test_advantages_are_where_a_difference_is_shown(
    outcomes: list[Outcome], advantages: list[tuple[str, float | None, str]]
) -> None:
    row = row_of(Outcomes("wait", dict(zip((1, 64, 128), outcomes, strict=True))))
    found = [(a.target.text, a.ratio and round(a.ratio, 6), a.loads) for a in row.advantages]
    assert found == advantages


@pytest.mark.parametrize(
    ("loads", "text"),
    [
        ([1, 8, 64, 128, 256, 512], "at every load"),
        ([8, 64], "at 8 to 64 users"),
        ([1, 64, 256], "at 1, 64, 256 users"),
        ([1, 64, 256, 512], "at 4 of 6 loads"),
    ],
)
def test_load_range(loads: list[int], text: str) -> None:
    assert load_range("closed", [1, 8, 64, 128, 256, 512], loads) == text


def test_shares_are_rounded_up() -> None:
    assert [share(value) for value in (0.12, 0.121, 1.5)] == ["12 %", "13 %", "2.5×"]
    assert would_have_seen(1.5, "only ") == "would have seen only 2.5× or more"
    assert "×" not in would_have_seen(2e5)


def test_row_without_advantages_has_a_detail() -> None:
    detail = row_of(Outcomes("wait", {8: no_difference(), 64: no_difference(0.2)})).detail
    assert detail.startswith("would have seen only ")
    assert row_of(Outcomes("wait", {8: Outcome(1.0, step=1e-4)})).detail.endswith(" or more")
    assert row_of(LOST).detail == "no valid measurements of sync and async"


def test_advice_is_never_a_plan_with_few_blocks() -> None:
    [table] = build_view(results_of(Outcomes("wait", {8: no_difference()}), blocks=2)).verdicts
    assert "blocks = 5 " in table.rows[0].detail


@pytest.mark.parametrize("changes", [{}, {"time": "10m", "measure_s": 2.5}])
def test_advice_of_a_row_is_what_the_statistics_say(changes: dict[str, object]) -> None:
    results = results_of(Outcomes("wait", {8: no_difference(), 64: no_difference(0.2)}))
    plan = results.plan.model_copy(update=changes)
    [table] = build_view(results.model_copy(update={"plan": plan})).verdicts
    advice = re.fullmatch(r".*; half of it: blocks = (\d+)(.*) \(.*\)", table.rows[0].detail)
    assert advice
    known = max(
        c.smallest_difference or 0 for c in results.compared("wait", "closed", "throughput")
    )
    sd = float(np.std(0.2 * np.arange(5), ddof=1))
    of_blocks = {n: smallest_difference(sd / n**0.5, n, 2) for n in range(5, 100)}
    assert known == pytest.approx(of_blocks[5])
    assert int(advice[1]) == min(n for n, found in of_blocks.items() if found <= known / 2)
    # A time would choose the blocks: both keys take its place.
    assert advice[2] == (", measure_s = 2.5 instead of time" if changes else "")


def test_marks_are_in_their_interval_right_of_1_for_candidate() -> None:
    [table] = view_of(WAIT, READ).verdicts
    wait, read = (row.mark for row in table.rows)
    assert wait
    assert read
    assert read.low <= read.at <= read.high < table.one < wait.low <= wait.at <= wait.high
    assert (wait.target, read.target) == (1, 0)
    assert row_of(LOST).mark is None
    [table] = view_of(RATES).verdicts  # response times: a ratio below 1 is an advantage
    [mark] = [row.mark for row in table.rows if row.mark]
    assert mark.at > table.one
    assert [one.ratio for one in table.rows[0].advantages] == [4.0]


def failures(row: VerdictRow) -> str:
    return row.cells[-1]


def test_failures_are_a_column() -> None:
    assert failures(row_of(READ)) == "sync collapses from 128 users"
    once = Outcomes("wait", {8: Outcome(2.0), 64: collapse("sync", blocks=1)})
    assert failures(row_of(once)) == "sync collapses in 1 of 5 blocks at 64 users"
    assert failures(row_of(WAIT)) == ""


def test_a_collapse_counts_among_all_blocks_of_a_measurement() -> None:
    """Two of five blocks collapsed, three are invalid: neither text may say that it collapses."""
    results = results_of(Outcomes("wait", {8: Outcome(2.0), 64: collapse("sync", blocks=2)}))
    results = with_cells(results, ("sync", "valid"), status="invalid")
    view = build_view(results)
    assert failures(view.verdicts[0].rows[0]) == "sync collapses in 2 of 5 blocks at 64 users"
    assert facts_of(view)["Collapsed"] == ["2 of 5 blocks at 64 users", "–"]
    assert "collapses" not in view.headline_text


def test_errors_are_a_failure_and_a_fact_and_a_badge() -> None:
    results = results_of(Outcomes("wait", {8: Outcome(2.0), 64: INVALID}))
    view = build_view(with_cells(results, ("async", "invalid"), errors=50))
    assert failures(view.verdicts[0].rows[0]) == "async errors from 64 users"
    assert facts_of(view)["Errors"] == ["–", "up to 5 % at 64 users"]
    assert "10 invalid (5 with errors)" in [badge.text for badge in view.badges]


def test_a_deadlock_is_a_failure_and_a_limit() -> None:
    used = {"threads_used_max": 40, "connections_used_max": 15}
    waiting = {"threads_waiting_max": 80, "connections_waiting_max": 40}
    view = build_view(with_cells(results_of(READ), ("sync", "collapsed"), **used, **waiting))
    assert failures(view.verdicts[0].rows[0]) == "sync deadlocks from 128 users"
    assert facts_of(view)["Limited by"][0] == "deadlock: 40 threads wait for 15 connections"


@pytest.mark.parametrize(
    ("use", "cores", "expected"),
    [
        ({"cpu": 0.95}, (2,), "database: CPU 95 % at 128 users"),
        ({"cpu": 0.95}, (2, 3), "not saturated"),
        # On the generator's core, which used another part of it.
        ({"cpu": 0.8}, (), "database and generator: CPU 95 % at 128 users"),
        ({"cpu": 0.5}, (), "not saturated"),
        ({"waiting": 9.0}, (2,), "database: 9 of 10 active sessions wait at 128 users"),
        ({"waiting": 4.0}, (2,), "not saturated"),
    ],
)
def test_a_database_is_a_limit(
    use: dict[str, float], cores: tuple[int, ...], expected: str
) -> None:
    database = Database.model_validate(
        {"cpu": 0.1, "connections_max": 15, "active": 10, "waiting": 0} | use
    )
    generator = Generator(cpu=0.15, waited=0, lag_p50_ms=None, lag_p99_ms=None)
    results = with_cells(
        results_of(WAIT), ("sync", "valid"), database=database, generator=generator, server_cpu=0.5
    )
    machine = factories.machine(database_cores=cores)
    facts = facts_of(build_view(results.model_copy(update={"machine": machine})))
    assert facts["Limited by"][0].startswith(expected)
    assert facts["Database"][0].endswith(f" active, {use.get('waiting', 0):g} waiting at 128 users")


def test_labels_have_the_note_where_titles_are_equal() -> None:
    changes = {name: {"title": "Read", "note": name} for name in ("wait", "read")}
    view = build_view(with_scenarios(results_of(WAIT, READ), **changes))
    assert [row.label for row in view.verdicts[0].rows] == ["Read, wait", "Read, read"]


def test_rows_and_scenarios_are_in_the_groups_of_the_plan() -> None:
    groups = {"wait": "Waiting", "read": "Database", "lost": "Waiting"}
    changes = {name: {"group": group} for name, group in groups.items()}
    view = build_view(with_scenarios(results_of(WAIT, READ, LOST), **changes))
    assert [(group, [row.scenario for row in rows]) for group, rows in view.verdicts[0].groups] == [
        ("Waiting", ["wait", "lost"]),
        ("Database", ["read"]),
    ]
    assert [scenario.id.removeprefix("scenario-") for scenario in view.scenarios] == [
        *("wait", "lost", "read")
    ]


def test_several_candidates_are_named_by_their_titles() -> None:
    targets = [
        {"name": "sync", "app": "a:app", "title": "threads"},
        {"name": "async", "app": "b:app", "title": "event loop"},
        {"name": "third", "app": "c:app"},
    ]
    both = {"async": Outcome(2.0), "third": Outcome(0.5)}
    outcomes = Outcomes("wait", {8: both}, targets=("sync", "async", "third"))
    [table] = build_view(results_of(outcomes, targets=targets)).verdicts
    assert [(row.title, row.advantages[0].target.text) for row in table.rows] == [
        ("wait: event loop", "event loop"),
        ("wait: third", "threads"),
    ]


def test_the_heat_map_has_a_tile_for_each_load_of_most_rows() -> None:
    odd = Outcomes("hash", {1: no_difference(), 3: Outcome(0.6)})
    [chart] = view_of(WAIT, READ, odd, LOST).heat_maps
    assert chart.table.loads == ("1", "64", "128")
    tiles = {
        row.label: [(t.text, t.target, t.strength, t.known) for t in row.tiles if t]
        for row in chart.table.rows
    }
    assert tiles == {
        "wait": [("~", None, 0, True), ("3.00×", 1, 3, True), ("4.00×", 1, 3, True)],
        "read": [("1.43×", 0, 2, True), ("2.50×", 0, 3, True), ("only", 1, 3, True)],
        "hash": [("~", None, 0, True)],
        "lost": [],
    }
    [chart] = view_of(LOST).heat_maps
    assert [(t.text, t.target, t.known) for t in chart.table.rows[0].tiles if t] == [
        ("?", None, False)
    ]


# Headline.


def test_the_headline_has_both_advantages_and_the_first_collapse() -> None:
    view = view_of(WAIT, READ)
    coloured = [(span.text, span.target) for span in view.headline if span.target is not None]
    assert coloured == [("async", 1), ("sync", 0), ("sync", 0), ("async", 1), ("sync", 0)]
    for figure in ("4.00×", "2.50×", "128 users"):
        assert figure in view.headline_text


def test_the_headline_has_at_most_25_words() -> None:
    group = {"group": "a group of many words that goes on and on"}
    view = build_view(with_scenarios(results_of(WAIT, READ), wait=group, read=group))
    assert len(view.headline_text.split()) <= 25
    assert "4.00×" in view.headline_text


@pytest.mark.parametrize(
    ("outcomes", "part"),
    [
        (Outcomes("wait", {8: no_difference()}), "No difference is shown"),
        (LOST, "none of them valid"),
        (Outcomes("wait", {8: Outcome()}, targets=("async",)), "serves up to 1,000 requests/s"),
        (Outcomes("wait", open={8: Outcome()}, targets=("async",)), "Nothing is compared"),
        (RATES, "sooner"),
    ],
)
def test_every_run_has_a_headline(outcomes: Outcomes, part: str) -> None:
    assert part in view_of(outcomes).headline_text


# Badges.


def tones(*outcomes: Outcomes, **changes: object) -> dict[str, str]:
    return {badge.text: badge.tone for badge in view_of(*outcomes, **changes).badges}


def test_badges_count_measurements_by_their_status() -> None:
    assert tones(WAIT, Outcomes("read", {8: collapse("sync")}), LOST, missing_cells=3) == {
        "35 of 50 measurements valid": "good",
        "5 collapsed": "plain",
        "10 invalid": "plain",
        "3 not measured yet": "bad",
        "no self-check": "bad",
    }
    assert tones(LOST)["0 of 10 measurements valid"] == "bad"


@pytest.mark.parametrize(
    ("ok", "text", "tone"),
    [(True, "self-check 1 of 1", "good"), (False, "self-check failed: floor", "bad")],
)
def test_the_self_check_is_a_badge(ok: bool, text: str, tone: str) -> None:
    self_check = factories.self_check(factories.check(ok=ok))
    assert tones(WAIT, self_check=self_check)[text] == tone


@pytest.mark.parametrize(
    ("outcome", "text", "tone"),
    [
        (Outcome(), "A/A: no difference shown", "good"),
        (Outcome(1.2), "A/A: a difference is shown", "bad"),
        (INVALID, "A/A: not comparable", "plain"),
    ],
)
def test_an_aa_check_is_a_badge_and_no_verdict(outcome: Outcome, text: str, tone: str) -> None:
    apps = {"sync": "a:app", "async": "b:app", "again": "a:app"}
    targets = [{"name": name, "app": app} for name, app in apps.items()]
    twice = Outcomes("twice", {8: outcome}, targets=("sync", "again"))
    also = Outcomes("also", {8: outcome}, targets=("sync", "again"))
    view = build_view(results_of(WAIT, also, twice, targets=targets))
    assert [(b.tone, b.section) for b in view.badges if b.text == text] == [
        (tone, "scenario-twice")
    ]
    assert [row.scenario for row in view.verdicts[0].rows] == ["wait"]


def test_missing_aspects_are_a_badge_and_in_preflight_table() -> None:
    missing = {"commits": "a command", "SQL": "a command"}
    declared = [
        {"aspect": "settings", "target": "async", "reason": "tuned"},
        {"aspect": "bytes", "scenario": "noop", "reason": "shorter"},
        {"aspect": "headers", "scenario": "noop", "reason": "shorter"},
    ]
    pair = factories.preflight_pair(missing=missing, declared=declared, volatile=2, took_s=7.2)
    view = view_of(WAIT, preflight=[pair])
    assert "preflight: SQL, commits not compared" in [badge.text for badge in view.badges]
    [row] = view.preflight.rows
    assert row[:3] == ("async / sync", "noop", "3")
    assert row[3].split(", ") == list(pair.equal)
    assert row[4:] == (
        "commits, SQL (a command)",
        "settings ('async': tuned); bytes, headers (scenario 'noop': shorter)",
        "2 values",
        "7 s",
    )
    whole = factories.preflight_pair(expected_differences="tuned")
    assert view_of(WAIT, preflight=[whole]).preflight.rows[0][3:] == (
        *("", "", "everything (tuned)"),
        *("", ""),
    )


def test_a_scenario_that_is_expected_to_differ_is_a_badge() -> None:
    results = with_scenarios(results_of(WAIT), wait={"expected_differences": {"SQL": "less"}})
    badges = [badge.text for badge in build_view(results).badges]
    assert "wait: requests are expected to differ" in badges


def test_remarks_are_a_badge() -> None:
    view = view_of(WAIT, remarks=["one"]).with_remarks(["two"])
    assert view.remarks == ("one", "two")
    assert [badge.text for badge in view.badges if badge.section == "remarks"] == ["2 remarks"]
