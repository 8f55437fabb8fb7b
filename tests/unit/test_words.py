"""What is said of a run as a whole, and how sentences are put together."""

import pytest

from tests import supposed
from tests.supposed import Made, Outcome, level, stops
from twinbench.analyse.results import ClaimResult, Comparison
from twinbench.plan import LoadKind
from twinbench.report import words
from twinbench.report.sentences import listed, percent_up, seen_from, stretch, unshown
from twinbench.report.standings import families, standings

GOOD = Made("wait", {8: Outcome(2.0)})


def test_claims_are_counted_and_shown_with_reason_and_source() -> None:
    claim = ClaimResult(id="a", text="t", source="s", verdict="refuted", because="b", cells=[])
    results = supposed.results(GOOD).model_copy(update={"claims": [claim]})
    assert words.claims(results) == "0 supported, 1 refuted, 0 not shown"
    assert words.claim_rows(results) == [["t", "refuted", "b", "s"]]
    assert words.claims(supposed.results(GOOD)) == ""


def test_what_is_true_of_the_apps_that_come_along_is_not_said_of_others() -> None:
    assert words.SHIPPED_LIMIT not in words.limits(supposed.results(GOOD))
    shipped = [{"name": name, "app": f"apps.{name}_app.main:app"} for name in ("sync", "async")]
    assert words.SHIPPED_LIMIT in words.limits(supposed.results(GOOD, targets=shipped))


@pytest.mark.parametrize(
    ("kind", "loads", "said"),
    [
        ("closed", [1, 8, 64, 256], "at every load"),
        ("open", [1, 8, 64, 256], "at every rate"),
        ("closed", [64, 256], "from 64 users on"),
        ("closed", [1, 8], "up to 8 users"),
        ("closed", [256], "at 256 users"),
        ("closed", [1], "at 1 user"),
        ("open", [8, 64], "at 8 to 64 requests/s"),
        ("closed", [1, 64, 256], "at 1 user and 64 to 256 users"),
    ],
)
def test_a_stretch_is_named_by_the_loads_that_were_tried(
    kind: LoadKind, loads: list[int], said: str
) -> None:
    assert stretch(kind, [1, 8, 64, 256], loads) == said


def test_names_are_listed() -> None:
    assert [listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_percents_are_never_less_than_they_are() -> None:
    assert [percent_up(share) for share in (0.12, 0.121, 0.1200001, 0.003)] == [
        "12 %",
        "13 %",
        "12 %",
        "1 %",
    ]


def compared(made: Made) -> list[Comparison]:
    return supposed.results(made).compared("wait", "closed", "throughput")


def test_a_ratio_is_turned_for_the_other_side() -> None:
    [found] = compared(GOOD)
    other = seen_from("sync", found)
    assert found.ratio
    assert seen_from("async", found) == found.ratio
    assert (other.estimate, other.low) == (0.5, 1 / (found.ratio.high or 0))
    with pytest.raises(ValueError, match="no ratio"):
        seen_from("sync", compared(Made("wait", {8: stops("sync")}))[0])


def test_what_would_have_been_shown_holds_for_every_load() -> None:
    some = compared(Made("wait", {1: level(0.07), 8: level(0.123), 64: supposed.VOID}))
    assert unshown(some) == "where one of 13 % or more would probably have been"
    assert unshown(compared(Made("wait", {1: supposed.VOID}))) == ""


def test_variants_are_pairs_with_one_ending() -> None:
    made = [
        Made("a", {1: Outcome()}),
        Made("b", {1: Outcome()}, targets=("sync_sized", "async_sized")),
        Made("c", {1: Outcome()}, targets=("sync", "async_sized")),
        Made("d", {1: Outcome()}, targets=("syncs", "asyncs")),
    ]
    found = families(standings(supposed.results(*made)))
    assert {pair: [s.scenario for s in own] for pair, own in found.items()} == {
        ("sync", "async"): ["a", "b"],
        ("sync", "async_sized"): ["c"],
        ("syncs", "asyncs"): ["d"],
    }


def test_that_a_stop_may_come_later_is_said_where_somebody_stopped() -> None:
    assert words.STOP_LIMIT not in words.limits(supposed.results(GOOD))
    fell = supposed.results(Made("wait", {8: stops("sync", times=1)}))
    assert words.STOP_LIMIT in words.limits(fell)


def test_marks_are_explained_by_the_names_of_the_targets() -> None:
    said = words.marks(supposed.results(GOOD))
    assert said.startswith("▲: async is shown to be ahead, ▼: sync is, no mark: no difference")
