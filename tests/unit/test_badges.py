"""Whether a run can be trusted, at a glance."""

import pytest

from tests import runs, supposed
from tests.supposed import VOID, Made, Outcome, stops
from twinbench.findings import Item, PreflightPair
from twinbench.report.badges import badges
from twinbench.report.tables import preflight_rows

GOOD = Made("wait", {8: Outcome(2.0)})
LOST = Made("lost", {8: VOID})


def tones(*made: Made, blocks: int = 5, **changes: object) -> dict[str, str]:
    results = supposed.results(*made, blocks=blocks).model_copy(update=changes)
    return {badge.text: badge.tone for badge in badges(results)}


def test_cells_are_counted_by_what_came_of_them() -> None:
    found = tones(GOOD, Made("read", {8: stops("sync")}), LOST, missing_cells=3)
    assert found == {
        "15 cells valid": "good",
        "5 collapsed": "plain",
        "10 void": "plain",
        "3 not measured yet": "bad",
        "not calibrated": "bad",
    }


def test_a_run_without_valid_cells_or_with_one_block_is_not_to_be_trusted() -> None:
    assert tones(LOST)["0 cells valid"] == "bad"
    assert tones(GOOD, blocks=1)["one block: no intervals"] == "bad"
    assert list(tones(GOOD).values()) == ["good", "good", "bad"]  # not calibrated


def test_calibration_is_a_badge_whether_there_was_one_or_not() -> None:
    passed = Item(number=1, name="one", verdict="PASS", said="")
    failed = Item(number=2, name="two", verdict="FAIL", said="")
    skipped = Item(number=3, name="three", verdict="SKIP", said="")
    found = tones(GOOD, calibration=runs.calibration(passed, skipped))
    assert found["calibration 1 of 1"] == "good"
    found = tones(GOOD, calibration=runs.calibration(passed, failed))
    assert found["calibration FAILED: check 2 (two)"] == "bad"


@pytest.mark.parametrize(
    ("outcome", "text", "tone"),
    [
        (Outcome(1.0, same=True), "A/A: no difference shown", "good"),
        (Outcome(1.2, same=True), "A/A: a difference is shown", "bad"),
        (Outcome(void=True, same=True), "A/A: not comparable", "plain"),
    ],
)
def test_one_target_twice_is_a_badge(outcome: Outcome, text: str, tone: str) -> None:
    twice = Made("twice", {8: outcome}, targets=("sync", "again"))
    found = badges(supposed.results(GOOD, twice))
    assert [(b.tone, b.section) for b in found if b.text == text] == [(tone, "scenario-twice")]
    assert not any("A/A" in text for text in tones(GOOD))


def test_targets_that_are_meant_to_differ_are_named() -> None:
    targets = [
        {"name": "sync", "app": "a:app"},
        {"name": "async", "app": "b:app", "differs": "it caches"},
    ]
    found = badges(supposed.results(GOOD, targets=targets))
    assert "async is meant to differ" in [badge.text for badge in found]


def test_remarks_on_the_run_are_counted_in_a_badge() -> None:
    assert tones(GOOD, remarks=["no self-check", "busy"])["2 remarks"] == "bad"
    assert tones(GOOD, remarks=["no self-check"])["1 remark"] == "bad"
    assert not any("remark" in text for text in tones(GOOD))


def test_what_the_preflight_could_not_compare_is_a_badge() -> None:
    blind = PreflightPair(
        baseline="sync",
        candidate="async",
        scenarios=["noop"],
        requests=3,
        missing={"commits": "'async' is a command", "SQL": "'async' is a command"},
        declared={"settings": "tuned"},
    )
    found = tones(GOOD, preflight=[blind])
    assert found["preflight: SQL, commits not compared"] == "plain"
    whole = blind.model_copy(update={"missing": {}})
    assert not any("preflight" in text for text in tones(GOOD, preflight=[whole]))
    results = supposed.results(GOOD).model_copy(update={"preflight": [blind]})
    _, [row] = preflight_rows(results)
    assert row[:3] == ["async / sync", "noop", "3"]
    assert row[3].split(", ") == list(blind.equal)
    assert "SQL" not in row[3]
    assert row[4] == "commits, SQL ('async' is a command); settings (meant to differ: tuned)"
